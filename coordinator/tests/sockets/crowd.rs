//! Many at once: one who does not read delays nobody, and misses nothing in the end.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use protocol::{RoomId, Seq};
use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Client, Person, TestNode};

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_delays_nobody_and_misses_nothing() -> Result<()> {
    let node = TestNode::sqlite().await?;
    let (ada, bob) = (node.person("ada").await?, node.person("bob").await?);
    let room = node.room(&ada, &[&bob]).await?;
    let mut slow = Client::connect_narrow(node.address, &bob.token).await?;
    slow.subscribe(room).await?;
    let mut at_ada = node.socket(&ada).await?;
    at_ada.subscribe(room).await?;

    // Far more than the kernel and the outbox hold for one socket.
    let text = "x".repeat(8_000);
    let mut head = Seq(2);
    while head < Seq(1_502) {
        head = at_ada.send(room, &text).await?.seq;
    }
    at_ada.reach(room, head).await?;
    assert_eq!(slow.logs[&room].last, Seq(2), "nothing was read yet");

    slow.reach(room, head).await?;
    assert_eq!(slow.logs[&room].events, node.log(room).await?);
    // From here on it is as live as everybody.
    let last = at_ada.send(room, "are you there").await?.seq;
    slow.reach(room, last).await?;
    slow.send(room, "yes").await?;
    at_ada.reach(room, last.next()).await?;
    node.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_crowd_of_600_who_does_not_read_delays_nobody_and_misses_nothing() -> Result<()> {
    let node = TestNode::sqlite().await?;
    let (ada, bob) = (node.person("ada").await?, node.person("bob").await?);
    let room = node.room(&ada, &[&bob]).await?;
    let mut slow = Client::connect_narrow(node.address, &bob.token).await?;
    slow.subscribe(room).await?;
    let mut crowd = Vec::new();
    for _ in 0..600 {
        let mut client = node.socket(&bob).await?;
        client.subscribe(room).await?;
        crowd.push(client);
    }
    let mut at_ada = node.socket(&ada).await?;
    at_ada.subscribe(room).await?;

    let head = Seq(2 + 120);
    let mut readers = JoinSet::new();
    let mut exact = crowd.split_off(580);
    for mut client in crowd {
        readers.spawn(async move { client.let_pass(head, room).await });
    }
    // As large as bodies are: more than the kernel and the outbox hold for one socket.
    let text = "𝄞".repeat(8_000);
    for _ in 0..120 {
        at_ada.send(room, &text).await?;
    }
    for client in &mut exact {
        client.reach(room, head).await?;
    }
    while let Some(reader) = readers.join_next().await {
        reader??;
    }
    assert_eq!(slow.logs[&room].last, Seq(2), "nothing was read yet");
    slow.reach(room, head).await?;
    let log = node.log(room).await?;
    assert_eq!(slow.logs[&room].events, log);
    for client in exact {
        assert_eq!(client.logs[&room].events, log);
    }
    node.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_keeps_nobody_from_the_store() -> Result<()> {
    let node = TestNode::sqlite().await?;
    let (ada, bob) = (node.person("ada").await?, node.person("bob").await?);
    let mut rooms = Vec::new();
    for _ in 0..30 {
        let room = node.room(&ada, &[&bob]).await?;
        for _ in 0..9 {
            bob.append(&node.app.store, room, &"𝄞".repeat(8_000))
                .await?;
        }
        rooms.push(room);
    }
    // What they ask for is more than the kernel holds for them, so most of it waits at the server.
    let mut silent = Vec::new();
    for _ in 0..6 {
        let mut client = Client::connect_narrow(node.address, &bob.token).await?;
        for room in &rooms {
            client
                .say(json!({ "type": "subscribe", "room": room, "after": 0 }))
                .await?;
        }
        silent.push(client);
    }
    let mut at_ada = node.socket(&ada).await?;
    for turn in 0..150 {
        let room = rooms[turn % rooms.len()];
        at_ada
            .result(json!({ "type": "history", "room": room, "limit": 1 }))
            .await?;
        sleep(Duration::from_millis(20)).await;
    }
    // They get what they asked for as soon as they read.
    for mut client in silent {
        for room in &rooms {
            client.reach(*room, Seq(11)).await?;
        }
    }
    node.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_and_does_not_read_is_not_listened_to() -> Result<()> {
    let node = TestNode::sqlite().await?;
    let ada = node.person("ada").await?;
    let room = node.room(&ada, &[]).await?;
    for _ in 0..50 {
        ada.append(&node.app.store, room, &"x".repeat(8_000))
            .await?;
    }
    let mut greedy = Client::connect_narrow(node.address, &ada.token).await?;
    // Each answer is as large as a frame may be; the questions meet a socket that is full sooner or later.
    let question = format!(r#"{{"type":"history","room":"{room}","limit":200}}"#);
    let begun = Instant::now();
    let mut asked = 0;
    while begun.elapsed() < Duration::from_secs(20) {
        let ask = timeout(Duration::from_secs(2), greedy.say_raw(&question)).await;
        match ask {
            Ok(said) => said?,
            // The server reads no more: that is what keeps its memory bounded.
            Err(_) => return node.stop().await,
        }
        asked += 1;
    }
    panic!("{asked} questions were taken from somebody who reads no answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_pings_and_does_not_read_is_not_listened_to() -> Result<()> {
    let node = TestNode::sqlite().await?;
    let ada = node.person("ada").await?;
    let mut greedy = Client::connect_narrow(node.address, &ada.token).await?;
    let ping = Message::Ping(vec![0; 125].into());
    // More than the kernel holds on both ways, and the pongs that may wait.
    for _ in 0..400_000 {
        let ask = timeout(Duration::from_secs(2), greedy.say_message(ping.clone())).await;
        match ask {
            Ok(said) => said?,
            Err(_) => return node.stop().await,
        }
    }
    panic!("as many pings were taken from somebody who reads no pongs");
}

#[tokio::test(flavor = "multi_thread")]
async fn coming_and_going_without_a_pause_blocks_nothing() -> Result<()> {
    const PEOPLE: usize = 16;
    const ROUNDS: usize = 12;
    let node = Arc::new(TestNode::sqlite().await?);
    let ada = node.person("ada").await?;
    let room = node.room(&ada, &[]).await?;
    let mut crowd = JoinSet::new();
    for number in 0..PEOPLE {
        let person = node.person(&format!("person{number}")).await?;
        let node = Arc::clone(&node);
        crowd.spawn(async move {
            for round in 0..ROUNDS {
                come_and_go(&node, &person, room, round).await?;
            }
            anyhow::Ok(())
        });
    }
    for came in crowd.join_all().await {
        came?;
    }
    // Of each round: a join, a message, and in two of three a leave.
    let log = node.log(room).await?;
    let mut last = node.socket(&ada).await?;
    last.subscribe_with(json!({ "type": "subscribe", "room": room, "limit": 200 }))
        .await?;
    last.reach(room, log.last().expect("there are some").seq)
        .await?;
    let kept = &log[log.len() - last.logs[&room].events.len()..];
    assert_eq!(last.logs[&room].events, kept);
    node.stop().await
}

async fn come_and_go(node: &TestNode, person: &Person, room: RoomId, round: usize) -> Result<()> {
    let mut client = node.socket(person).await?;
    client
        .result(json!({ "type": "join", "room": room }))
        .await?;
    client.subscribe(room).await?;
    let sent = client.send(room, &format!("round {round}")).await?;
    client.reach(room, sent.seq).await?;
    match round % 3 {
        0 => client
            .result(json!({ "type": "leave", "room": room }))
            .await
            .map(drop)?,
        1 => {
            client.say(json!({ "type": "leave", "room": room })).await?;
            while client.logs[&room].ended.is_none() {
                client.next().await?;
            }
        }
        _ => {}
    }
    client.vanish();
    Ok(())
}
