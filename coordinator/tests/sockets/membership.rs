//! Who is put out of a room gets the event of it, the room's last frame, and nothing more; what they
//! send is not taken any more.

use anyhow::Result;
use protocol::{
    ErrorCode, Limits, Parse, RoomId, Seq,
    events::EventKind,
    frame::{ServerFrame, UnsubscribeReason},
    rooms::{ChangeRoom, ChangeRoomBody, NewBan},
};
use serde_json::json;
use shared::{rooms, store::As};

use crate::support::{Client, Log, Person, TestNode};

/// Reads until the room's last frame.
async fn ended(client: &mut Client, room: RoomId) -> Result<Log> {
    while client.logs[&room].ended.is_none() {
        client.next().await?;
    }
    Ok(client.logs[&room].clone())
}

struct Scene {
    node: TestNode,
    ada: Person,
    bob: Person,
    room: RoomId,
    at_ada: Client,
    at_bob: Client,
}

async fn scene() -> Result<Scene> {
    let node = TestNode::sqlite().await?;
    let (ada, bob) = (node.person("ada").await?, node.person("bob").await?);
    let room = node.room(&ada, &[&bob]).await?;
    let (mut at_ada, mut at_bob) = (node.socket(&ada).await?, node.socket(&bob).await?);
    at_ada.subscribe(room).await?;
    at_bob.subscribe(room).await?;
    Ok(Scene {
        node,
        ada,
        bob,
        room,
        at_ada,
        at_bob,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kick_stops_delivery_at_its_place() -> Result<()> {
    let Scene {
        node,
        ada,
        bob,
        room,
        mut at_ada,
        mut at_bob,
    } = scene().await?;
    // Messages come without a pause while it happens, and from the kicked one too.
    for number in 0..100 {
        let frame = |who| json!({ "type": "send", "room": room, "client_id": format!("{who}{number}"), "body": "x" });
        at_ada.say(frame("a")).await?;
        at_bob.say(frame("b")).await?;
        if number == 50 {
            rooms::kick(&node.app, &ada.caller(), room, bob.user.id).await?;
        }
    }
    let last = at_ada.send(room, "the last").await?.seq;
    at_ada.reach(room, last).await?;

    let heard = ended(&mut at_bob, room).await?;
    assert_eq!(heard.ended, Some(UnsubscribeReason::Kicked));
    let Some(EventKind::Kick(kick)) = heard.events.last().map(|event| &event.kind) else {
        panic!("the last is {:?}", heard.events.last());
    };
    assert_eq!(kick.member.id, bob.user.id);
    let log = node.log(room).await?;
    assert_eq!(at_ada.logs[&room].events, log);
    let after = log.iter().filter(|event| event.seq > heard.last);
    assert!(after.clone().count() > 0 && after.clone().all(|event| event.user.id == ada.user.id));
    // The client itself fails if anything of the room comes after its last frame.
    at_bob.ask(json!({ "type": "ping" })).await?;
    let frame = json!({ "type": "send", "room": room, "client_id": "later", "body": "x" });
    assert_eq!(at_bob.refused(frame).await?, ErrorCode::NotAMember);
    assert_eq!(
        at_bob
            .refused(json!({ "type": "subscribe", "room": room }))
            .await?,
        ErrorCode::NotAMember
    );
    node.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_put_out_while_far_behind_hears_nothing_of_what_comes_after() -> Result<()> {
    let Scene {
        node,
        ada,
        bob,
        room,
        mut at_ada,
        ..
    } = scene().await?;
    let mut slow = Client::connect_narrow(node.address, &bob.token).await?;
    slow.subscribe(room).await?;
    let text = "x".repeat(8_000);
    let mut head = Seq(2);
    while head < Seq(1_202) {
        head = at_ada.send(room, &text).await?.seq;
    }
    let kick = rooms::kick(&node.app, &ada.caller(), room, bob.user.id).await?;
    at_ada.reach(room, kick.seq).await?;
    let mut second = node.socket(&ada).await?;
    second.subscribe(room).await?;
    at_ada
        .say(json!({ "type": "typing", "room": room, "on": true }))
        .await?;
    second
        .until(|frame| matches!(frame, ServerFrame::Typing(_)).then_some(()))
        .await?;
    while slow.logs[&room].ended.is_none() {
        let frame = slow.next().await?;
        assert!(!matches!(frame, ServerFrame::Typing(_)), "{frame:?}");
    }
    assert_eq!(slow.logs[&room].last, kick.seq);
    node.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_left_and_came_back_is_not_put_out_by_what_is_past() -> Result<()> {
    let Scene {
        node,
        bob,
        room,
        mut at_bob,
        ..
    } = scene().await?;
    for _ in 0..12 {
        bob.append(&node.app.store, room, &"𝄞".repeat(8_000))
            .await?;
    }
    for what in ["leave", "join"] {
        at_bob.result(json!({ "type": what, "room": room })).await?;
    }
    // The frame holds no more than some of the messages; the leave comes after it.
    let mut later = node.socket(&bob).await?;
    let subscribed = later.subscribe(room).await?;
    assert!(subscribed.events.len() < 12);
    later.reach(room, Seq(16)).await?;
    bob.append(&node.app.store, room, "here again").await?;
    later.reach(room, Seq(17)).await?;
    assert_eq!(later.logs[&room].ended, None);
    node.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_and_a_leave_end_the_room_for_one() -> Result<()> {
    let Scene {
        node,
        ada,
        bob,
        room,
        mut at_ada,
        mut at_bob,
    } = scene().await?;
    let mut second = node.socket(&bob).await?;
    second.subscribe(room).await?;
    at_bob
        .result(json!({ "type": "leave", "room": room }))
        .await?;
    for client in [&mut at_bob, &mut second] {
        let heard = ended(client, room).await?;
        assert_eq!(
            (heard.ended, heard.last),
            (Some(UnsubscribeReason::Left), Seq(3))
        );
    }
    at_bob
        .result(json!({ "type": "join", "room": room }))
        .await?;
    at_bob.subscribe(room).await?;
    rooms::ban(
        &node.app,
        &ada.caller(),
        room,
        bob.user.id,
        &NewBan::default(),
    )
    .await?;
    let heard = ended(&mut at_bob, room).await?;
    assert_eq!(
        (heard.ended, heard.last),
        (Some(UnsubscribeReason::Banned), Seq(5))
    );
    assert_eq!(
        at_bob
            .refused(json!({ "type": "join", "room": room }))
            .await?,
        ErrorCode::Banned
    );
    at_ada.reach(room, Seq(5)).await?;
    assert_eq!(at_ada.logs[&room].ended, None);
    node.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_ends_the_room_for_all() -> Result<()> {
    let Scene {
        node,
        ada,
        room,
        mut at_ada,
        mut at_bob,
        ..
    } = scene().await?;
    let body = ChangeRoomBody {
        archived: Some(true),
        ..ChangeRoomBody::default()
    };
    let wish = ChangeRoom::parse(body, &Limits::default()).expect("it is valid");
    rooms::change(&node.app, &ada.caller(), room, &wish).await?;
    for client in [&mut at_ada, &mut at_bob] {
        let heard = ended(client, room).await?;
        assert_eq!(
            (heard.ended, heard.last),
            (Some(UnsubscribeReason::Archived), Seq(3))
        );
    }
    let frame = json!({ "type": "send", "room": room, "client_id": "later", "body": "x" });
    assert_eq!(at_bob.refused(frame).await?, ErrorCode::Archived);
    node.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_write_arrives_without_a_hint() -> Result<()> {
    let Scene {
        node,
        bob,
        room,
        mut at_ada,
        mut at_bob,
        ..
    } = scene().await?;
    let elsewhere = node.another_store().await?;
    bob.append(&elsewhere, room, "from elsewhere").await?;
    // Also the place between theirs is not skipped.
    at_ada.send(room, "from here").await?;
    for client in [&mut at_ada, &mut at_bob] {
        client.reach(room, Seq(4)).await?;
    }
    bob.append(&elsewhere, room, "and again").await?;
    for client in [&mut at_ada, &mut at_bob] {
        client.reach(room, Seq(5)).await?;
        assert_eq!(client.logs[&room].events, node.log(room).await?);
    }
    node.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_room_ends_without_a_hint() -> Result<()> {
    let Scene {
        node,
        ada,
        room,
        mut at_ada,
        mut at_bob,
        ..
    } = scene().await?;
    let elsewhere = node.another_store().await?;
    elsewhere
        .delete_room(room, (ada.user.id, As::Owner), None, node.app.clock.now())
        .await?;
    for client in [&mut at_ada, &mut at_bob] {
        assert_eq!(
            ended(client, room).await?.ended,
            Some(UnsubscribeReason::Deleted)
        );
    }
    node.stop().await
}
