//! What people put on messages over their sockets: those who follow the room see it, and whom a message calls.

use anyhow::Result;
use protocol::{
    ErrorCode, Role, Seq,
    events::{Event, EventKind},
    frame::{Ack, ServerFrame},
    rooms::ChangeMember,
};
use serde_json::{Value, json};

use crate::support::{Client, TestNode};

async fn acked(client: &mut Client, frame: Value) -> Result<Ack> {
    match client.ask(frame).await? {
        ServerFrame::Ack(ack) => Ok(ack),
        other => anyhow::bail!("not acked: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_a_room_sees_reactions_and_pins() -> Result<()> {
    for node in [TestNode::sqlite().await?, TestNode::postgres().await?] {
        let (ada, bob) = (node.person("ada").await?, node.person("bob").await?);
        let room = node.room(&ada, &[&bob]).await?;
        let (mut at_ada, mut at_bob) = (node.socket(&ada).await?, node.socket(&bob).await?);
        at_ada.subscribe(room).await?;
        at_bob.subscribe(room).await?;
        let seq = at_ada.send(room, "tea?").await?.seq;

        let react = json!({ "type": "react", "room": room, "seq": seq, "emoji": "🍵" });
        let ack = acked(&mut at_bob, react.clone()).await?;
        assert_eq!(
            (ack.seq, ack.target, ack.duplicate),
            (Seq(4), Some(seq), false)
        );
        let again = acked(&mut at_bob, react).await?;
        assert_eq!((again.seq, again.duplicate), (Seq(4), true));
        let pin = json!({ "type": "pin", "room": room, "seq": seq });
        assert_eq!(at_bob.refused(pin.clone()).await?, ErrorCode::Forbidden);
        assert_eq!(acked(&mut at_ada, pin).await?.seq, Seq(5));
        acked(
            &mut at_ada,
            json!({ "type": "unpin", "room": room, "seq": seq }),
        )
        .await?;
        let unreact = json!({ "type": "unreact", "room": room, "seq": seq, "emoji": "🍵" });
        assert_eq!(acked(&mut at_bob, unreact).await?.seq, Seq(7));
        let word = json!({ "type": "react", "room": room, "seq": seq, "emoji": "tea" });
        assert_eq!(at_bob.refused(word).await?, ErrorCode::ValidationFailed);

        for client in [&mut at_ada, &mut at_bob] {
            client.reach(room, Seq(7)).await?;
            let events = &client.logs[&room].events;
            let told: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
            assert_eq!(told[3..], ["react", "pin", "unpin", "unreact"]);
            let EventKind::React(reacted) = &events[3].kind else {
                panic!("{:?}", events[3])
            };
            assert_eq!((reacted.target, reacted.emoji.as_str()), (seq, "🍵"));
            assert_eq!(events, &node.log(room).await?);
        }
        node.stop().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_message_says_whom_it_calls() -> Result<()> {
    for node in [TestNode::sqlite().await?, TestNode::postgres().await?] {
        let (ada, bob) = (node.person("ada").await?, node.person("bob").await?);
        let room = node.room(&ada, &[&bob]).await?;
        let (mut at_ada, mut at_bob) = (node.socket(&ada).await?, node.socket(&bob).await?);
        at_bob.subscribe(room).await?;
        let first = at_ada.send(room, "@bob: tea?").await?.seq;
        at_ada.send(room, "`@bob` is code").await?;
        let edit = json!({ "type": "edit", "room": room, "seq": first, "body": "@room tea!" });
        acked(&mut at_ada, edit).await?;
        at_bob.reach(room, Seq(5)).await?;
        let events = &at_bob.logs[&room].events;
        assert_eq!(names(&events[2]), ["bob"]);
        assert!(names(&events[3]).is_empty());
        assert_eq!(names(&events[4]), ["room"]);
        let mine = node.app.store.my_rooms(bob.user.id).await?.remove(0);
        assert_eq!((mine.mentions, mine.room.unread), (1, Some(2)));
        node.stop().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_silenced_does_not_react() -> Result<()> {
    let node = TestNode::sqlite().await?;
    let (ada, bob) = (node.person("ada").await?, node.person("bob").await?);
    let room = node.room(&ada, &[&bob]).await?;
    let mut at_bob = node.socket(&bob).await?;
    let seq = at_bob.send(room, "tea?").await?.seq;
    let now = node.app.clock.now();
    let quiet = ChangeMember {
        role: Some(Role::Moderator),
        muted_until: Some(Some(now.after(std::time::Duration::from_secs(60)))),
    };
    node.app
        .store
        .change_member(room, ada.user.id, bob.user.id, &quiet, now)
        .await?;
    let react = json!({ "type": "react", "room": room, "seq": seq, "emoji": "🍵" });
    assert_eq!(at_bob.refused(react).await?, ErrorCode::Muted);
    node.stop().await
}

/// Whom an event says that it calls.
fn names(event: &Event) -> Vec<&str> {
    let mentions = match &event.kind {
        EventKind::Message(content) => &content.mentions,
        EventKind::Edit(edited) => &edited.mentions,
        _ => return Vec::new(),
    };
    mentions
        .iter()
        .map(|mention| mention.username.as_str())
        .collect()
}
