//! Who runs a room and whom they let in, seen by both sides: invites, mutes, bans, slow mode, an archive and a new owner.

use anyhow::{Context as _, Result};
use chatx_e2e::{unique, unlimited};
use serde_json::json;
use testkit::{Chromium, Page};

use crate::{
    everybody::{assert_faultless, axe},
    meeting::{by, register, say},
};

/// Chooses what stands in a member's menu.
async fn about(page: &Page, username: &str, item: &str) -> Result<()> {
    let member = format!("[data-testid=member][data-user={username}]");
    page.click(&format!("{member} {}", by("member-actions")))
        .await?;
    page.click(&by(item)).await
}

async fn submit(page: &Page) -> Result<()> {
    page.click(&format!("dialog {}", by("submit"))).await?;
    page.until("document.querySelector('dialog[open]') === null")
        .await
}

/// Leaves a dialog without having chosen anything.
async fn leave(page: &Page) -> Result<()> {
    page.press("Escape").await?;
    page.until("document.querySelector('dialog[open]') === null")
        .await
}

async fn pick(page: &Page, test_id: &str, value: &str) -> Result<()> {
    let select = by(test_id);
    page.until_visible(&select).await?;
    page.evaluate(&format!(
        "(select => {{ select.value = {value:?}; select.dispatchEvent(new Event('change', {{ bubbles: true }})); }})(document.querySelector('{select}'))"
    ))
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_runs_a_room_says_who_is_in_it() -> Result<()> {
    let chatx = unlimited().start().await?;
    let chromium = Chromium::start().await?;
    let (ada, ben, cy) = (unique("ada"), unique("ben"), unique("cy"));
    let at_ada = register(&chromium, &chatx, &ada).await?;
    let at_ben = register(&chromium, &chatx, &ben).await?;
    let at_cy = register(&chromium, &chatx, &cy).await?;

    // A secret room, and a link that works twice.
    at_ada.click(&by("begin")).await?;
    at_ada.click(&by("new-room")).await?;
    at_ada.type_into(&by("room-name"), &unique("Deck ")).await?;
    at_ada
        .evaluate("document.querySelector('[name=visibility][value=secret]').click()")
        .await?;
    submit(&at_ada).await?;
    at_ada.until_visible(&by("message-input")).await?;
    at_ada.until_visible(&by("invite")).await?;
    at_ada.click(&by("invite")).await?;
    pick(&at_ada, "invite-life", "86400").await?;
    pick(&at_ada, "invite-uses", "5").await?;
    at_ada.click(&format!("dialog {}", by("submit"))).await?;
    at_ada.until_visible(&by("invite-row")).await?;
    let link = at_ada
        .evaluate("document.querySelector('.invite-code').value")
        .await?;
    let link = link.as_str().context("a link")?;
    if let Some(axe) = axe() {
        assert_faultless(&at_ada, &axe, "invites").await?;
    }
    leave(&at_ada).await?;
    for page in [&at_ben, &at_cy] {
        page.evaluate(&format!("location.href = {link:?}")).await?;
        page.until_visible(&by("message-input")).await?;
    }
    at_ada.click(&by("invite")).await?;
    at_ada.until_text("Used 2 of 5 times").await?;
    at_ada.click(&by("revoke-invite")).await?;
    at_ada.until_text("No link leads here yet").await?;
    leave(&at_ada).await?;

    // Muted for a while, and heard again.
    about(&at_ada, &ben, "mute").await?;
    pick(&at_ada, "mute-length", "900").await?;
    submit(&at_ada).await?;
    at_ben.until_text(&format!("muted {ben} until")).await?;
    say(&at_ben, "Can anybody hear me?").await?;
    at_ben.until_text("You are muted here for now").await?;
    about(&at_ada, &ben, "mute").await?;
    at_ben.until_text(&format!("unmuted {ben}")).await?;
    at_ben.evaluate("[...document.querySelectorAll('.failure button')].find(one => one.innerText === 'Send again').click()").await?;
    at_ada.until_text("Can anybody hear me?").await?;

    // Banned with a reason and an end; the link is void, the ban lifted.
    about(&at_ada, &cy, "ban").await?;
    pick(&at_ada, "ban-length", "86400").await?;
    at_ada
        .type_into(&by("ban-reason"), "Threw the anchor")
        .await?;
    if let Some(axe) = axe() {
        assert_faultless(&at_ada, &axe, "a ban").await?;
    }
    submit(&at_ada).await?;
    at_cy.until_text("You were banned").await?;
    at_ada
        .evaluate("document.querySelector('[data-testid=bans] summary').click()")
        .await?;
    at_ada
        .until(&format!(
            "(row => row?.includes('Until ') && row.includes('Threw the anchor') && row.includes('by @{ada}'))(document.querySelector('{}')?.innerText)",
            by("ban-row")
        ))
        .await?;
    at_cy.evaluate(&format!("location.href = {link:?}")).await?;
    at_cy.until_text("This invite did not work").await?;
    at_ada.click(&format!("{} .link", by("ban-row"))).await?;
    at_ada.until_text("Nobody is banned.").await?;

    // Slow mode is set; the room is closed for writing, and opened again.
    at_ada.click(&by("room-settings")).await?;
    pick(&at_ada, "slow-mode", "30").await?;
    if let Some(axe) = axe() {
        assert_faultless(&at_ada, &axe, "a room's settings").await?;
    }
    submit(&at_ada).await?;
    at_ben.until_text("changed the slow mode").await?;
    at_ada.click(&by("room-settings")).await?;
    at_ada
        .until("document.querySelector('[data-testid=slow-mode]').value === '30'")
        .await?;
    at_ada.click(&by("archive")).await?;
    for page in [&at_ada, &at_ben] {
        page.until_text("This room is archived: it can be read, not written in.")
            .await?;
    }
    at_ada.click(&by("room-settings")).await?;
    at_ada.click(&by("archive")).await?;
    for page in [&at_ada, &at_ben] {
        page.until_visible(&by("message-input")).await?;
    }

    // Handed over: the new owner has what the old one had.
    about(&at_ada, &ben, "transfer").await?;
    at_ada.click(&by("confirm")).await?;
    at_ben.until(&format!(
        "document.querySelector('[data-testid=member][data-user={ben}]').innerText.includes('owner')"
    )).await?;
    at_ben.click(&by("room-settings")).await?;
    at_ben.until_visible(&by("delete-room")).await?;
    for page in [&at_ada, &at_ben] {
        assert_eq!(page.console(), Vec::<String>::new());
    }
    // The browser itself tells of what was refused; nothing else did.
    let strange: Vec<_> = at_cy
        .console()
        .into_iter()
        .filter(|line| !line.contains("404") && !line.contains("403"))
        .collect();
    assert_eq!(json!(strange), json!([]));
    Ok(())
}
