//! Everybody loses their socket at once and comes back at once, while others talk: how long it takes, and what those notice.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{
    caller::Caller,
    connect::{NO_FRAMES, PATIENCE, are_gone, bare, by_ticket, meter, ticket},
    crowd::{Crowd, Entry},
    frames::text_frame,
    process::Meter,
    report::{Figure, Role, Series, quantile},
    servers::{
        Stand,
        chatx::{Engine, Node, Rooms},
    },
};

/// What is run.
#[derive(clap::Args)]
pub(crate) struct Plan {
    /// Fewer, where a process may not have so many open
    #[arg(long, default_value_t = 20_000)]
    pub(crate) sockets: usize,
    #[arg(long, default_value_t = 3)]
    pub(crate) runs: usize,
}

/// Small rooms in which somebody says something now and then, all the time.
const TALKS: usize = 20;
const TALKERS: usize = 5;
const PAUSE: Duration = Duration::from_millis(100);
/// How long they are listened to in peace.
const PEACE: Duration = Duration::from_secs(5);
/// What those who were lost have missed of the one room that is theirs.
const MISSED: usize = 20;
/// What a server needs beside sockets.
const OTHER_FILES: usize = 1_000;
/// A client's ports are few for one address of a server, so they are spread over several.
const ADDRESSES: usize = 8;
/// How often the store was asked for events of a room.
const LOG_READS: &str = "chatx_log_reads_total";

pub(crate) async fn run(plan: &Plan) -> Result<Vec<Figure>> {
    let sockets = plan
        .sockets
        .min(open_files_limit()?.saturating_sub(OTHER_FILES));
    if sockets < plan.sockets {
        println!("  only {sockets} sockets: a process may not have more files open here");
    }
    let series = |role| {
        Series::of(
            if role == Role::Ours {
                "chatx, SQLite"
            } else {
                "axum, bare upgrade"
            },
            role,
            Vec::new(),
        )
    };
    let mut back = [series(Role::Ours), series(Role::Base)];
    let [mut again, mut reads] = [series(Role::Ours), series(Role::Ours)];
    let mut p99 = [
        Series::of("chatx, in the storm", Role::Ours, Vec::new()),
        Series::of("chatx, in peace", Role::Base, Vec::new()),
    ];
    for run in 0..plan.runs {
        let seen = chatx(sockets).await.context("chatx")?;
        let floor = afternoon(sockets)?;
        println!(
            "  run {}: all are back after {:.2} s (axum, bare {floor:.2} s), {} came in vain at first; \
             sends took {:.1} ms (p99), in peace {:.1} ms",
            run + 1,
            seen.back_s,
            seen.again,
            seen.p99_ms,
            seen.peace_p99_ms,
        );
        back[0].runs.push(seen.back_s);
        back[1].runs.push(floor);
        again.runs.push(seen.again);
        p99[0].runs.push(seen.p99_ms);
        p99[1].runs.push(seen.peace_p99_ms);
        reads.runs.extend(seen.reads);
    }
    let figure = |measure, unit, series| Figure {
        part: "storm",
        what: format!("{sockets} sockets come back at once"),
        measure,
        unit,
        series,
        aim: None,
    };
    let mut figures = vec![
        figure("until all are back", "s", back.into()),
        figure("send → ack of others, p99", "ms", p99.into()),
        figure("had to come again", "", vec![again]),
    ];
    if !reads.runs.is_empty() {
        figures.push(figure("reads of a room's log", "", vec![reads]));
    }
    Ok(figures)
}

struct Seen {
    back_s: f64,
    again: f64,
    p99_ms: f64,
    peace_p99_ms: f64,
    /// If the server counts them.
    reads: Option<f64>,
}

async fn chatx(sockets: usize) -> Result<Seen> {
    let node = Node::start(Engine::Sqlite).await?;
    let rooms = node.furnish(TALKS + 1, TALKERS).await?;
    let meter = node.meter()?;
    let mut crowd = Crowd::new()?;
    let address = node.chatx.address();
    let talkers = (0..TALKS * TALKERS)
        .map(|number| rooms.entry(&address, number % TALKERS, number / TALKERS));
    crowd.join(talkers.collect::<Result<_>>()?, TALKERS)?;
    let there = meter.open_sockets()?;
    let mut callers = Vec::new();
    for token in &rooms.tokens {
        callers.push(Caller::new(&address, token)?);
    }
    let room = &rooms.ids[TALKS];
    for number in 0..2 * MISSED {
        let body =
            serde_json::json!({ "body": format!("something that was said, number {number}") });
        callers[0].post(&format!("/v1/rooms/{room}/messages"), &body)?;
    }
    let head = callers[0].get(&format!("/v1/rooms/{room}"))?["head"].as_u64();
    let after = head.context("a head")?.saturating_sub(MISSED as u64);
    let port = address.rsplit(':').next().context("a port")?.parse()?;
    let mut entry = |number: usize| -> Result<Entry> {
        Ok(Entry {
            address: spread(number, port),
            request: by_ticket(&ticket(&mut callers[number % TALKERS])?),
            first_frames: text_frame(&format!(
                r#"{{"type":"subscribe","room":"{room}","after":{after}}}"#
            )),
            subscriptions: 1,
        })
    };
    let first = crowd.len();
    crowd.join((0..sockets).map(&mut entry).collect::<Result<_>>()?, 256)?;
    let tickets = (0..sockets).map(&mut entry).collect::<Result<Vec<_>>>()?;
    let mut talk = Talk::of(&rooms);
    let end = Instant::now() + PEACE;
    while Instant::now() < end {
        talk.go_on(&mut crowd)?;
        crowd.turn(Duration::from_millis(5))?;
    }
    let peace = std::mem::take(&mut talk.took);
    crowd.lose(first);
    until_gone(&meter, there, || {
        talk.go_on(&mut crowd)?;
        crowd.turn(Duration::from_millis(5)).map(drop)
    })?;
    talk.took.clear();
    for (number, entry) in tickets.into_iter().enumerate() {
        crowd.readdress(first + number, entry);
    }
    let (reads, begun) = (node.counted(LOG_READS)?, Instant::now());
    crowd.bring_in(first, usize::MAX, |crowd| talk.go_on(crowd))?;
    let back_s = begun.elapsed().as_secs_f64();
    Ok(Seen {
        back_s,
        again: crowd.refused as f64,
        p99_ms: p99(talk.took),
        peace_p99_ms: p99(peace),
        reads: node
            .counted(LOG_READS)?
            .map(|all| all - reads.unwrap_or(0.0)),
    })
}

fn afternoon(sockets: usize) -> Result<f64> {
    let stand = Stand::start("afternoon", NO_FRAMES)?;
    let meter: Meter = meter(&stand)?;
    let there = meter.open_sockets()?;
    let entries = || {
        let entries = bare(&stand, sockets).into_iter().enumerate();
        entries.map(|(number, entry)| Entry {
            address: spread(number, stand.port),
            ..entry
        })
    };
    let mut crowd = Crowd::new()?;
    crowd.join(entries().collect(), 256)?;
    crowd.lose(0);
    until_gone(&meter, there, || {
        sleep(Duration::from_millis(5));
        Ok(())
    })?;
    let begun = Instant::now();
    crowd.bring_in(0, usize::MAX, |_| Ok(()))?;
    Ok(begun.elapsed().as_secs_f64())
}

/// Waits until the server has noticed who is gone.
fn until_gone(
    meter: &Meter,
    there: usize,
    mut meanwhile: impl FnMut() -> Result<()>,
) -> Result<()> {
    let begun = Instant::now();
    let mut looked = begun;
    loop {
        // To look takes a while where there are many.
        if looked.elapsed() > Duration::from_millis(200) {
            if are_gone(meter, there)? {
                return Ok(());
            }
            ensure!(
                begun.elapsed() < PATIENCE,
                "the server keeps sockets that are gone"
            );
            looked = Instant::now();
        }
        meanwhile()?;
    }
}

fn spread(number: usize, port: u16) -> SocketAddr {
    let last = u8::try_from(number % ADDRESSES + 1).unwrap_or(1);
    SocketAddr::from(([127, 0, 0, last], port))
}

fn p99(mut took: Vec<f64>) -> f64 {
    took.sort_by(f64::total_cmp);
    quantile(&took, 0.99)
}

/// The talk that goes on meanwhile: the first of each room says something at every pause, whatever the answers do.
struct Talk {
    rooms: Vec<String>,
    next: Instant,
    turn: usize,
    sent: u64,
    /// When each message that has no answer was to be sent, room by room.
    waiting: Vec<VecDeque<Instant>>,
    /// How many acks each room has had.
    acks: Vec<u64>,
    /// Milliseconds from send to ack.
    took: Vec<f64>,
}

impl Talk {
    fn of(rooms: &Rooms) -> Self {
        Self {
            rooms: rooms.ids[..TALKS].to_vec(),
            next: Instant::now(),
            turn: 0,
            sent: 0,
            waiting: vec![VecDeque::new(); TALKS],
            acks: vec![0; TALKS],
            took: Vec::new(),
        }
    }

    /// Takes the answers of the last turn, and says what is due.
    fn go_on(&mut self, crowd: &mut Crowd) -> Result<()> {
        let mut number = 0;
        while let Some(news) = crowd.news(number) {
            number += 1;
            let room = news.member / TALKERS;
            if !news.member.is_multiple_of(TALKERS) || room >= TALKS {
                continue;
            }
            for _ in self.acks[room]..news.acks {
                let sent = self.waiting[room]
                    .pop_front()
                    .context("an ack that nobody waits for")?;
                self.took.push((news.at - sent).as_secs_f64() * 1e3);
            }
            self.acks[room] = news.acks;
        }
        let now = Instant::now();
        while self.next <= now {
            let room = self.turn % TALKS;
            self.sent += 1;
            let frame = format!(
                r#"{{"type":"send","room":"{}","client_id":"talk-{}","body":"still here"}}"#,
                self.rooms[room], self.sent
            );
            crowd.say(room * TALKERS, &text_frame(&frame))?;
            self.waiting[room].push_back(self.next);
            self.turn += 1;
            self.next += PAUSE / u32::try_from(TALKS)?;
        }
        let late = self.waiting.iter().filter_map(|room| room.front());
        ensure!(
            late.clone()
                .all(|sent| sent.elapsed() < Duration::from_secs(30)),
            "a message is not answered"
        );
        Ok(())
    }
}

fn open_files_limit() -> Result<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits")?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next());
    Ok(soft.context("a limit")?.parse().unwrap_or(usize::MAX))
}
