//! What is done about what is out of place: by members, by those who look after a room, and by server admins.

use anyhow::{Context as _, Result};
use chatx_e2e::{unique, unlimited};
use testkit::{Chromium, Page};

use crate::{
    everybody::{assert_faultless, axe},
    meeting::{Meeting, by, join, register, say},
};

const PASSWORD: &str = "plain sailing 1843";

/// Opens the menu of a message and chooses to report it.
async fn report(page: &Page, text: &str) -> Result<()> {
    let line = format!(
        "[...document.querySelectorAll('{}[data-seq]')].find(line => line.innerText.includes({text:?}))",
        by("message")
    );
    let (more, item) = (by("more"), by("report"));
    page.until(&format!(
        "(({line})?.dispatchEvent(new PointerEvent('pointerenter')), document.querySelector('{item}')?.checkVisibility()
            || (({line})?.querySelector('{more}')?.click(), false))"
    ))
    .await?;
    page.click(&item).await?;
    page.type_into(&by("report-note"), "Third time today")
        .await?;
    page.click(&format!("dialog {}", by("submit"))).await?;
    page.until_text("Reported. Thank you.").await
}

async fn log_in(page: &Page, login: &str, password: &str) -> Result<()> {
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
async fn what_is_out_of_place_is_reported_seen_to_and_kept_out() -> Result<()> {
    let admin = unique("ida");
    let chatx = unlimited().set("CHATX_ADMINS", &admin).start().await?;
    let chromium = Chromium::start().await?;
    let at_ida = register(&chromium, &chatx, &admin).await?;
    let Meeting {
        at_ada,
        at_ben,
        ben,
    } = Meeting::begin(&chromium, &chatx).await?;
    let room = at_ada
        .evaluate("document.querySelector('.bar-title h1').innerText")
        .await?;
    join(&at_ida, room.as_str().context("it has a name")?).await?;

    // Reported by a member, taken away by who owns the room.
    say(&at_ben, "Cheap sails at my shop").await?;
    report(&at_ida, "Cheap sails").await?;
    let id = at_ada.evaluate("location.hash.split('/')[2]").await?;
    let id = id.as_str().context("a room is open")?.to_owned();
    at_ada
        .evaluate(&format!("location.hash = '#/manage/{id}/reports'"))
        .await?;
    at_ada.until_text("Third time today").await?;
    if let Some(axe) = axe() {
        assert_faultless(&at_ada, &axe, "reports").await?;
    }
    at_ada.click(&by("delete-reported")).await?;
    at_ben.until_text("This message was deleted").await?;
    at_ada.until_text("This message is gone").await?;
    at_ada.click(&by("resolve")).await?;
    at_ada
        .until(&format!(
            "document.querySelector('{}') === null",
            by("report-entry")
        ))
        .await?;

    // Kept out by a server admin, until that is lifted.
    at_ida.click(&by("admin")).await?;
    at_ida.type_into(&by("user-search"), &ben).await?;
    at_ida
        .until(&format!(
            "document.querySelectorAll('{}').length === 1",
            by("account")
        ))
        .await?;
    at_ida.click(&by("open-account")).await?;
    at_ida.type_into(&by("suspend-reason"), "Spam").await?;
    at_ida.click(&by("suspend")).await?;
    at_ben.until_visible(&by("login-form")).await?;
    log_in(&at_ben, &ben, PASSWORD).await?;
    at_ben
        .until_text("This account is closed by an administrator.")
        .await?;
    at_ida
        .until(&format!(
            "document.querySelector('{}') === null",
            by("suspend-reason")
        ))
        .await?;
    at_ida.click(&by("suspend")).await?;
    at_ida.until_visible(&by("suspend-reason")).await?;
    at_ida.press("Escape").await?;
    at_ida
        .until("document.querySelector('dialog[open]') === null")
        .await?;

    // Left without its owner's rights, and brought back after it was deleted.
    at_ida.click(&by("section-rooms")).await?;
    at_ida.click(&by("room-actions")).await?;
    at_ida.click(&by("hand-over")).await?;
    at_ida.type_into(&by("new-owner"), &admin).await?;
    at_ida.click(&format!("dialog {}", by("submit"))).await?;
    at_ida.until_text(&format!("Owned by {admin}")).await?;
    // What is asked of a room at the moment that it goes is answered by 404, which a console tells.
    for page in [&at_ida, &at_ada] {
        assert_eq!(page.console(), Vec::<String>::new());
    }
    at_ida.click(&by("room-actions")).await?;
    at_ida.click(&by("delete-any")).await?;
    at_ida.click("dialog .danger").await?;
    at_ada
        .until(&format!(
            "document.querySelector('{}') === null",
            by("room-item")
        ))
        .await?;
    at_ida.click(&by("only-deleted")).await?;
    at_ida.until_text("Can be brought back").await?;
    if let Some(axe) = axe() {
        for section in ["rooms", "users", "reports", "storage", "nodes", "audit"] {
            at_ida.click(&by(&format!("section-{section}"))).await?;
            at_ida
                .until_visible(&format!(
                    "[data-section={section}] :is(.row, .nothing, .figures)"
                ))
                .await?;
            assert_faultless(&at_ida, &axe, section).await?;
        }
        at_ida.click(&by("section-rooms")).await?;
        at_ida.click(&by("only-deleted")).await?;
    }
    at_ida.click(&by("room-actions")).await?;
    at_ida.click(&by("restore-room")).await?;
    at_ada.until_visible(&by("room-item")).await
}
