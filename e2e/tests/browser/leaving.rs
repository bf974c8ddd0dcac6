//! Taking along what one said, leaving for good, and coming back by a link that a server admin handed over.

use std::{fs, time::Instant};

use anyhow::{Context as _, Result, ensure};
use chatx_e2e::{PATIENCE, unique, unlimited};
use serde_json::json;
use testkit::{Chromium, Page};

use crate::{
    everybody::{assert_faultless, axe},
    meeting::{Meeting, by, line, register, say},
};

const PASSWORD: &str = "plain sailing 1843";

async fn log_in(page: &Page, login: &str, password: &str) -> Result<()> {
    page.until_visible(&by("login-form")).await?;
    for (field, text) in [("username", login), ("password", password)] {
        page.evaluate(&format!(
            "document.querySelector('{} {}').value = ''",
            by("login-form"),
            by(field)
        ))
        .await?;
        page.type_into(&by(field), text).await?;
    }
    page.click(&by("submit")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_said_is_taken_along_and_erased() -> Result<()> {
    let chatx = unlimited().start().await?;
    let chromium = Chromium::start().await?;
    let Meeting {
        at_ada,
        at_ben,
        ben,
    } = Meeting::begin(&chromium, &chatx).await?;
    say(&at_ben, "It was good to be here").await?;
    at_ada.until_text("It was good to be here").await?;

    // All of it, as a file on one's own disk.
    let folder = chatx.data_directory().join("downloads");
    fs::create_dir_all(&folder)?;
    let download = json!({"behavior": "allow", "downloadPath": folder});
    at_ben.call("Page.setDownloadBehavior", download).await?;
    at_ben.evaluate("location.hash = '#/settings/data'").await?;
    at_ben.click(&by("export")).await?;
    let (export, begun) = (folder.join("chatx-export.zip"), Instant::now());
    while !export.exists() {
        ensure!(begun.elapsed() < PATIENCE, "nothing was downloaded");
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    }
    let export = fs::read(export)?;
    for part in ["account.json", "rooms.json", "messages.ndjson"] {
        let is_in = export
            .windows(part.len())
            .any(|bytes| bytes == part.as_bytes());
        assert!(is_in, "the export has no {part}");
    }

    // Gone: from the page at once, and from what others see soon.
    at_ben.click(&by("close-account")).await?;
    if let Some(axe) = axe() {
        assert_faultless(&at_ben, &axe, "closing an account").await?;
    }
    at_ben.type_into(&by("close-confirm"), &ben).await?;
    at_ben
        .type_into(&by("close-password"), "not my password")
        .await?;
    at_ben.click(&by("close-submit")).await?;
    at_ben
        .until_text("This is not your current password")
        .await?;
    at_ben
        .evaluate(&format!(
            "document.querySelector('{}').select()",
            by("close-password")
        ))
        .await?;
    at_ben.type_into(&by("close-password"), PASSWORD).await?;
    at_ben.click(&by("close-submit")).await?;
    at_ben.until_visible(&by("login-form")).await?;
    at_ada.until_text("This message was deleted").await?;
    at_ada.until_text("Deleted user").await?;
    at_ada
        .until(&format!("{} === undefined", line("It was good to be here")))
        .await?;
    log_in(&at_ben, &ben, PASSWORD).await?;
    at_ben.until_text("do not go together").await?;
    assert_eq!(at_ada.console(), Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_from_an_admin_leads_to_a_new_password() -> Result<()> {
    let admin = unique("ida");
    let chatx = unlimited().set("CHATX_ADMINS", &admin).start().await?;
    let chromium = Chromium::start().await?;
    let at_ida = register(&chromium, &chatx, &admin).await?;
    let ben = unique("ben");
    let at_ben = register(&chromium, &chatx, &ben).await?;
    let elsewhere = chromium.page().await?;

    at_ida.click(&by("admin")).await?;
    at_ida.type_into(&by("user-search"), &ben).await?;
    at_ida
        .until(&format!(
            "document.querySelectorAll('{}').length === 1",
            by("account")
        ))
        .await?;
    at_ida.click(&by("open-account")).await?;
    at_ida.click(&by("reset-account")).await?;
    at_ida.until_visible(&by("reset-link")).await?;
    if let Some(axe) = axe() {
        assert_faultless(&at_ida, &axe, "a link to hand over").await?;
    }
    let link = at_ida
        .evaluate(&format!(
            "(link => link.value ?? link.innerText)(document.querySelector('{}'))",
            by("reset-link")
        ))
        .await?;
    let link = link.as_str().context("a link")?;

    // Wherever they were they are no more, and the old password is none.
    log_in(&at_ben, &ben, PASSWORD).await?;
    at_ben.until_text("do not go together").await?;
    elsewhere.navigate(link).await?;
    elsewhere
        .type_into(&by("new-password"), "another harbour 1844")
        .await?;
    elsewhere.click(&by("submit")).await?;
    elsewhere.until_text("Your password is set").await?;
    elsewhere.click(".auth-other a").await?;
    log_in(&elsewhere, &ben, "another harbour 1844").await?;
    elsewhere.until_visible(&by("room-list")).await?;
    for page in [&at_ida, &elsewhere] {
        assert_eq!(page.console(), Vec::<String>::new());
    }
    Ok(())
}
