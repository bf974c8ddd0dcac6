//! Programs among the people: bots with tokens, hooks to post through, and webhooks that carry what happens elsewhere.

use anyhow::{Context as _, Result};
use chatx_e2e::{Http, unique, unlimited};
use serde_json::json;
use testkit::{Chromium, Page, free_port};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::{
    everybody::{assert_faultless, axe},
    meeting::{Meeting, by, say},
};

/// What a read-only field shows.
async fn value(page: &Page, test_id: &str) -> Result<String> {
    page.until_visible(&by(test_id)).await?;
    let value = page
        .evaluate(&format!("document.querySelector('{}').value", by(test_id)))
        .await?;
    Ok(value.as_str().context("a field has a value")?.to_owned())
}

/// Takes one delivery and says so. Answers what it was.
async fn receive(listener: &TcpListener) -> Result<String> {
    let (mut socket, _) = listener.accept().await?;
    let mut request = Vec::new();
    while !is_whole(&request) {
        anyhow::ensure!(
            socket.read_buf(&mut request).await? > 0,
            "a request broke off"
        );
    }
    socket
        .write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        .await?;
    Ok(String::from_utf8(request)?)
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, length)| length.trim().parse().ok());
    length.is_some_and(|length: usize| body.len() >= length)
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_come_in_by_tokens_and_hooks_and_are_told_by_webhooks() -> Result<()> {
    let chatx = unlimited()
        .set("CHATX_WEBHOOK_PRIVATE_TARGETS", "on")
        .set("CHATX_WEBHOOK_RETRY_S", "1")
        .start()
        .await?;
    let chromium = Chromium::start().await?;
    let Meeting { at_ada, at_ben, .. } = Meeting::begin(&chromium, &chatx).await?;
    let room = at_ada.evaluate("location.hash.split('/')[2]").await?;
    let room = room.as_str().context("a room is open")?.to_owned();
    let http = Http::new(chatx.address());
    let axe = axe();

    // A bot, taken into the room, and its token, shown once and revoked.
    at_ada.evaluate("location.hash = '#/settings/bots'").await?;
    at_ada.click(&by("new-bot")).await?;
    at_ada
        .type_into(&by("bot-username"), &unique("tide"))
        .await?;
    at_ada.click(&format!("dialog {}", by("submit"))).await?;
    at_ada.click(&by("new-token")).await?;
    at_ada
        .type_into(&by("token-name"), "The harbour's clock")
        .await?;
    if let Some(axe) = &axe {
        assert_faultless(&at_ada, axe, "a bot").await?;
    }
    at_ada.click(&format!("dialog {}", by("submit"))).await?;
    let bot = http.with_token(value(&at_ada, "fresh-token").await?);
    at_ada.until_visible(&by("revoke-token")).await?;
    at_ada.click(&by("add-bot")).await?;
    at_ada.until_text("It is a member of").await?;
    let rooms = bot.get("/v1/users/me/rooms").await?.expect(200)?;
    assert_eq!(rooms["rooms"][0]["id"], room.as_str());
    at_ada.click(&by("revoke-token")).await?;
    at_ada.click("dialog .danger").await?;
    at_ada
        .until_text("Without a token it can do nothing.")
        .await?;
    bot.get("/v1/users/me/rooms").await?.expect(401)?;
    at_ada.press("Escape").await?;
    at_ada
        .until("document.querySelector('dialog[open]') === null")
        .await?;

    // A hook, through which a tool says something to everybody.
    at_ada
        .evaluate(&format!("location.hash = '#/manage/{room}/hooks'"))
        .await?;
    at_ada.type_into(&by("hook-name"), "Weather").await?;
    at_ada.click(&by("new-hook")).await?;
    let url = value(&at_ada, "hook-url").await?;
    let (_, path) = url.split_once("/v1/").context("it is one of the server")?;
    http.post(&format!("/v1/{path}"), json!({"text": "Wind is up"}))
        .await?
        .expect(201)?;
    at_ben.until_text("Wind is up").await?;
    at_ben.until_text("Weather").await?;

    // A webhook to where nobody is: it says that it fails, and goes on where it stood once it is told to.
    let port = free_port();
    at_ada.click(&by("section-webhooks")).await?;
    at_ada.click(&by("new-webhook")).await?;
    at_ada
        .type_into(&by("webhook-url"), &format!("http://127.0.0.1:{port}/told"))
        .await?;
    if let Some(axe) = &axe {
        assert_faultless(&at_ada, axe, "a new webhook").await?;
    }
    at_ada.click(&format!("dialog {}", by("submit"))).await?;
    at_ada.until_visible(&by("webhook-secret")).await?;
    say(&at_ben, "Reef the main").await?;
    at_ada
        .until_visible(&format!("{}[data-state=disabled]", by("webhook")))
        .await?;
    at_ada.until_text("Last error").await?;
    if let Some(axe) = &axe {
        assert_faultless(&at_ada, axe, "webhooks").await?;
    }
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    at_ada.click(&by("enable")).await?;
    assert!(receive(&listener).await?.contains("Reef the main"));
    at_ada
        .until_visible(&format!("{}[data-state=active]", by("webhook")))
        .await?;
    at_ada.until_text("Last delivered").await?;
    for page in [&at_ada, &at_ben] {
        assert_eq!(page.console(), Vec::<String>::new());
    }
    Ok(())
}
