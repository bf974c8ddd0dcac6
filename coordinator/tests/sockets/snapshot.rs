//! What was missed meets what is live: whenever and from wherever somebody comes, their log is the
//! store's. The client itself checks that events come one after the other.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use protocol::{RoomId, Seq, events::Event};
use serde_json::json;
use tokio::{task::JoinSet, time::sleep};

use crate::support::{Log, Person, TestNode};

const SENDERS: usize = 4;
const MESSAGES_EACH: usize = 60;
const LISTENERS: usize = 8;

/// A small generator, so that a run can be told by its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// People send over sockets and past them, while others come, go, vanish and come back from where
/// they were. In the end everybody has what the store has.
async fn every_log_is_the_stores(node: TestNode) -> Result<()> {
    let seed = RandomState::new().build_hasher().finish() | 1;
    run(node, seed)
        .await
        .with_context(|| format!("seed {seed}"))
}

async fn run(node: TestNode, seed: u64) -> Result<()> {
    let node = Arc::new(node);
    let mut people = Vec::new();
    for number in 0..SENDERS + 1 {
        people.push(node.person(&format!("person{number}")).await?);
    }
    let room = node
        .room(&people[0], &people[1..].iter().collect::<Vec<_>>())
        .await?;
    let head = Seq((people.len() + SENDERS * MESSAGES_EACH) as u64);

    let mut listeners = JoinSet::new();
    for number in 0..LISTENERS {
        let random = Random(seed.wrapping_add(number as u64 * 7_919) | 1);
        let (node, person) = (Arc::clone(&node), people[number % people.len()].clone());
        listeners.spawn(async move { listen(&node, &person, room, head, random).await });
    }
    let mut senders = JoinSet::new();
    for (number, person) in people.into_iter().skip(1).enumerate() {
        let node = Arc::clone(&node);
        senders.spawn(async move { send(&node, &person, room, number % 2 == 0).await });
    }
    for sent in senders.join_all().await {
        sent?;
    }
    let log = node.log(room).await?;
    assert_eq!(log.last().map(|event| event.seq), Some(head));
    for heard in listeners.join_all().await {
        ensure!(is_same(&heard?, &log), "a log is not the store's");
    }
    node.stop().await
}

fn is_same(heard: &Log, log: &[Event]) -> bool {
    let first = heard
        .events
        .first()
        .map_or(Seq(u64::MAX), |event| event.seq);
    let kept: Vec<_> = log
        .iter()
        .filter(|event| event.seq >= first)
        .cloned()
        .collect();
    heard.events == kept
}

async fn send(node: &TestNode, person: &Person, room: RoomId, over_a_socket: bool) -> Result<()> {
    if over_a_socket {
        let mut client = node.socket(person).await?;
        for number in 0..MESSAGES_EACH {
            client
                .send(room, &format!("{} says {number}", person.user.username))
                .await?;
        }
    } else {
        // Half of them past this node, without a hint, as a handler whose hint is lost.
        let store = node.another_store().await?;
        for number in 0..MESSAGES_EACH {
            let text = format!("{} writes {number}", person.user.username);
            person.append(&store, room, &text).await?;
        }
    }
    Ok(())
}

async fn listen(
    node: &TestNode,
    person: &Person,
    room: RoomId,
    head: Seq,
    mut random: Random,
) -> Result<Log> {
    let mut log: Option<Log> = None;
    loop {
        let mut client = node.socket(person).await?;
        match log.take() {
            Some(log) => {
                let after_id = log.events.last().map(|event| event.id);
                let resume = json!({ "type": "subscribe", "room": room, "after": log.last, "after_id": after_id });
                client.logs.insert(room, log);
                let subscribed = client.subscribe_with(resume).await?;
                ensure!(!subscribed.reset, "there was no reason to forget anything");
            }
            None => {
                let limit = random.below(201);
                client
                    .subscribe_with(json!({ "type": "subscribe", "room": room, "limit": limit }))
                    .await?;
            }
        }
        let goal = Seq(client.logs[&room].last.0 + random.below(60)).min(head);
        client.reach(room, goal).await?;
        if goal == head {
            return Ok(client.logs.remove(&room).expect("it was just there"));
        }
        match random.below(3) {
            0 => client
                .result(json!({ "type": "unsubscribe", "room": room }))
                .await
                .map(drop)?,
            1 => drop(client.subscribe(room).await?),
            _ => {}
        }
        log = client.vanish().remove(&room);
        sleep(Duration::from_millis(random.below(30))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_log_is_the_stores_on_sqlite() -> Result<()> {
    every_log_is_the_stores(TestNode::sqlite().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_log_is_the_stores_on_postgres() -> Result<()> {
    every_log_is_the_stores(TestNode::postgres().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_missed_too_much_or_knows_another_past_begins_anew() -> Result<()> {
    let node = TestNode::sqlite().await?;
    let ada = node.person("ada").await?;
    let room = node.room(&ada, &[]).await?;
    for number in 0..600 {
        ada.append(&node.app.store, room, &number.to_string())
            .await?;
    }
    let head = Seq(601);
    for (wish, reset, first) in [
        (json!({ "after": 101 }), false, 102),
        (json!({ "after": 100 }), true, 552),
        (json!({ "after": 602 }), true, 552),
        (json!({ "after": 601 }), false, 602),
        (
            json!({ "after": 600, "after_id": node.app.clock.id::<()>() }),
            true,
            552,
        ),
        (json!({ "limit": 3 }), false, 599),
        (json!({ "limit": 0 }), false, 602),
    ] {
        let mut client = node.socket(&ada).await?;
        let mut frame = wish.clone();
        frame["type"] = json!("subscribe");
        frame["room"] = json!(room);
        if let Some(after) = wish["after"].as_u64() {
            client.logs.insert(
                room,
                Log {
                    last: Seq(after),
                    ..Log::default()
                },
            );
        }
        let subscribed = client.subscribe_with(frame).await?;
        assert_eq!((subscribed.reset, subscribed.head), (reset, head), "{wish}");
        let events = &client.logs[&room].events;
        assert_eq!(
            events.first().map_or(602, |event| event.seq.0),
            first,
            "{wish}"
        );
        client.reach(room, head).await?;
    }
    node.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_into_the_frame_follows_it() -> Result<()> {
    let node = TestNode::sqlite().await?;
    let ada = node.person("ada").await?;
    let room = node.room(&ada, &[]).await?;
    let long = "𝄞".repeat(8_000);
    for _ in 0..40 {
        ada.append(&node.app.store, room, &long).await?;
    }
    let mut client = node.socket(&ada).await?;
    let subscribed = client.subscribe(room).await?;
    assert!(
        (1..40).contains(&subscribed.events.len()),
        "{}",
        subscribed.events.len()
    );
    ada.append(&node.app.store, room, "the last").await?;
    client.reach(room, Seq(42)).await?;
    assert_eq!(client.logs[&room].events, node.log(room).await?);
    // Of a list, too, only so much as a frame may carry.
    let history = client
        .result(json!({ "type": "history", "room": room, "limit": 200 }))
        .await?;
    assert_eq!(history["has_more"], true);
    let messages = history["messages"].as_array().expect("a list");
    assert_eq!(
        messages.last().map(|message| &message["body"]),
        Some(&json!("the last"))
    );
    node.stop().await
}
