//! Nodes that send their clients away: the next socket is there before the last one goes, so that nobody
//! notices but the log.

use std::time::Duration;

use anyhow::{Result, ensure};
use client::{Client, Status};
use testkit::{Chatx, ChatxSetup, Ground, free_port};

use crate::support::{Crowd, Herald, Steady, hasty, register, room_of, soon};

/// A node that serves everything.
fn node(ground: &Ground, name: &str) -> ChatxSetup {
    ground.node("serve", name).set("CHATX_DRAIN_S", "4")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_drains_is_left_before_it_goes() -> Result<()> {
    let ground = Ground::new().await?;
    let mut nodes: Vec<Chatx> = vec![
        node(&ground, "a").start().await?,
        node(&ground, "b").start().await?,
    ];
    let clients = [
        Client::with(&nodes[0].url(), hasty())?,
        Client::with(&nodes[1].url(), hasty())?,
    ];
    let mut crowd = Crowd::gather(&clients, 8, 2).await?;
    let mut steady = Vec::new();
    for connection in &crowd.connections {
        steady.push(Steady::watch(connection).await?);
    }
    // One after the other, so that every client has to move.
    for node in &mut nodes {
        crowd.progress(100).await?;
        ensure!(node.terminate().await?.success());
        crowd.progress(100).await?;
        node.restart().await?;
    }
    let connections = crowd.connections.clone();
    println!(
        "{} messages, each stored and acknowledged once",
        crowd.check().await?
    );
    for (connection, steady) in connections.iter().zip(steady) {
        connection.close(Duration::ZERO).await?;
        let nodes = steady.nodes().await?;
        ensure!(nodes.len() > 1, "it never moved: {nodes:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_named_place_is_taken_and_a_wrong_one_does_no_harm() -> Result<()> {
    let ground = Ground::new().await?;
    let herald = Herald::start().await?;
    let here = node(&ground, "a")
        .set("CHATX_PUBLIC_URL", herald.url())
        .start()
        .await?;
    herald.point_to(&here.address());
    let client = Client::with(&here.url(), hasty())?;
    let mut people = Vec::new();
    for _ in 0..6 {
        let person = register(&client, "person").await?;
        let room = room_of(&person, &[]).await?;
        let connection = person.connect();
        let steady = Steady::watch(&connection).await?;
        people.push((connection, room, steady));
    }
    let there = node(&ground, "b").start().await?;

    // Nobody is there: they stay where they are, and find their way by themselves.
    let mut statuses = Vec::new();
    for (connection, ..) in &people {
        let mut status = connection.status();
        status.mark_unchanged();
        statuses.push(status);
    }
    let nowhere = format!("ws://127.0.0.1:{}/v1/socket", free_port());
    ensure!(herald.send_away(Some(nowhere)) == people.len());
    for ((connection, room, _), mut status) in people.iter().zip(statuses) {
        soon("another socket", status.changed()).await??;
        connection.room(*room).send("still here").await?;
    }
    herald.send_away(Some(format!("{}/v1/socket", there.socket_url())));
    for (connection, room, _) in &people {
        let at_b = |status: &Status| matches!(status, Status::Live { node, .. } if node == "b");
        soon("the other node", connection.status().wait_for(at_b)).await??;
        connection.room(*room).send("over there").await?;
    }
    for (connection, _, steady) in people {
        connection.close(Duration::ZERO).await?;
        steady.nodes().await?;
    }
    Ok(())
}
