//! Coming in: what a socket costs the server until it hears a room, beside a bare upgrade.

use std::{
    net::SocketAddr,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::{
    caller::Caller,
    crowd::{Crowd, Entry},
    frames::text_frame,
    process::Meter,
    report::{Aim, Figure, Role, Series},
    servers::{
        Sizes, Stand,
        chatx::{Engine, Node, Rooms, upgrade},
    },
};

/// What is run.
#[derive(clap::Args)]
pub(crate) struct Plan {
    /// Sockets a run
    #[arg(long, default_value_t = 4_000)]
    pub(crate) sockets: usize,
    #[arg(long, default_value_t = 5)]
    pub(crate) runs: usize,
}

const ROOMS: usize = 100;
const PEOPLE: usize = 10;
/// How long a server may take to notice who is gone.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How many come in at once.
const AT_ONCE: usize = 32;
/// The stands weigh nothing here: nobody speaks.
pub(crate) const NO_FRAMES: Sizes = Sizes {
    event_bytes: 0,
    ack_bytes: 0,
};

pub(crate) async fn run(plan: &Plan) -> Result<Vec<Figure>> {
    let node = Node::start(Engine::Sqlite).await?;
    let rooms = node.furnish(ROOMS, PEOPLE).await?;
    let stands = ["afternoon", "floor"].map(|name| Stand::start(name, NO_FRAMES));
    let [afternoon, floor] = stands;
    let (afternoon, floor) = (afternoon?, floor?);
    let mut series = [
        Series::of("chatx, ticket and subscribe", Role::Ours, Vec::new()),
        Series::of("axum, bare upgrade", Role::Base, Vec::new()),
        Series::of("floor, bare upgrade", Role::Other, Vec::new()),
    ];
    for run in 0..plan.runs {
        let ours = with_tickets(&node, &rooms, plan.sockets)?;
        let seen = [
            cost(&node.meter()?, ours)?,
            cost(&meter(&afternoon)?, bare(&afternoon, plan.sockets))?,
            cost(&meter(&floor)?, bare(&floor, plan.sockets))?,
        ];
        for (series, seen) in series.iter_mut().zip(seen) {
            println!(
                "  run {}: {:<28} {seen:>7.1} µs a socket",
                run + 1,
                series.side
            );
            series.runs.push(seen);
        }
    }
    Ok(vec![Figure {
        part: "connect",
        what: format!("{} sockets come in", plan.sockets),
        measure: "server CPU per socket",
        unit: "µs",
        series: series.into(),
        aim: Some(Aim::TimesAtMost(1.0)),
    }])
}

/// A stand on the servers' processor.
pub(crate) fn meter(stand: &Stand) -> Result<Meter> {
    let meter = Meter::of(vec![stand.id()]);
    meter.pin_to(0)?;
    Ok(meter)
}

/// Sockets with a ticket each, which subscribe to a room of which they have everything.
fn with_tickets(node: &Node, rooms: &Rooms, sockets: usize) -> Result<Vec<Entry>> {
    let address = node.chatx.address();
    let mut callers = Vec::new();
    for token in &rooms.tokens {
        callers.push(Caller::new(&address, token)?);
    }
    let mut subscriptions = Vec::new();
    for id in &rooms.ids {
        let head = &callers[0].get(&format!("/v1/rooms/{id}"))?["head"];
        subscriptions.push(format!(
            r#"{{"type":"subscribe","room":"{id}","after":{head}}}"#
        ));
    }
    let mut entries = Vec::with_capacity(sockets);
    for number in 0..sockets {
        let subscription = &subscriptions[number % subscriptions.len()];
        let caller = &mut callers[number % PEOPLE];
        entries.push(Entry {
            address: address.parse()?,
            request: by_ticket(&ticket(caller)?),
            first_frames: text_frame(subscription),
            subscriptions: 1,
        });
    }
    Ok(entries)
}

pub(crate) fn ticket(caller: &mut Caller) -> Result<String> {
    let invited = caller.post("/v1/socket", &json!({}))?;
    Ok(invited["ticket"].as_str().context("a ticket")?.to_owned())
}

pub(crate) fn by_ticket(ticket: &str) -> Vec<u8> {
    let path = format!("/v1/socket?ticket={ticket}");
    upgrade(&path, "Sec-WebSocket-Protocol: chatx.v1\r\n")
}

pub(crate) fn bare(stand: &Stand, sockets: usize) -> Vec<Entry> {
    let address = SocketAddr::from(([127, 0, 0, 1], stand.port));
    let entry = |number: usize| Entry {
        address,
        request: upgrade(&format!("/{}", number % ROOMS), ""),
        first_frames: Vec::new(),
        subscriptions: 0,
    };
    (0..sockets).map(entry).collect()
}

/// Microseconds of the server for each socket that comes in; they are gone afterwards.
fn cost(meter: &Meter, entries: Vec<Entry>) -> Result<f64> {
    let (there, sockets) = (meter.open_sockets()?, entries.len());
    let mut crowd = Crowd::new()?;
    let before = meter.cpu()?;
    crowd.join(entries, AT_ONCE)?;
    let used = meter.cpu()?.saturating_sub(before);
    drop(crowd);
    let deadline = Instant::now() + PATIENCE;
    while !are_gone(meter, there)? {
        ensure!(
            Instant::now() < deadline,
            "the server keeps sockets that are gone"
        );
        sleep(Duration::from_millis(50));
    }
    Ok(used.as_secs_f64() * 1e6 / sockets as f64)
}

/// Whether the server has let go of all sockets but the `there` that it had before, and a few that come and go.
///
/// # Errors
/// When it has ended.
pub(crate) fn are_gone(meter: &Meter, there: usize) -> Result<bool> {
    Ok(meter.open_sockets()? <= there + 20)
}
