//! Servers that die and wires that are cut under load: every message is stored once and acknowledged
//! once, in order, and everybody hears exactly what is stored.

use std::time::Duration;

use anyhow::{Result, ensure};
use client::{Client, Random};
use tokio::sync::watch;

use crate::support::{Crowd, Relay, garbler, hasty, unlimited};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_loses_and_repeats_nothing() -> Result<()> {
    let mut server = unlimited().start().await?;
    let client = Client::with(&server.url(), hasty())?;
    let mut crowd = Crowd::gather(&[client], 10, 2).await?;
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
    let mut crowd = Crowd::gather(&[client], 10, 2).await?;
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
    let mut crowd = Crowd::gather(&[client], 6, 2).await?;
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
    let mut crowd = Crowd::gather(&[client], 4, 2).await?;
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
