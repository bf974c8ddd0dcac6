//! A server that goes away under two people in their browsers: for a moment, or for good.

use std::cell::Cell;

use anyhow::{Context as _, Result, ensure};
use chatx_e2e::{Http, Person, unlimited, until_linked};
use protocol::RoomId;
use testkit::{ChatxSetup, Chromium, Ground};

use crate::meeting::{Meeting, by, say, shown};

#[tokio::test(flavor = "multi_thread")]
async fn two_people_talk_reload_and_outlive_a_restart() -> Result<()> {
    let mut chatx = unlimited().start().await?;
    let chromium = Chromium::start().await?;
    let Meeting {
        at_ada,
        at_ben,
        ben,
    } = Meeting::begin(&chromium, &chatx).await?;

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

/// A node that serves everything.
fn node(ground: &Ground, name: &str) -> ChatxSetup {
    ground.node("serve", name).set("CHATX_DRAIN_S", "4")
}

/// So many messages are drawn at least, of however many there are.
const LAST: usize = 10;

/// Remembers every state of the connection that the page shows from here on.
const WATCH: &str = "
    const status = document.querySelector('[data-testid=connection-status]');
    window.seen = [status.dataset.state];
    new MutationObserver(() => window.seen.push(status.dataset.state)).observe(status, { attributes: true });
";

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_while_their_node_goes_for_good_does_not_notice() -> Result<()> {
    let ground = Ground::new().await?;
    let mut here = node(&ground, "a").start().await?;
    let chromium = Chromium::start().await?;
    let Meeting { at_ada, at_ben, .. } = Meeting::begin(&chromium, &here).await?;
    let there = node(&ground, "b")
        .set("CHATX_ORIGINS", here.url())
        .start()
        .await?;
    until_linked(&here).await?;
    let path = at_ada.evaluate("location.hash").await?;
    let room = path.as_str().and_then(|path| path.strip_prefix("#/room/"));
    let room: RoomId = room.context("a room is open")?.parse()?;
    let eve = Person::register(&Http::new(there.address()), "eve").await?;
    eve.join(room).await?;

    for page in [&at_ada, &at_ben] {
        page.evaluate(WATCH).await?;
    }
    let is_gone = Cell::new(false);
    let going = async {
        let status = here.terminate().await;
        is_gone.set(true);
        status
    };
    let talking = async {
        let mut said = Vec::new();
        while !is_gone.get() {
            let page = if said.len() % 3 == 0 {
                &at_ben
            } else {
                &at_ada
            };
            let text = format!("line {}", said.len());
            say(page, &text).await?;
            said.push(text);
        }
        anyhow::Ok(said)
    };
    let (status, said) = tokio::join!(going, talking);
    let (status, mut said) = (status?, said?);
    ensure!(status.success(), "{status}");
    for turn in 0..5 {
        let text = format!("afterwards {turn}");
        say(&at_ada, &text).await?;
        said.push(text);
    }

    let mut views = Vec::new();
    for page in [&at_ada, &at_ben] {
        page.until_text("afterwards 4").await?;
        page.until("document.querySelector('[data-testid=message]:not([data-seq])') === null")
            .await?;
        let seen = page.evaluate("[...new Set(window.seen)]").await?;
        assert_eq!(seen, serde_json::json!(["live"]));
        // The page's own server is the one that is gone, so what it asks of it over HTTP by then is refused.
        let is_refused = |line: &String| {
            line.contains("net::ERR_CONNECTION_REFUSED") && line.contains(&here.url())
        };
        let mut console = page.console();
        console.retain(|line| !is_refused(line));
        assert_eq!(console, Vec::<String>::new());
        views.push(shown(page, LAST).await?);
    }
    let history = eve.history(room).await?;
    let stored: Vec<_> = history
        .iter()
        .map(|message| &*message.content.body)
        .collect();
    for view in &views {
        let view = view.as_array().context("a list")?;
        let last = serde_json::json!(stored[stored.len() - LAST..]);
        let seen = serde_json::json!(view[view.len() - LAST..]);
        assert_eq!(seen, last, "they see what is stored, in its order");
    }
    let mut once = stored.clone();
    once.sort_unstable();
    said.sort_unstable();
    assert_eq!(once, said, "each is stored once");
    Ok(())
}
