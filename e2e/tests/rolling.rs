//! A cluster is restarted process by process while people talk, and nobody notices; a process of it stops
//! without a word, and nobody is held up for long.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use chatx_e2e::crowd::{Crowd, Steady, hasty, register, room_of, soon};
use client::{Client, Settings};
use testkit::{Chatx, Ground};

/// Three coordinators and one process for HTTP, on one PostgreSQL and one Redis.
struct Cluster {
    coordinators: Vec<Chatx>,
    handlers: Chatx,
    _ground: Ground,
}

impl Cluster {
    async fn start() -> Result<Self> {
        let ground = Ground::with_redis().await?;
        let mut coordinators = Vec::new();
        for name in ["a", "b", "c"] {
            let coordinator = ground.coordinator(name).set("CHATX_DRAIN_S", "4");
            coordinators.push(coordinator.start().await?);
        }
        Ok(Self {
            coordinators,
            handlers: ground.handlers().start().await?,
            _ground: ground,
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_is_not_noticed() -> Result<()> {
    let mut cluster = Cluster::start().await?;
    let client = Client::with(&cluster.handlers.url(), hasty())?;
    let mut crowd = Crowd::gather(&[client], 12, 4).await?;
    crowd.also_call();
    let mut steady = Vec::new();
    for connection in &crowd.connections {
        steady.push(Steady::watch(connection).await?);
    }
    for coordinator in &mut cluster.coordinators {
        crowd.progress(50).await?;
        let status = coordinator.terminate().await?;
        ensure!(status.success(), "{status}");
        crowd.progress(50).await?;
        coordinator.restart().await?;
    }
    // Sockets do without it; who calls asks again.
    let status = cluster.handlers.terminate().await?;
    ensure!(status.success(), "{status}");
    crowd.progress(50).await?;
    cluster.handlers.restart().await?;
    crowd.progress(50).await?;

    let connections = crowd.connections.clone();
    let count = crowd.check().await?;
    let mut moves = 0;
    for (connection, steady) in connections.iter().zip(steady) {
        connection.close(Duration::ZERO).await?;
        let nodes = steady.nodes().await.context("somebody noticed")?;
        ensure!(nodes.len() > 1, "it never moved: {nodes:?}");
        moves += nodes.len() - 1;
    }
    println!("{count} messages, each stored and acknowledged once, over {moves} moves");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_that_stops_without_a_word_is_left() -> Result<()> {
    let cluster = Cluster::start().await?;
    let client = Client::with(&cluster.handlers.url(), Settings::default())?;
    let mut people = Vec::new();
    for _ in 0..9 {
        let person = register(&client, "person").await?;
        let room = room_of(&person, &[]).await?;
        let room = person.connect().room(room);
        room.send("before").await?;
        people.push(room);
    }
    let stopped = &cluster.coordinators[1];
    stopped.signal("STOP")?;
    let begun = Instant::now();
    for room in &people {
        soon("an ack", room.send("meanwhile")).await??;
    }
    println!("felt for {} ms", begun.elapsed().as_millis());
    stopped.signal("CONT")?;
    for room in &people {
        soon("an ack", room.send("afterwards")).await??;
    }
    Ok(())
}
