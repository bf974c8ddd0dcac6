//! Servers that die and wires that are cut under load: every message is stored once and acknowledged
//! once, in order, and everybody hears exactly what is stored.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result, ensure};
use client::{Client, Random, Session, Start};
use protocol::{RoomId, Seq, events::Event, frame::Ack};
use tokio::{sync::watch, task::JoinSet};

use crate::support::{
    Listener, Relay, body, garbler, hasty, register, room_of, soon, stored, unlimited,
};

/// People who write into two rooms all the time, and listen to both.
struct Crowd {
    people: Vec<Session>,
    rooms: [RoomId; 2],
    listeners: Vec<(RoomId, Listener)>,
    senders: JoinSet<Result<Vec<(RoomId, String, Ack)>>>,
    stop: watch::Sender<bool>,
}

/// So many messages of a sender may wait for their acks at once.
const AHEAD: usize = 3;

impl Crowd {
    async fn gather(client: &Client, size: usize) -> Result<Self> {
        let mut people = Vec::new();
        for _ in 0..size {
            people.push(register(client, "crowd").await?);
        }
        let others: Vec<_> = people.iter().skip(1).collect();
        let rooms = [
            room_of(&people[0], &others).await?,
            room_of(&people[0], &others).await?,
        ];
        let (stop, stopped) = watch::channel(false);
        let (mut listeners, mut senders) = (Vec::new(), JoinSet::new());
        for (number, person) in people.iter().enumerate() {
            let connection = person.connect();
            for room in rooms {
                let events = connection
                    .room(room)
                    .events(Start::After(Seq::ZERO, None))
                    .await?;
                listeners.push((room, Listener::new(events)));
            }
            let stopped = stopped.clone();
            senders.spawn(async move {
                let mut waiting = std::collections::VecDeque::new();
                let mut acked = Vec::new();
                for count in 0_u32.. {
                    if *stopped.borrow() && waiting.is_empty() {
                        break;
                    }
                    if !*stopped.borrow() {
                        let room = rooms[(count as usize + number) % 2];
                        let text = format!("{number}-{count}");
                        waiting.push_back((
                            room,
                            text.clone(),
                            connection.room(room).submit(text).await?,
                        ));
                    }
                    if waiting.len() >= AHEAD || *stopped.borrow() {
                        let (room, text, receipt) =
                            waiting.pop_front().context("something waits")?;
                        let ack = soon("an ack", receipt)
                            .await?
                            .with_context(|| text.clone())?;
                        acked.push((room, text, ack));
                    }
                }
                Ok(acked)
            });
        }
        Ok(Self {
            people,
            rooms,
            listeners,
            senders,
            stop,
        })
    }

    /// Waits until so many more events were heard by the first listener.
    async fn progress(&mut self, events: usize) -> Result<()> {
        let (_, listener) = &mut self.listeners[0];
        let heard = listener.log().len();
        listener.count(heard + events).await
    }

    /// Stops writing, checks what was promised, and answers how many messages there were.
    async fn check(mut self) -> Result<usize> {
        self.stop.send_replace(true);
        let mut acked = Vec::new();
        while let Some(sender) = self.senders.join_next().await {
            acked.push(sender??);
        }
        let mut logs = BTreeMap::new();
        for room in self.rooms {
            let log = stored(&self.people[0], room).await?;
            let seqs: Vec<_> = log.iter().map(|event| event.seq.0).collect();
            ensure!(
                seqs == (1..=log.len() as u64).collect::<Vec<_>>(),
                "the store is not dense"
            );
            logs.insert(room, log);
        }
        for (room, mut listener) in self.listeners {
            let log = &logs[&room];
            listener.until(Seq(log.len() as u64)).await?;
            ensure!(
                &listener.log() == log,
                "somebody heard something else than what is stored"
            );
        }
        let count: usize = acked.iter().map(Vec::len).sum();
        let is_message = |event: &&Event| body(event).is_some();
        let messages: usize = logs
            .values()
            .map(|log| log.iter().filter(is_message).count())
            .sum();
        ensure!(messages == count, "{count} acks for {messages} messages");
        for acks in acked {
            let mut last = BTreeMap::new();
            for (room, text, ack) in acks {
                let event = &logs[&room][usize::try_from(ack.seq.0)? - 1];
                ensure!(body(event) == Some(&text), "{text} is not at {}", ack.seq);
                ensure!(
                    last.insert(room, ack.seq) < Some(ack.seq),
                    "{text} overtook another"
                );
            }
        }
        Ok(count)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_loses_and_repeats_nothing() -> Result<()> {
    let mut server = unlimited().start().await?;
    let client = Client::with(&server.url(), hasty())?;
    let mut crowd = Crowd::gather(&client, 10).await?;
    for _ in 0..4 {
        crowd.progress(60).await?;
        server.kill_9()?;
        server.restart().await?;
    }
    crowd.progress(60).await?;
    println!(
        "{} messages, each stored and acknowledged once",
        crowd.check().await?
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_drains_and_restarts_loses_and_repeats_nothing() -> Result<()> {
    let mut server = unlimited().start().await?;
    let client = Client::with(&server.url(), hasty())?;
    let mut crowd = Crowd::gather(&client, 10).await?;
    for _ in 0..3 {
        crowd.progress(60).await?;
        ensure!(server.terminate().await?.success());
        server.restart().await?;
    }
    crowd.progress(60).await?;
    println!(
        "{} messages, each stored and acknowledged once",
        crowd.check().await?
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wire_that_is_cut_loses_and_repeats_nothing() -> Result<()> {
    let seed = std::env::var("CHATX_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| Random::system().bits());
    println!("CHATX_TEST_SEED={seed}");
    let random = Random::seeded(seed);
    let relay = Relay::start().await?;
    let server = unlimited()
        .set("CHATX_PUBLIC_URL", relay.url())
        .start()
        .await?;
    relay.point_to(server.address());
    let settings = client::Settings {
        answer_within: Duration::from_secs(1),
        random: random.clone(),
        ..hasty()
    };
    let client = Client::with(&relay.url(), settings)?;
    let mut crowd = Crowd::gather(&client, 6).await?;
    for _ in 0..12 {
        crowd.progress(10).await?;
        tokio::time::sleep(random.up_to(Duration::from_millis(300))).await;
        match random.bits() % 4 {
            0 => relay.deafen(),
            1 => relay.mute(),
            _ => relay.cut(),
        }
        tokio::time::sleep(random.up_to(Duration::from_millis(1_500))).await;
        relay.heal();
    }
    crowd.progress(10).await?;
    println!(
        "{} messages, each stored and acknowledged once",
        crowd.check().await?
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_are_lost_repeated_and_reordered_change_nothing() -> Result<()> {
    let (seed, random) = chance();
    println!("CHATX_TEST_SEED={seed}");
    let (address, server) = watch::channel(String::new());
    let url = garbler(server, random.clone()).await?;
    let server = unlimited().set("CHATX_PUBLIC_URL", url).start().await?;
    address.send_replace(server.address());
    let ack_within = Duration::from_millis(300);
    let client = Client::with(
        &server.url(),
        client::Settings {
            ack_within,
            random,
            ..hasty()
        },
    )?;
    let mut crowd = Crowd::gather(&client, 4).await?;
    crowd.progress(150).await?;
    println!(
        "{} messages, each stored and acknowledged once",
        crowd.check().await?
    );
    Ok(())
}

/// A seed, that of the environment if there is one, and what comes of it.
fn chance() -> (u64, Random) {
    let seed = std::env::var("CHATX_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| Random::system().bits());
    (seed, Random::seeded(seed))
}
