//! Reading back and searching in a store with few events and in one with as many as after years; and what a message costs
//! there.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::{
    bulk::{Bulk, NEVER_TOGETHER, OWN, Store, scattered, word},
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
const SEARCHES: [&str; 9] = [
    "a common word",
    "two words",
    "two words that never meet",
    "two ideographs",
    "a word of one message",
    "a word of none",
    "a word of others' rooms",
    "a common word in one room",
    "two words that never meet, since one joined",
];
/// As it stands in a url.
const IDEOGRAPHS_IN_URL: &str = "%E6%9D%B1%E4%BA%AC";
/// Searches are dearer than pages.
const PAGES_A_SEARCH: usize = 10;
/// Messages of a page: so many that the rooms of the smaller store can fill it, too.
const PAGE: u64 = 16;

/// Rooms of somebody else, one for ten of who asks.
const OTHERS: Bulk = Bulk {
    owner: "bench1",
    name: "beside",
    word: "elsewhere",
};
/// Who came when half of it was said.
const LATE: &str = "bench2";

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
    let empty: Vec<Series> = shelves.iter().map(Shelf::series).collect();
    let mut figures = Vec::new();
    for (kind, what) in HISTORY.into_iter().chain(SEARCHES).enumerate() {
        let share = if kind < HISTORY.len() {
            1
        } else {
            PAGES_A_SEARCH
        };
        let (mut p99s, mut costs) = (empty.clone(), empty.clone());
        for run in 0..plan.runs {
            let asked = ask(&mut shelves, what, plan.requests.div_ceil(share))?;
            for (number, asked) in asked.into_iter().enumerate() {
                println!(
                    "  {}, {}, run {}: {what} {:.2} ms (p99), {:.2} ms of CPU",
                    engine.name(),
                    p99s[number].side,
                    run + 1,
                    asked.p99_ms,
                    asked.cpu_ms,
                );
                p99s[number].runs.push(asked.p99_ms);
                costs[number].runs.push(asked.cpu_ms);
            }
        }
        figures.extend(both(engine, (kind < HISTORY.len(), what), p99s, costs));
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

/// What one kind of request came to.
struct Asked {
    p99_ms: f64,
    /// Of server and database, for one of them.
    cpu_ms: f64,
}

/// Asks all of them in turn, so that what else the machine does falls on each.
fn ask(shelves: &mut [Shelf], what: &str, requests: usize) -> Result<Vec<Asked>> {
    let mut readers = Vec::new();
    let mut before = Vec::new();
    for shelf in &*shelves {
        readers.push(shelf.reader(what)?);
        before.push(shelf.node.meter()?.cpu()?);
    }
    let mut took = vec![Vec::with_capacity(requests); shelves.len()];
    for _ in 0..requests {
        for (number, shelf) in shelves.iter_mut().enumerate() {
            let path = shelf.path(what);
            let begun = Instant::now();
            readers[number].ask("GET", &path, "")?;
            took[number].push(begun.elapsed().as_secs_f64() * 1e3);
        }
    }
    let asked = took.into_iter().zip(before).zip(&*shelves);
    let asked = asked.map(|((mut took, before), shelf)| {
        let cpu = shelf.node.meter()?.cpu()?.saturating_sub(before);
        took.sort_by(f64::total_cmp);
        Ok(Asked {
            p99_ms: quantile(&took, 0.99),
            cpu_ms: cpu.as_secs_f64() * 1e3 / requests as f64,
        })
    });
    asked.collect()
}

/// How long it takes, and what it costs.
fn both(
    engine: Engine,
    (is_history, what): (bool, &str),
    p99s: Vec<Series>,
    costs: Vec<Series>,
) -> [Figure; 2] {
    let (part, measure, aim) = if is_history {
        ("history", "GET messages, p99", Aim::TimesAtMost(1.1))
    } else {
        ("search", "GET search, p99", Aim::AtMost(100.0))
    };
    let figure = |measure, series, aim| Figure {
        part,
        what: format!("{what}, {}", engine.name()),
        measure,
        unit: "ms",
        series,
        aim,
    };
    [
        figure(measure, p99s, Some(aim)),
        figure("server and database CPU per request", costs, None),
    ]
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
        let others = rooms.div_ceil(10);
        let messages_a_room = events / (rooms + others) as u64;
        let ids = store.make_rooms(&OWN, rooms).await?;
        store.join(&OWN, LATE, messages_a_room / 2).await?;
        store.fill(&OWN, &ids, messages_a_room).await?;
        let others = store.make_rooms(&OTHERS, others).await?;
        store.fill(&OTHERS, &others, messages_a_room).await?;
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

    /// Whoever asks for that.
    fn reader(&self, what: &str) -> Result<Caller> {
        let person = if what.ends_with("since one joined") {
            2
        } else {
            0
        };
        Caller::new(&self.node.chatx.address(), &self.furnished.tokens[person])
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
    fn path(&mut self, what: &str) -> String {
        self.asked += 1;
        let drawn = scattered(self.asked);
        let number = usize::try_from(drawn % self.rooms.len() as u64).unwrap_or(0);
        let room = &self.rooms[number];
        // The seq of a message that has so many before it, and so many after it.
        let place = |before: u64, after: u64| {
            2 + before + (drawn >> 20) % self.messages_a_room.saturating_sub(before + after).max(1)
        };
        let page = |span: &str| format!("/v1/rooms/{room}/messages?limit={PAGE}{span}");
        let common = word(drawn % 8);
        let of_room = |words: &str| format!("/v1/search?q={words}&room={room}");
        let words = match what {
            "latest page" => return page(""),
            "page before any place" => return page(&format!("&before={}", place(PAGE, 0))),
            "page around any place" => {
                return page(&format!("&around={}", place(PAGE / 2, PAGE / 2)));
            }
            "a common word in one room" => return of_room(&common),
            "a common word" => common,
            "two words" => format!("{}+{}", word(drawn % 300), word((drawn >> 30) % 300)),
            "two ideographs" => IDEOGRAPHS_IN_URL.to_owned(),
            "a word of one message" => format!("only{number}of{}", place(0, 0)),
            "a word of none" => format!("xylo{drawn}phone"),
            "a word of others' rooms" => OTHERS.word.to_owned(),
            _ => NEVER_TOGETHER.join("+"),
        };
        format!("/v1/search?q={words}")
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
