//! Two people in two browsers, and a server that goes away for a moment.

use anyhow::Result;
use chatx_e2e::{unique, unlimited};
use testkit::{Chatx, Chromium, Page};

fn by(test_id: &str) -> String {
    format!("[data-testid={test_id}]")
}

async fn register(chromium: &Chromium, chatx: &Chatx, username: &str) -> Result<Page> {
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

async fn say(page: &Page, text: &str) -> Result<()> {
    page.type_into(&by("message-input"), text).await?;
    page.press("Enter").await
}

/// The messages that a page shows, from the top, once there are `count`.
async fn shown(page: &Page, count: usize) -> Result<serde_json::Value> {
    let bodies = format!(
        "[...document.querySelectorAll('{}')].map(line => line.textContent)",
        by("message-body")
    );
    page.until(&format!("{bodies}.length >= {count}")).await?;
    page.evaluate(&bodies).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_talk_reload_and_outlive_a_restart() -> Result<()> {
    let mut chatx = unlimited().start().await?;
    let chromium = Chromium::start().await?;
    let (ada, ben) = (unique("ada"), unique("ben"));
    let at_ada = register(&chromium, &chatx, &ada).await?;
    let at_ben = register(&chromium, &chatx, &ben).await?;

    let room = unique("Tea ");
    at_ada.click(&by("create-room")).await?;
    at_ada.type_into(&by("room-name"), &room).await?;
    at_ada.click(&format!("dialog {}", by("submit"))).await?;
    at_ada.until_visible(&by("message-input")).await?;
    at_ben.click(&by("discover")).await?;
    at_ben.until_text(&room).await?;
    at_ben.click(&by("join")).await?;
    at_ben.until_visible(&by("message-input")).await?;

    say(&at_ada, "Milk first?").await?;
    at_ben.until_text("Milk first?").await?;
    say(&at_ben, "Never <b>ever</b>").await?;
    let both = serde_json::json!(["Milk first?", "Never <b>ever</b>"]);
    assert_eq!(shown(&at_ada, 2).await?, both);
    assert_eq!(shown(&at_ben, 2).await?, both);
    let presence = format!("[data-testid=member][data-user={ben}][data-state=online]");
    at_ada.until_visible(&presence).await?;
    at_ada.reload().await?;
    assert_eq!(shown(&at_ada, 2).await?, both, "a reload keeps the history");
    for page in [&at_ada, &at_ben] {
        assert_eq!(page.console(), Vec::<String>::new());
    }

    chatx.terminate().await?;
    let is_away = format!(
        "document.querySelector('{}[data-state=waiting]') !== null",
        by("connection-status")
    );
    at_ben.until(&is_away).await?;
    say(&at_ben, "Is anybody there?").await?;
    chatx.restart().await?;
    say(&at_ada, "I was only making tea").await?;
    let all = [
        "Milk first?",
        "Never <b>ever</b>",
        "Is anybody there?",
        "I was only making tea",
    ];
    let mut views = Vec::new();
    for page in [&at_ada, &at_ben] {
        page.until("document.querySelectorAll('[data-testid=message][data-seq]').length === 4")
            .await?;
        views.push(shown(page, 4).await?);
    }
    assert_eq!(views[0], views[1], "both see the same order");
    for text in all {
        let times = views[0]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|body| *body == text)
            .count();
        assert_eq!(times, 1, "{text}: {views:?}");
    }
    Ok(())
}
