//! Reading back and searching in a store with few events and in one with as many as after years; and what a message costs
//! there.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::{
    bulk::{Store, scattered, word},
    caller::Caller,
    fanout::{engines, series},
    report::{Aim, Figure, Role, Series, quantile},
    servers::chatx::{Engine, Node, Rooms},
    side::{FlatOut, Scene, Side},
};

/// What is run.
#[derive(clap::Args)]
pub(crate) struct Plan {
    /// Events in the full store, over all rooms
    #[arg(long, default_value_t = 10_000_000)]
    pub(crate) events: u64,
    /// Events in the one beside it
    #[arg(long, default_value_t = 10_000)]
    pub(crate) few: u64,
    /// Rooms that the events are in, all of which the reader is in
    #[arg(long, default_value_t = 500)]
    pub(crate) rooms: usize,
    /// Requests of each kind
    #[arg(long, default_value_t = 500)]
    pub(crate) requests: usize,
    #[arg(long, default_value_t = 3)]
    pub(crate) runs: usize,
    /// Leaves PostgreSQL out
    #[arg(long)]
    pub(crate) sqlite_only: bool,
}

/// What is asked for.
const HISTORY: [&str; 3] = [
    "latest page",
    "page before any place",
    "page around any place",
];
const SEARCHES: [&str; 5] = [
    "a common word",
    "two words",
    "a word of one message",
    "a word of none",
    "a common word in one room",
];
/// Searches are dearer than pages.
const PAGES_A_SEARCH: usize = 10;

pub(crate) async fn run(plan: &Plan) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for &engine in engines(plan.sqlite_only) {
        figures.extend(on(engine, plan).await?);
    }
    Ok(figures)
}

async fn on(engine: Engine, plan: &Plan) -> Result<Vec<Figure>> {
    let mut shelves = Vec::new();
    for (events, role) in [(plan.few, Role::Base), (plan.events, Role::Ours)] {
        shelves.push(Shelf::fill(engine, plan.rooms, events, role).await?);
    }
    let empty = || shelves.iter().map(Shelf::series);
    let mut asked: Vec<Vec<Series>> = (0..HISTORY.len() + SEARCHES.len())
        .map(|_| empty().collect())
        .collect();
    for run in 0..plan.runs {
        for number in 0..shelves.len() {
            let shelf = &mut shelves[number];
            for (kind, series) in asked.iter_mut().enumerate() {
                let share = if kind < HISTORY.len() {
                    1
                } else {
                    PAGES_A_SEARCH
                };
                let p99 = shelf.p99_ms(kind, plan.requests.div_ceil(share))?;
                println!(
                    "  {}, {} events, run {}: {} {p99:.2} ms (p99)",
                    engine.name(),
                    shelf.events,
                    run + 1,
                    kind_name(kind)
                );
                series[number].runs.push(p99);
            }
        }
    }
    // They connect only now: who is silent for long is closed.
    let sides = shelves.into_iter().map(Shelf::talk);
    let mut sides = sides.collect::<Result<Vec<_>>>()?;
    let mut talks: Vec<Vec<FlatOut>> = sides.iter().map(|_| Vec::new()).collect();
    for _ in 0..plan.runs {
        for (side, talks) in sides.iter_mut().zip(&mut talks) {
            talks.push(side.flat_out(1, Duration::from_secs(2))?);
        }
    }
    let mut figures: Vec<_> = (0..)
        .zip(asked)
        .map(|(kind, series)| figure(engine, kind, series))
        .collect();
    figures.push(Figure {
        part: "history",
        what: format!("a message, {}", engine.name()),
        measure: "server and database CPU per message",
        unit: "µs",
        series: series(&sides, &talks, FlatOut::cpu_us_per_message),
        aim: Some(Aim::TimesAtMost(1.1)),
    });
    Ok(figures)
}

fn kind_name(kind: usize) -> &'static str {
    let all = HISTORY.iter().chain(&SEARCHES);
    all.copied().nth(kind).unwrap_or_default()
}

fn figure(engine: Engine, kind: usize, series: Vec<Series>) -> Figure {
    let (part, aim) = match kind {
        kind if kind < HISTORY.len() => ("history", Aim::TimesAtMost(1.1)),
        _ => ("search", Aim::AtMost(100.0)),
    };
    Figure {
        part,
        what: format!("{}, {}", kind_name(kind), engine.name()),
        measure: if part == "history" {
            "GET messages, p99"
        } else {
            "GET search, p99"
        },
        unit: "ms",
        series,
        aim: Some(aim),
    }
}

/// A server with so much in its store.
struct Shelf {
    events: u64,
    rooms: Vec<String>,
    messages_a_room: u64,
    asked: u64,
    scene: Scene,
    furnished: Rooms,
    role: Role,
    node: Node,
}

impl Shelf {
    async fn fill(engine: Engine, rooms: usize, events: u64, role: Role) -> Result<Self> {
        let begun = Instant::now();
        let node = Node::start(engine).await?;
        let scene = Scene {
            rooms: 20,
            members: 10,
        };
        let furnished = node.furnish(scene.rooms, scene.members).await?;
        let mut store = Store::open(&node).await?;
        let ids = store.make_rooms("bench0", rooms).await?;
        let messages_a_room = events / rooms as u64;
        store.fill("bench0", &ids, messages_a_room).await?;
        println!(
            "  {events} events are in {} after {:.0?}",
            engine.name(),
            begun.elapsed()
        );
        indexed(&node).await?;
        println!("  and indexed after {:.0?}", begun.elapsed());
        Ok(Self {
            events,
            rooms: ids,
            messages_a_room,
            asked: 0,
            scene,
            furnished,
            role,
            node,
        })
    }

    fn name(&self) -> String {
        format!("{} events", grouped(self.events))
    }

    fn series(&self) -> Series {
        Series::of(self.name(), self.role, Vec::new())
    }

    fn p99_ms(&mut self, kind: usize, requests: usize) -> Result<f64> {
        let mut reader = Caller::new(&self.node.chatx.address(), &self.furnished.tokens[0])?;
        let mut took = Vec::with_capacity(requests);
        for _ in 0..requests {
            let path = self.path(kind);
            let begun = Instant::now();
            reader.ask("GET", &path, "")?;
            took.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        took.sort_by(f64::total_cmp);
        Ok(quantile(&took, 0.99))
    }

    /// Lets sockets talk in rooms of their own beside all that.
    fn talk(self) -> Result<Side> {
        let address = self.node.chatx.address();
        let entry = |(room, member)| self.furnished.entry(&address, member, room);
        let entries = self.scene.places().map(entry).collect::<Result<Vec<_>>>()?;
        let meter = self.node.meter()?;
        let named = (self.name(), self.role);
        let (rooms, node) = (self.furnished.ids, Box::new(self.node));
        Side::of(self.scene, named, entries, meter, rooms, node)
    }

    /// The next request of its kind, somewhere else each time.
    fn path(&mut self, kind: usize) -> String {
        self.asked += 1;
        let drawn = scattered(self.asked);
        let number = usize::try_from(drawn % self.rooms.len() as u64).unwrap_or(0);
        let (room, seq) = (
            &self.rooms[number],
            2 + (drawn >> 20) % self.messages_a_room.max(1),
        );
        let common = word(drawn % 8);
        match kind_name(kind) {
            "latest page" => format!("/v1/rooms/{room}/messages"),
            "page before any place" => format!("/v1/rooms/{room}/messages?before={seq}"),
            "page around any place" => format!("/v1/rooms/{room}/messages?around={seq}"),
            "a common word" => format!("/v1/search?q={common}"),
            "two words" => format!(
                "/v1/search?q={}+{}",
                word(drawn % 300),
                word((drawn >> 30) % 300)
            ),
            "a word of one message" => format!("/v1/search?q=only{number}of{seq}"),
            "a word of none" => format!("/v1/search?q=xylo{drawn}phone"),
            _ => format!("/v1/search?q={common}&room={room}"),
        }
    }
}

/// Waits until the server has taken everything into the index of the search.
async fn indexed(node: &Node) -> Result<()> {
    let options = shared::store::StoreOptions::default();
    let store = shared::store::Store::connect(&node.database_url(), &options).await?;
    while !store
        .rooms_to_index(1)
        .await
        .context("the index of the search")?
        .is_empty()
    {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    store.close().await;
    Ok(())
}

fn grouped(number: u64) -> String {
    match number {
        number if number.is_multiple_of(1_000_000) => format!("{} million", number / 1_000_000),
        number if number.is_multiple_of(1_000) => format!("{} thousand", number / 1_000),
        number => number.to_string(),
    }
}
