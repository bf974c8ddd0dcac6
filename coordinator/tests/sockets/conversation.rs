//! People talk: what one sends, all who follow the room get, and the sender learns that it is stored.

use anyhow::Result;
use protocol::{
    ErrorCode, Seq,
    events::EventKind,
    frame::{PresenceState, ServerFrame, UnsubscribeReason},
};
use serde_json::json;

use crate::support::TestNode;

#[tokio::test(flavor = "multi_thread")]
async fn two_people_talk() -> Result<()> {
    let node = TestNode::sqlite().await?;
    let (ada, bob) = (node.person("ada").await?, node.person("bob").await?);
    let room = node.room(&ada, &[&bob]).await?;
    let (mut at_ada, mut at_bob) = (node.socket(&ada).await?, node.socket(&bob).await?);
    assert_eq!(at_ada.ready.user, ada.user);
    at_ada.subscribe(room).await?;
    let subscribed = at_bob.subscribe(room).await?;
    assert_eq!(
        (subscribed.head, subscribed.first, subscribed.reset),
        (Seq(2), Seq(1), false)
    );
    assert_eq!(subscribed.online.count, 2);

    let ack = at_ada.send(room, "good morning").await?;
    assert_eq!((ack.seq, ack.duplicate), (Seq(3), false));
    at_bob.send(room, "hello").await?;
    for client in [&mut at_ada, &mut at_bob] {
        client.reach(room, Seq(4)).await?;
        assert_eq!(client.logs[&room].texts(), ["good morning", "hello"]);
    }
    assert_eq!(at_ada.logs[&room].events, node.log(room).await?);
    assert_eq!(at_bob.logs[&room].events, node.log(room).await?);
    node.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resend_is_stored_once() -> Result<()> {
    let node = TestNode::sqlite().await?;
    let ada = node.person("ada").await?;
    let room = node.room(&ada, &[]).await?;
    let mut client = node.socket(&ada).await?;
    client.subscribe(room).await?;
    let first = client.send_as(room, "once", "the same").await?;
    let again = client.send_as(room, "once", "the same").await?;
    assert_eq!(
        (again.seq, again.at, again.duplicate),
        (first.seq, first.at, true)
    );
    let mut elsewhere = node.socket(&ada).await?;
    assert!(elsewhere.send_as(room, "once", "the same").await?.duplicate);
    client.send(room, "after").await?;
    client.reach(room, Seq(3)).await?;
    assert_eq!(client.logs[&room].texts(), ["once", "after"]);
    assert_eq!(node.log(room).await?.len(), 3);
    node.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_of_one_socket_keep_their_order_and_hold_nothing_up() -> Result<()> {
    let node = TestNode::sqlite().await?;
    let ada = node.person("ada").await?;
    let room = node.room(&ada, &[]).await?;
    let mut client = node.socket(&ada).await?;
    // The room is not followed: sending does not need it.
    for number in 0..200 {
        let text = number.to_string();
        client
            .say(json!({ "type": "send", "room": room, "client_id": text, "body": text }))
            .await?;
    }
    assert!(matches!(
        client.ask(json!({ "type": "ping" })).await?,
        ServerFrame::Pong(_)
    ));
    let (mut acks, mut expected) = (Vec::new(), Vec::new());
    client.subscribe(room).await?;
    client.reach(room, Seq(201)).await?;
    for number in 0..200_u64 {
        acks.push(number.to_string());
        expected.push(Seq(number + 2));
    }
    assert_eq!(client.logs[&room].texts(), acks);
    node.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_else_that_a_socket_may_ask() -> Result<()> {
    let node = TestNode::sqlite().await?;
    let (ada, bob) = (node.person("ada").await?, node.person("bob").await?);
    let (mut at_ada, mut at_bob) = (node.socket(&ada).await?, node.socket(&bob).await?);

    let created = at_ada
        .result(json!({ "type": "create_room", "name": "Tea" }))
        .await?;
    let room = created["id"].as_str().expect("a room has an id").parse()?;
    assert_eq!(
        at_bob
            .refused(json!({ "type": "subscribe", "room": room }))
            .await?,
        ErrorCode::NotAMember
    );
    let listed = at_bob
        .result(json!({ "type": "list_rooms", "query": "te" }))
        .await?;
    assert_eq!(listed["rooms"][0]["name"], "Tea");
    at_ada.subscribe(room).await?;
    let member = at_bob
        .result(json!({ "type": "join", "room": room }))
        .await?;
    assert_eq!(member["user"]["username"], "bob");
    at_bob.subscribe(room).await?;
    at_ada.reach(room, Seq(2)).await?;
    assert_eq!(at_ada.logs[&room].events[1].kind, EventKind::Join);

    let sent = at_ada.send(room, "draft").await?;
    let edited = at_ada
        .ask(json!({ "type": "edit", "room": room, "seq": sent.seq, "body": "final" }))
        .await?;
    let ServerFrame::Ack(edited) = edited else {
        panic!("{edited:?}")
    };
    assert_eq!((edited.seq, edited.target), (Seq(4), Some(sent.seq)));
    let theirs = json!({ "type": "edit", "room": room, "seq": sent.seq, "body": "mine" });
    assert_eq!(at_bob.refused(theirs).await?, ErrorCode::Forbidden);
    let history = at_bob
        .result(json!({ "type": "history", "room": room }))
        .await?;
    assert_eq!(history["messages"][0]["body"], "final");
    let deleted = at_ada
        .ask(json!({ "type": "delete", "room": room, "seq": sent.seq }))
        .await?;
    assert!(matches!(deleted, ServerFrame::Ack(ack) if ack.target == Some(sent.seq)));
    let members = at_bob
        .result(json!({ "type": "members", "room": room }))
        .await?;
    assert_eq!(members["members"].as_array().map(Vec::len), Some(2));

    at_ada
        .say(json!({ "type": "typing", "room": room, "on": true }))
        .await?;
    let typing = at_bob.until(|frame| match frame {
        ServerFrame::Typing(typing) => Some(typing),
        _ => None,
    });
    let typing = typing.await?;
    assert_eq!((typing.user.id, typing.on), (ada.user.id, true));
    at_ada
        .say(json!({ "type": "read", "room": room, "seq": 99 }))
        .await?;
    let read = at_bob.until(|frame| match frame {
        ServerFrame::Read(read) => Some(read),
        _ => None,
    });
    let read = read.await?;
    assert_eq!((read.user, read.seq), (ada.user.id, Seq(5)));
    at_ada
        .say(json!({ "type": "presence", "state": "dnd" }))
        .await?;
    let seen = at_bob.until(|frame| match frame {
        ServerFrame::Presence(presence) if presence.user.id == ada.user.id => Some(presence.state),
        _ => None,
    });
    assert_eq!(seen.await?, PresenceState::Dnd);

    let pong = at_bob.ask(json!({ "type": "ping" })).await?;
    let ServerFrame::Pong(pong) = pong else {
        panic!("{pong:?}")
    };
    assert_eq!(pong.heads[&room], Seq(5));
    at_bob
        .result(json!({ "type": "unsubscribe", "room": room }))
        .await?;
    at_ada
        .result(json!({ "type": "delete_room", "room": room }))
        .await?;
    while at_ada.logs[&room].ended.is_none() {
        at_ada.next().await?;
    }
    assert_eq!(at_ada.logs[&room].ended, Some(UnsubscribeReason::Deleted));
    assert!(at_bob.logs[&room].ended.is_none());
    assert_eq!(
        at_bob
            .refused(json!({ "type": "subscribe", "room": room }))
            .await?,
        ErrorCode::RoomNotFound
    );
    node.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_mark_is_kept() -> Result<()> {
    let node = TestNode::sqlite().await?;
    let (ada, bob) = (node.person("ada").await?, node.person("bob").await?);
    let room = node.room(&ada, &[&bob]).await?;
    let mut client = node.socket(&ada).await?;
    client.subscribe(room).await?;
    for number in 0..3 {
        bob.append(&node.app.store, room, &number.to_string())
            .await?;
    }
    client.reach(room, Seq(5)).await?;
    client
        .say(json!({ "type": "read", "room": room, "seq": 4 }))
        .await?;
    client.ask(json!({ "type": "ping" })).await?;
    // The drain stores what is gathered, at the latest.
    node.stop().await?;
    let mine = node.another_store().await?.my_rooms(ada.user.id).await?;
    assert_eq!((mine[0].read, mine[0].room.unread), (Seq(4), Some(1)));
    Ok(())
}
