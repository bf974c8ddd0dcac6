//! Who is here: nobody stays behind as a ghost, and nothing of it reaches the log.

use std::time::Duration;

use anyhow::Result;
use protocol::frame::{PresenceState, ServerFrame};
use serde_json::json;
use tokio::time::timeout;

use crate::support::{Client, Person, TestNode};

async fn seen(client: &mut Client, of: &Person) -> Result<PresenceState> {
    let presence = client.until(|frame| match frame {
        ServerFrame::Presence(presence) if presence.user.id == of.user.id => Some(presence.state),
        _ => None,
    });
    presence.await
}

/// Waits until the whole server sees somebody so.
async fn everywhere(node: &TestNode, person: &Person, wanted: PresenceState) -> Result<()> {
    let users = [person.user.id];
    let is_seen = async || {
        let states = node.app.presence.states(&users).await;
        states
            .get(&person.user.id)
            .copied()
            .unwrap_or(PresenceState::Offline)
            == wanted
    };
    let seen = async {
        while !is_seen().await {
            tokio::task::yield_now().await;
        }
    };
    Ok(timeout(Duration::from_secs(15), seen).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_vanishes_leaves_no_ghost() -> Result<()> {
    let node = TestNode::sqlite().await?;
    let (ada, bob) = (node.person("ada").await?, node.person("bob").await?);
    let room = node.room(&ada, &[&bob]).await?;
    let mut at_ada = node.socket(&ada).await?;
    at_ada.subscribe(room).await?;
    let (mut first, mut second) = (node.socket(&bob).await?, node.socket(&bob).await?);
    first.subscribe(room).await?;
    assert_eq!(seen(&mut at_ada, &bob).await?, PresenceState::Online);
    second.subscribe(room).await?;
    first
        .say(json!({ "type": "presence", "state": "away" }))
        .await?;
    second
        .say(json!({ "type": "presence", "state": "invisible" }))
        .await?;
    assert_eq!(seen(&mut at_ada, &bob).await?, PresenceState::Away);
    first.vanish();
    assert_eq!(
        seen(&mut at_ada, &bob).await?,
        PresenceState::Offline,
        "only the invisible one is left"
    );
    second
        .say(json!({ "type": "presence", "state": "online" }))
        .await?;
    assert_eq!(seen(&mut at_ada, &bob).await?, PresenceState::Online);
    everywhere(&node, &bob, PresenceState::Online).await?;

    second.vanish();
    let gone = timeout(Duration::from_secs(15), seen(&mut at_ada, &bob)).await??;
    assert_eq!(gone, PresenceState::Offline);
    let mut late = node.socket(&ada).await?;
    assert_eq!(late.subscribe(room).await?.online.count, 1);
    everywhere(&node, &bob, PresenceState::Offline).await?;
    assert_eq!(
        node.log(room).await?.len(),
        2,
        "coming and going are no events"
    );
    node.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn typing_ends_by_itself() -> Result<()> {
    let node = TestNode::sqlite().await?;
    let (ada, bob) = (node.person("ada").await?, node.person("bob").await?);
    let room = node.room(&ada, &[&bob]).await?;
    let (mut at_ada, mut at_bob) = (node.socket(&ada).await?, node.socket(&bob).await?);
    at_ada.subscribe(room).await?;
    at_bob.subscribe(room).await?;
    at_bob
        .say(json!({ "type": "typing", "room": room, "on": true }))
        .await?;
    for wanted in [true, false] {
        let typing = at_ada.until(|frame| match frame {
            ServerFrame::Typing(typing) => Some((typing.user.id, typing.on)),
            _ => None,
        });
        assert_eq!(typing.await?, (bob.user.id, wanted));
    }
    node.stop().await
}
