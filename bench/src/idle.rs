//! What silent sockets and silent rooms keep of the server's memory. A single difference would count what was there already
//! or is kept for later; the slope over several sizes does not.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::{
    bulk::{OWN, Store},
    connect::{NO_FRAMES, bare, meter},
    crowd::{Crowd, Entry},
    frames::text_frame,
    process::Meter,
    report::{Aim, Figure, Role, Series},
    servers::{
        Stand,
        chatx::{Engine, Node, Rooms, upgrade},
    },
};

/// What is run.
#[derive(clap::Args)]
pub(crate) struct Plan {
    #[arg(long, default_value_t = 5_000)]
    pub(crate) sockets: usize,
    /// Rooms that are live and silent, each with one socket
    #[arg(long, default_value_t = 10_000)]
    pub(crate) rooms: usize,
    #[arg(long, default_value_t = 3)]
    pub(crate) runs: usize,
}

const STEPS: usize = 5;
const PEOPLE: usize = 10;
const AT_ONCE: usize = 16;
/// As many as one socket may follow, about.
const ROOMS_A_SOCKET: usize = 500;
/// Until buffers are given back, by the server and by its allocator.
const REST: Duration = Duration::from_secs(2);
/// How often it is looked whether all rooms rest, and for how long: sockets are pinged meanwhile, and answer late.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn run(plan: &Plan) -> Result<Vec<Figure>> {
    let mut sockets = [
        Series::of("chatx, one room", Role::Ours, Vec::new()),
        Series::of("axum, bare upgrade", Role::Base, Vec::new()),
        Series::of("floor", Role::Other, Vec::new()),
    ];
    let mut rooms = [Engine::Sqlite, Engine::Postgres].map(|engine| {
        let side = format!("chatx, {}", engine.name());
        (engine, Series::of(side, Role::Ours, Vec::new()))
    });
    for run in 0..plan.runs {
        let seen = [
            of_sockets(plan.sockets).await?,
            of_stand("afternoon", plan.sockets)?,
            of_stand("floor", plan.sockets)?,
        ];
        for (series, seen) in sockets.iter_mut().zip(seen) {
            println!(
                "  run {}: {:<20} {seen:>7.0} bytes a socket",
                run + 1,
                series.side
            );
            series.runs.push(seen);
        }
        for (engine, series) in &mut rooms {
            let seen = of_rooms(*engine, plan.rooms).await?;
            println!(
                "  run {}: {:<20} {seen:>7.0} bytes a room",
                run + 1,
                series.side
            );
            series.runs.push(seen);
        }
    }
    let figure = |what: String, series, aim| Figure {
        part: "idle",
        what,
        measure: "server memory each",
        unit: "bytes",
        series,
        aim: Some(Aim::AtMost(aim)),
    };
    Ok(vec![
        figure(
            format!("{} idle sockets", plan.sockets),
            sockets.into(),
            2_048.0,
        ),
        figure(
            format!("{} idle rooms with a subscription", plan.rooms),
            rooms.map(|(_, series)| series).into(),
            1_024.0,
        ),
    ])
}

async fn of_sockets(sockets: usize) -> Result<f64> {
    let mut node = Node::start(Engine::Sqlite).await?;
    let rooms = node.furnish(1, PEOPLE).await?;
    node.start_anew().await?;
    let address = node.chatx.address();
    let entries = (0..sockets).map(|number| rooms.entry(&address, number, 0));
    let entries = entries.collect::<Result<Vec<_>>>()?;
    growth(&node.own_meter()?, &entries, 1, entries.len(), || {
        until_rooms_rest(&node)
    })
}

fn of_stand(name: &str, sockets: usize) -> Result<f64> {
    let stand = Stand::start(name, NO_FRAMES)?;
    growth(&meter(&stand)?, &bare(&stand, sockets), 1, sockets, || {
        Ok(())
    })
}

/// On PostgreSQL the server's own memory is all there is. On SQLite what that remembers of the file grows, too, until it
/// has as much as it may: every room is somewhere else in the file.
async fn of_rooms(engine: Engine, rooms: usize) -> Result<f64> {
    let mut node = Node::start(engine).await?;
    let furnished = node.furnish(1, 1).await?;
    let mut store = Store::open(&node).await?;
    let ids = store.make_rooms(&OWN, rooms).await?;
    node.start_anew().await?;
    let entries = many_rooms(&node, &furnished, &ids)?;
    growth(&node.own_meter()?, &entries, ROOMS_A_SOCKET, 1, || {
        until_rooms_rest(&node)
    })
}

/// Sockets that follow all of these rooms together, each room once.
pub(crate) fn many_rooms(node: &Node, rooms: &Rooms, ids: &[String]) -> Result<Vec<Entry>> {
    let (address, token) = (node.chatx.address().parse()?, &rooms.tokens[0]);
    let headers = format!("Sec-WebSocket-Protocol: chatx.v1\r\nAuthorization: Bearer {token}\r\n");
    let entry = |ids: &[String]| {
        let frames = ids.iter().flat_map(|id| {
            text_frame(&format!(
                r#"{{"type":"subscribe","room":"{id}","limit":0}}"#
            ))
        });
        Entry {
            address,
            request: upgrade("/v1/socket", &headers),
            first_frames: frames.collect(),
            subscriptions: ids.len() as u64,
        }
    };
    Ok(ids.chunks(ROOMS_A_SOCKET).map(entry).collect())
}

/// Waits until nothing is left to do in any room.
fn until_rooms_rest(node: &Node) -> Result<()> {
    let begun = Instant::now();
    while node.counted("chatx_rooms_awake")? != Some(0.0) {
        ensure!(
            begun.elapsed() < PATIENCE,
            "there is a room that never rests"
        );
        sleep(LOOK_EVERY);
    }
    Ok(())
}

/// Bytes for each thing more, where an entry brings `weight` things: the slope of the line that fits best. No more than
/// `together` entries come before all are at rest, so that what they need on their way is the same memory again and
/// again, and small beside what they keep.
fn growth(
    meter: &Meter,
    entries: &[Entry],
    weight: usize,
    together: usize,
    until_idle: impl Fn() -> Result<()>,
) -> Result<f64> {
    let step = entries.len().div_ceil(STEPS + 1);
    ensure!(step > 0, "nobody comes");
    let mut crowd = Crowd::new()?;
    let mut points = Vec::new();
    for entries in entries.chunks(step) {
        for entries in entries.chunks(together) {
            crowd.join(entries.to_vec(), AT_ONCE)?;
            crowd.settle()?;
            until_idle()?;
        }
        sleep(REST);
        points.push((
            (crowd.len() * weight) as f64,
            meter.resident_bytes()? as f64,
        ));
    }
    // The first sockets pay for what all share.
    Ok(slope(&points[1..]))
}

fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let along: f64 = points
        .iter()
        .map(|point| (point.0 - x) * (point.1 - y))
        .sum();
    let square: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    along / square
}
