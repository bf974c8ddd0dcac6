//! What people know of each other, names and what somebody is up to as they are now; of what waits for moderators; and
//! of what they have read elsewhere.

use anyhow::{Context as _, Result};
use chatx_e2e::{Http, unlimited};
use serde_json::json;
use testkit::{Chromium, Page};

use crate::{
    everybody::{assert_faultless, axe},
    meeting::{Meeting, by, choose, say},
};

/// Puts a text in the place of what a field holds.
async fn fill(page: &Page, field: &str, text: &str) -> Result<()> {
    page.until_visible(&by(field)).await?;
    page.evaluate(&format!("document.querySelector('{}').select()", by(field)))
        .await?;
    page.type_into(&by(field), text).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_is_seen_as_one_is_now() -> Result<()> {
    let chatx = unlimited().start().await?;
    let chromium = Chromium::start().await?;
    let Meeting {
        at_ada,
        at_ben,
        ben,
    } = Meeting::begin(&chromium, &chatx).await?;
    say(&at_ben, "Ahoy").await?;
    at_ada.until_text("Ahoy").await?;
    at_ada.until_visible(&by("members")).await?;

    // Ben changes his name and says what he is up to: Ada sees it where she is.
    at_ben
        .evaluate("location.hash = '#/settings/profile'")
        .await?;
    fill(&at_ben, "display-name", "Ben of the Sea").await?;
    fill(&at_ben, "status", "Mending nets until noon").await?;
    at_ben
        .click(&format!("form.setting {}", by("submit")))
        .await?;
    at_ben.until_text("Profile saved").await?;
    at_ada
        .until(&format!(
            "document.querySelector('{}')?.innerText === 'Ben of the Sea'",
            by("byline")
        ))
        .await?;
    at_ada
        .until(&format!(
            "document.querySelector('[data-testid=member][data-user={ben}]').innerText.includes('Mending nets until noon')"
        ))
        .await?;

    // All that he says about himself, and from there to a conversation.
    at_ada.click(&by("byline")).await?;
    at_ada.until_visible(&by("person-status")).await?;
    if let Some(axe) = axe() {
        assert_faultless(&at_ada, &axe, "a person").await?;
    }
    at_ada.click(&by("person-message")).await?;
    at_ada
        .until(&format!(
            "document.querySelector('{}')?.innerText === 'Mending nets until noon'",
            by("other-status")
        ))
        .await?;
    fill(&at_ben, "status", "At lunch").await?;
    at_ben
        .click(&format!("form.setting {}", by("submit")))
        .await?;
    at_ada
        .until(&format!(
            "document.querySelector('{}')?.innerText === 'At lunch'",
            by("other-status")
        ))
        .await?;
    for page in [&at_ada, &at_ben] {
        assert_eq!(page.console(), Vec::<String>::new());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn moderators_see_at_once_that_something_was_reported() -> Result<()> {
    let chatx = unlimited().start().await?;
    let chromium = Chromium::start().await?;
    let Meeting { at_ada, at_ben, .. } = Meeting::begin(&chromium, &chatx).await?;
    say(&at_ada, "Buy my tea").await?;
    say(&at_ben, "Really?").await?;
    at_ada.until_text("Really?").await?;
    let badge = |count: &str| {
        format!(
            "(document.querySelector('{} .badge [aria-hidden]')?.innerText ?? '') === {count:?}",
            by("manage")
        )
    };
    at_ada.until_visible(&by("manage")).await?;
    at_ada.until(&badge("")).await?;
    choose(&at_ben, "Buy my tea", "report").await?;
    at_ben.click(&format!("dialog {}", by("submit"))).await?;
    at_ada.until(&badge("1")).await?;
    at_ada.until_visible(".dot").await?;
    if let Some(axe) = axe() {
        assert_faultless(&at_ada, &axe, "a report that waits").await?;
    }
    at_ada.click(&by("manage")).await?;
    at_ada.until_visible(&by("report-entry")).await?;
    for page in [&at_ada, &at_ben] {
        assert_eq!(page.console(), Vec::<String>::new());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_on_another_device_is_unread_no_more() -> Result<()> {
    let chatx = unlimited().start().await?;
    let chromium = Chromium::start().await?;
    let Meeting {
        at_ada,
        at_ben,
        ben,
    } = Meeting::begin(&chromium, &chatx).await?;
    let unread = |count: &str| {
        format!(
            "(document.querySelector('{} .badge [aria-hidden]')?.innerText ?? '') === {count:?}",
            by("room-list")
        )
    };
    at_ben
        .evaluate("location.hash = '#/settings/profile'")
        .await?;
    at_ben.until_visible(&by("display-name")).await?;
    for text in ["One", "Two", "Three"] {
        say(&at_ada, text).await?;
    }
    at_ben.until(&unread("3")).await?;

    // The other device speaks HTTP only, and what it reads is hidden from others.
    let http = Http::new(chatx.address());
    let login = json!({ "login": ben, "password": "plain sailing 1843" });
    let signed_in = http.post("/v1/auth/login", login).await?.expect(200)?;
    let http = http.with_token(signed_in["access_token"].as_str().context("a token")?);
    let hide = json!({ "shows_reads": false });
    http.patch("/v1/users/me", hide).await?.expect(200)?;
    let rooms = http.get("/v1/users/me/rooms").await?.expect(200)?;
    let (room, head) = (&rooms["rooms"][0]["id"], &rooms["rooms"][0]["head"]);
    let path = format!("/v1/rooms/{}/read", room.as_str().context("an id")?);
    let head = head.as_u64().context("a seq")?;
    for (seq, left) in [(head - 1, "1"), (head, "")] {
        http.put(&path, json!({ "seq": seq })).await?.expect(204)?;
        at_ben.until(&unread(left)).await?;
    }
    for page in [&at_ada, &at_ben] {
        assert_eq!(page.console(), Vec::<String>::new());
    }
    Ok(())
}
