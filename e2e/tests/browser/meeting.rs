//! People at their browsers, as the tests need them.

use anyhow::Result;
use chatx_e2e::unique;
use testkit::{Chatx, Chromium, Page};

/// What a test id is selected by.
pub(crate) fn by(test_id: &str) -> String {
    format!("[data-testid={test_id}]")
}

pub(crate) async fn register(chromium: &Chromium, chatx: &Chatx, username: &str) -> Result<Page> {
    let page = chromium.page().await?;
    page.navigate(&format!("{}/#/register", chatx.url()))
        .await?;
    page.until_visible(&by("register-form")).await?;
    page.type_into(&by("username"), username).await?;
    page.type_into(&by("email"), &format!("{username}@example.com"))
        .await?;
    page.type_into(&by("password"), "plain sailing 1843")
        .await?;
    page.click(&by("submit")).await?;
    page.until_visible(&by("room-list")).await?;
    Ok(page)
}

pub(crate) async fn say(page: &Page, text: &str) -> Result<()> {
    page.type_into(&by("message-input"), text).await?;
    page.press("Enter").await
}

/// The messages that a page shows, from the top, once there are `count`.
pub(crate) async fn shown(page: &Page, count: usize) -> Result<serde_json::Value> {
    let bodies = format!(
        "[...document.querySelectorAll('{}')].map(line => line.textContent)",
        by("message-body")
    );
    page.until(&format!("{bodies}.length >= {count}")).await?;
    page.evaluate(&bodies).await
}

/// Finds the only room that one is not in, and joins it.
pub(crate) async fn join(page: &Page, room: &str) -> Result<()> {
    page.click(&by("discover")).await?;
    page.until_text(room).await?;
    page.click(&by("join")).await?;
    page.until_visible(&by("message-input")).await
}

/// The line of a stored message that shows a text.
pub(crate) fn line(text: &str) -> String {
    format!(
        "[...document.querySelectorAll('{}[data-seq]')].find(line => line.innerText.includes({text:?}))",
        by("message")
    )
}

/// What is within the message that is pointed at.
fn its(test_id: &str) -> String {
    format!("[data-pointed] {}", by(test_id))
}

/// An expression that points at a message, and at no other. A message that is acknowledged may be drawn anew,
/// and is pointed at anew.
fn point_at(text: &str) -> String {
    format!(
        "(() => {{
            const line = {};
            for (const other of document.querySelectorAll('[data-pointed]')) {{
                if (other === line) continue;
                delete other.dataset.pointed;
                other.dispatchEvent(new PointerEvent('pointerleave'));
            }}
            if (!line) return;
            line.dataset.pointed = '';
            line.dispatchEvent(new PointerEvent('pointerenter'));
        }})()",
        line(text)
    )
}

/// An expression that is true when one sees it.
fn is_seen(selector: &str) -> String {
    format!("Boolean(document.querySelector('{selector}')?.checkVisibility())")
}

/// Uses one of a message's tools.
pub(crate) async fn use_tool(page: &Page, text: &str, tool: &str) -> Result<()> {
    let (pointing, tool) = (point_at(text), its(tool));
    // Seen and pressed in one go: what arrives between the two draws the log anew, or moves it under a mouse.
    let pressing = format!(
        "{} && (document.querySelector('{tool}').click(), true)",
        is_seen(&tool)
    );
    page.until(&format!("({pointing}, {pressing})")).await
}

/// Chooses what stands in a message's menu.
pub(crate) async fn choose(page: &Page, text: &str, item: &str) -> Result<()> {
    let (pointing, more, item) = (point_at(text), its("more"), its(item));
    let opening = format!(
        "(!{} && document.querySelector('{more}')?.click())",
        is_seen(&item)
    );
    page.until(&format!("({pointing}, {opening}, {})", is_seen(&item)))
        .await?;
    page.click(&item).await
}

/// Two people in a new room.
pub(crate) struct Meeting {
    pub(crate) at_ada: Page,
    pub(crate) at_ben: Page,
    pub(crate) ben: String,
}

impl Meeting {
    pub(crate) async fn begin(chromium: &Chromium, chatx: &Chatx) -> Result<Self> {
        let (ada, ben) = (unique("ada"), unique("ben"));
        let at_ada = register(chromium, chatx, &ada).await?;
        let at_ben = register(chromium, chatx, &ben).await?;
        let room = unique("Tea ");
        at_ada.click(&by("begin")).await?;
        at_ada.click(&by("new-room")).await?;
        at_ada.type_into(&by("room-name"), &room).await?;
        at_ada.click(&format!("dialog {}", by("submit"))).await?;
        at_ada.until_visible(&by("message-input")).await?;
        join(&at_ben, &room).await?;
        Ok(Self {
            at_ada,
            at_ben,
            ben,
        })
    }
}
