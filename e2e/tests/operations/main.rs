//! Whatever people do, in whatever order, and however those who read come and go: in the end what the store says,
//! what follows from each socket's log, and what the page shows is one and the same.
//!
//! What is done is made from a seed, which a failure names: `CHATX_SEED=… cargo test --test operations` does it again.

mod crowd;
mod log;
mod operation;
mod page;
mod proxy;
mod reader;
mod stored;

use std::{
    collections::{BTreeMap, HashMap, hash_map::RandomState},
    env,
    hash::{BuildHasher as _, Hasher as _},
};

use anyhow::{Context as _, Result, ensure};
use chatx_e2e::{Http, PATIENCE, unlimited};
use protocol::{
    RoomId,
    events::{Event, EventKind},
};
use serde_json::{Value, json};
use testkit::{ChatxSetup, Database, free_port};
use tokio::time::{Duration, Instant, sleep};

use crate::{
    crowd::Crowd,
    log::{Log, Reduced},
    operation::{Random, waves},
    page::Page,
    proxy::Proxy,
    reader::{Command, Reader},
};

const OPERATIONS: usize = 2_000;
/// Who stays, who is cut and comes back, who comes late and is slow.
const READERS: [usize; 3] = [0, 1, 2];
/// Who sits before the page.
const AT_THE_PAGE: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn everybody_ends_with_what_the_store_says_on_sqlite() -> Result<()> {
    run(unlimited()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_ends_with_what_the_store_says_on_postgres() -> Result<()> {
    let database = Database::fresh().await?;
    run(unlimited().set("DATABASE_URL", database.url())).await
}

async fn run(server: ChatxSetup) -> Result<()> {
    let number = |name: &str| env::var(name).ok().and_then(|given| given.parse().ok());
    let seed =
        number("CHATX_SEED").unwrap_or_else(|| RandomState::new().build_hasher().finish() >> 16);
    let count = number("CHATX_OPERATIONS")
        .and_then(|count| usize::try_from(count).ok())
        .unwrap_or(OPERATIONS);
    run_seeded(server, seed, count)
        .await
        .with_context(|| format!("CHATX_SEED={seed} CHATX_OPERATIONS={count}"))
}

async fn run_seeded(server: ChatxSetup, seed: u64, count: usize) -> Result<()> {
    let port = free_port();
    let proxy = Proxy::to(format!("127.0.0.1:{port}")).await?;
    let url = format!("http://{}", proxy.address());
    let chatx = server
        .at(port)
        .set("CHATX_PUBLIC_URL", &url)
        .start()
        .await?;
    let mut crowd = Crowd::gather(&Http::new(chatx.address())).await?;
    let ids: Vec<RoomId> = crowd.rooms.iter().map(|room| room.id).collect();
    let mut readers = READERS.map(|who| {
        let address = if who == 1 {
            proxy.address()
        } else {
            chatx.address().parse().expect("it is an address")
        };
        Reader::start(crowd.people[who].clone(), address, &ids)
    });
    let mut page = Page::open(&url, &crowd.people[AT_THE_PAGE]).await?;

    let mut random = Random::new(seed);
    let waves = waves(&mut random, count);
    let late = waves.len() * 3 / 5;
    let mut has_vanished = false;
    readers[0].tell(Command::Come).await?;
    readers[1].tell(Command::Come).await?;
    for (number, wave) in waves.iter().enumerate() {
        if number == late {
            readers[2].tell(Command::Come).await?;
        }
        match random.below(24) {
            0 => proxy.cut(),
            1 | 2 => {
                let command = if has_vanished {
                    Command::Come
                } else {
                    Command::Vanish
                };
                has_vanished = !has_vanished;
                readers[1].tell(command).await?;
            }
            3 => readers[2].tell(Command::Doze).await?,
            4 | 5 => readers[2].tell(Command::Wake).await?,
            6 => {
                if let Some(page) = &mut page {
                    page.read_older(ids[random.below(ids.len())]).await?;
                }
            }
            _ => {}
        }
        crowd.try_all(wave).await?;
    }
    crowd.settle(&[0, 1, 2, AT_THE_PAGE]).await?;

    let mut heads = HashMap::new();
    for room in &ids {
        let owner = &crowd.people[0].http;
        let told = owner.get(&format!("/v1/rooms/{room}")).await?.expect(200)?;
        heads.insert(*room, told["head"].as_u64().context("a head")?);
    }
    let mut logs = Vec::new();
    for reader in readers {
        logs.push(reader.finish(heads.clone()).await?);
    }
    for (who, logs) in READERS.into_iter().zip(&logs) {
        for (place, room) in ids.iter().enumerate() {
            compare(&crowd, who, place, &logs[room])
                .await
                .with_context(|| format!("reader {who}, room {place}"))?;
        }
    }
    if let Some(page) = &mut page {
        for (place, room) in ids.iter().enumerate() {
            compare_page(&crowd, page, place, heads[room])
                .await
                .with_context(|| format!("the page, room {place}"))?;
        }
    }
    a_dropped_event_is_seen(&crowd, &logs[0][&ids[0]]).await?;
    ensure!(
        crowd.refused < count * 3 / 5,
        "too little was done: {} were refused of {count}, {:?} taken",
        crowd.refused,
        crowd.taken
    );
    if count >= OPERATIONS {
        ensure!(
            crowd.taken.len() == 26,
            "something was never done: {:?}",
            crowd.taken
        );
    }
    Ok(())
}

/// What follows from a log is what the store says.
async fn compare(crowd: &Crowd, who: usize, place: usize, log: &Log) -> Result<()> {
    let (person, room) = (&crowd.people[who], &crowd.rooms[place]);
    let is_whole = log.first <= 1;
    let reduced = Reduced::of(&room.born, &log.events);
    // Whoever writes has read up to there; in a room one comes back to, up to where one came back.
    let read = room.marks[who]
        .iter()
        .copied()
        .chain([reduced.joined(person.id)])
        .max()
        .unwrap_or_default();
    let mut expected = reduced.seen_by(person.id, read, is_whole);
    let start = Instant::now();
    loop {
        let stored = stored::seen_by(person, room.id, is_whole).await?;
        if stored["bans"].is_null() && is_whole {
            expected["bans"] = Value::Null;
        }
        let differences = differences(&stored, &expected);
        // What is said on a socket of having read is stored a little later, and is not answered.
        if stored["read"] == expected["read"] || start.elapsed() > PATIENCE / 3 {
            ensure!(
                differences.is_empty(),
                "the store on the left, the log on the right:\n{}",
                differences.join("\n")
            );
            return Ok(());
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// What the page shows is what the store says. It asks for some of it, and so has it a little later.
async fn compare_page(crowd: &Crowd, page: &mut Page, place: usize, head: u64) -> Result<()> {
    let (person, room) = (&crowd.people[AT_THE_PAGE], &crowd.rooms[place]);
    let start = Instant::now();
    loop {
        let mut stored = stored::seen_by(person, room.id, true).await?;
        for name in ["members", "bans", "pins"] {
            stored.as_object_mut().context("an object")?.remove(name);
        }
        for message in stored["messages"]
            .as_object_mut()
            .into_iter()
            .flat_map(|messages| messages.values_mut())
        {
            message["edited_at"] = message["edited_at"].is_string().into();
            message["deleted_at"] = message["deleted_at"].is_string().into();
            // In which order the first of each came that is left, only a whole log tells.
            if let Some(reactions) = message["reactions"].as_array_mut() {
                reactions.sort_by_key(|reaction| reaction["emoji"].to_string());
            }
        }
        let shown = page.shown(room.id, head).await?;
        let differences = differences(&stored, &shown);
        if differences.is_empty() {
            return Ok(());
        }
        ensure!(
            start.elapsed() < PATIENCE / 3,
            "the store on the left, the page on the right:\n{}",
            differences.join("\n")
        );
        sleep(Duration::from_millis(50)).await;
    }
}

/// The comparison is able to fail: of each kind of event there is one that is missed at once when it is dropped, and
/// a log without its latest message is not what the store says.
async fn a_dropped_event_is_seen(crowd: &Crowd, log: &Log) -> Result<()> {
    let born = &crowd.rooms[0].born;
    let seen = |events: &[Event]| Reduced::of(born, events).seen_by(crowd.people[0].id, 0, true);
    let mut missed: BTreeMap<&str, bool> = BTreeMap::new();
    for (place, event) in log.events.iter().enumerate() {
        let is_missed = missed.entry(event.kind.as_str()).or_default();
        *is_missed = *is_missed || seen(&log.events[..place]) != seen(&log.events[..=place]);
    }
    let unseen: Vec<_> = missed
        .iter()
        .filter(|(_, is_missed)| !**is_missed)
        .collect();
    ensure!(unseen.is_empty(), "nobody misses {unseen:?}");
    let latest = log
        .events
        .iter()
        .rposition(|event| matches!(event.kind, EventKind::Message(_)));
    let mut dropped = log.clone();
    dropped.events.remove(latest.context("a message")?);
    ensure!(
        compare(crowd, 0, 0, &dropped).await.is_err(),
        "nobody misses a message"
    );
    Ok(())
}

/// Where two values differ, as paths.
fn differences(left: &Value, right: &Value) -> Vec<String> {
    const MOST: usize = 12;
    let mut found = Vec::new();
    differ("", left, right, &mut found);
    found.truncate(MOST);
    found
}

fn differ(path: &str, left: &Value, right: &Value, found: &mut Vec<String>) {
    if let (Value::Object(ours), Value::Object(theirs)) = (left, right) {
        let names = ours
            .keys()
            .chain(theirs.keys().filter(|name| !ours.contains_key(*name)));
        for name in names {
            let null = &json!(null);
            let side =
                |object: &serde_json::Map<String, Value>| object.get(name).unwrap_or(null).clone();
            differ(&format!("{path}/{name}"), &side(ours), &side(theirs), found);
        }
    } else if left != right {
        found.push(format!("{path}: {left} ≠ {right}"));
    }
}
