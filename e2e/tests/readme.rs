//! The first conversation of the README, taken from there word by word.

use anyhow::{Context as _, Result};
use chatx_e2e::{Http, Socket};
use protocol::{Seq, events::EventKind, frame::ServerFrame};
use serde_json::Value;
use testkit::Chatx;

const README: &str = include_str!("../../README.md");

/// Path and body of every `post` in the shell blocks.
fn posts() -> impl Iterator<Item = (String, Value)> {
    README.lines().filter_map(|line| {
        let (_, call) = line.split_once("post /")?;
        let (path, rest) = call.split_once(" '")?;
        let (body, _) = rest.split_once('\'')?;
        Some((format!("/{path}"), serde_json::from_str(body).ok()?))
    })
}

/// The frames of the JSON block, with the room's real id.
fn frames(room: &str) -> Result<Vec<Value>> {
    let (_, after) = README
        .split_once("```json\n")
        .context("a block of frames")?;
    let (block, _) = after.split_once("```").context("its end")?;
    block
        .lines()
        .map(|line| Ok(serde_json::from_str(&line.replace("01a2…", room))?))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_conversation_goes_as_the_readme_says() -> Result<()> {
    // As anybody meets it: with every rate limit on.
    let chatx = Chatx::serve().start().await?;
    let mut http = Http::new(chatx.address());
    let mut room = String::new();
    let mut socket = None;
    for (path, body) in posts() {
        let path = path.replace("$ROOM", &room);
        let answer = http.post(&path, body).await?.expect(201)?;
        let text = |name: &str| {
            answer[name]
                .as_str()
                .with_context(|| format!("{path}: no {name}"))
        };
        match path.as_str() {
            "/v1/auth/register" => http = http.with_token(text("access_token")?),
            "/v1/rooms" => text("id")?.clone_into(&mut room),
            "/v1/socket" => {
                let url = format!("{}?ticket={}", text("url")?, text("ticket")?);
                socket = Some(Socket::open(chatx_e2e::request(&url)?).await?);
            }
            _ => assert_eq!(answer["body"], "Milk first?"),
        }
    }
    let history = http
        .get(&format!("/v1/rooms/{room}/messages"))
        .await?
        .expect(200)?;
    assert_eq!(history["messages"][0]["body"], "Milk first?");

    let mut socket = socket.context("the README opens a socket")?;
    let [subscribe, send] = frames(&room)?.try_into().ok().context("two frames")?;
    let answer = socket.ask(&subscribe).await?;
    assert!(
        matches!(&answer, ServerFrame::Subscribed(room) if room.head == Seq(2)),
        "{answer:?}"
    );
    let answer = socket.ask(&send).await?;
    assert!(
        matches!(&answer, ServerFrame::Ack(ack) if ack.seq == Seq(3) && !ack.duplicate),
        "{answer:?}"
    );
    let again = socket.ask(&send).await?;
    assert!(
        matches!(&again, ServerFrame::Ack(ack) if ack.seq == Seq(3) && ack.duplicate),
        "{again:?}"
    );
    let event = socket.event().await?;
    let EventKind::Message(content) = event.kind else {
        panic!("{event:?}")
    };
    assert_eq!(content.body, "On a socket, too.");
    Ok(())
}
