//! The page is for everybody: axe finds nothing in its way of WCAG 2.2 AA, on a screen, a phone, by light
//! and by dark.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use chatx_e2e::unlimited;
use serde_json::{Value, json};
use testkit::{Chromium, Page};

use crate::meeting::{Meeting, by, say};

/// axe is among what the web client is developed with; a machine without npm has none.
pub(crate) fn axe() -> Option<String> {
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("clients");
    fs::read_to_string(modules.join("web/node_modules/axe-core/axe.min.js")).ok()
}

/// What axe finds, each with where.
async fn faults(page: &Page, axe: &str) -> Result<Value> {
    page.evaluate(&format!("{axe}; 0")).await?;
    // What moves is looked at once it rests.
    page.evaluate("Promise.all(document.getAnimations().filter(one => one.effect.getTiming().iterations !== Infinity).map(one => one.finished.catch(() => {})))")
        .await?;
    page.evaluate(
        "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
            .then(({ violations }) => violations.map(({ id, nodes }) => [id, ...nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`)]))",
    )
    .await
}

pub(crate) async fn assert_faultless(page: &Page, axe: &str, what: &str) -> Result<()> {
    for scheme in ["light", "dark"] {
        page.prefer(scheme, true).await?;
        // The new colours are there with the next frame.
        page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")
            .await?;
        let found = faults(page, axe).await?;
        assert_eq!(found, json!([]), "{what}, {scheme}: {found:#}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_stands_in_the_way_of_anybody() -> Result<()> {
    let Some(axe) = axe() else {
        return Ok(());
    };
    let chatx = unlimited().start().await?;
    let chromium = Chromium::start().await?;
    let stranger = chromium.page().await?;
    for form in ["login", "register"] {
        stranger
            .navigate(&format!("{}/#/{form}", chatx.url()))
            .await?;
        stranger.until_visible(&by(&format!("{form}-form"))).await?;
        assert_faultless(&stranger, &axe, form).await?;
    }

    let Meeting {
        at_ada,
        at_ben,
        ben,
    } = Meeting::begin(&chromium, &chatx).await?;
    say(&at_ben, "Look at **this**: https://example.com/a `key`").await?;
    say(&at_ada, &format!("@{ben} I will\n> this\nSoon")).await?;
    at_ben.until_visible(".mention.self").await?;
    let page = &at_ada;
    assert_faultless(page, &axe, "a room").await?;

    for (opens, what) in [("begin", "a menu"), ("find", "the way anywhere")] {
        page.click(&by(opens)).await?;
        assert_faultless(page, &axe, what).await?;
        page.press("Escape").await?;
        page.until("document.querySelector('dialog[open], :popover-open.menu-items') === null")
            .await?;
    }
    for (opens, what) in [("new-message", "a new message"), ("new-room", "a new room")] {
        page.click(&by("begin")).await?;
        page.click(&by(opens)).await?;
        assert_faultless(page, &axe, what).await?;
        page.press("Escape").await?;
        page.until("document.querySelector('dialog[open]') === null")
            .await?;
    }
    page.evaluate(&format!(
        "document.querySelector('{}').dispatchEvent(new PointerEvent('pointerenter'))",
        by("message")
    ))
    .await?;
    page.until_visible(&by("open-thread")).await?;
    page.evaluate(&format!(
        "document.querySelector('{}').click()",
        by("open-thread")
    ))
    .await?;
    page.until_visible(&format!("{} {}", by("thread-pane"), by("message")))
        .await?;
    assert_faultless(page, &axe, "a thread").await?;
    page.click(&by("pins")).await?;
    assert_faultless(page, &axe, "the pins").await?;
    page.click(&format!("{} .bar .icon-button", by("pins-pane")))
        .await?;

    let room = page.evaluate("location.hash").await?;
    let room = room.as_str().context("a room is open")?;
    for (path, what) in [
        ("#/discover", "rooms to discover"),
        ("#/search?q=key", "a search"),
        ("#/", "no room"),
        ("#/settings/profile", "one's profile"),
        ("#/settings/sessions", "one's sessions"),
    ] {
        page.evaluate(&format!("location.hash = {path:?}")).await?;
        page.until_visible("#main").await?;
        assert_faultless(page, &axe, what).await?;
    }
    page.resize(390, 844, true).await?;
    assert_faultless(page, &axe, "the rooms on a phone").await?;
    page.evaluate(&format!("location.hash = {room:?}")).await?;
    page.until_visible(&by("message-input")).await?;
    assert_faultless(page, &axe, "a room on a phone").await?;
    page.click(&by("details")).await?;
    page.until_visible(&by("details-pane")).await?;
    assert_faultless(page, &axe, "a room's details on a phone").await?;
    Ok(())
}
