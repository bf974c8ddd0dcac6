//! A run from its beginning to its report.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, ensure};
use client::Random;
use protocol::{RoomId, Seq};
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    check::{Bounds, Breach, Promise, check},
    crowd::{self, Crowd},
    diary::{Diary, Moment, Stopwatch},
    faults::{Ground, Incident},
    memory::{self, Peaks},
    options::{Options, Timings},
    plan::{Stage, plan},
    progress::Progress,
    recovery,
    report::{Counts, Report},
    stored::{self, Stored},
    system::{System, Wanted},
};

/// What everybody is left in peace for before the first fault.
const PEACE: Duration = Duration::from_secs(3);
/// How long everybody may take to have a socket, at most.
const COMING: Duration = Duration::from_secs(30);
/// How long everything together may take to come to rest.
const REST: Duration = Duration::from_secs(120);
/// By how much the clocks of other machines may differ.
const CLOCK_SLACK: Duration = Duration::from_secs(2);
/// A stored time is cut to milliseconds, and the clock of the database was read after ours.
const SAME_CLOCK: Duration = Duration::from_millis(5);

/// Runs it and prints the report; whether every promise held. `flags` are settings for what is started.
///
/// # Errors
/// When there is nothing to judge: the system does not start, or a fault cannot be made.
pub async fn run(options: &Options, flags: &[(String, String)]) -> Result<bool> {
    let seed = options
        .seed
        .unwrap_or_else(|| Random::system().bits() % 1_000_000);
    let kinds = options.kinds().map_err(|error| anyhow!(error))?;
    ensure!(
        options.clients > 0 && options.rooms > 0,
        "somebody must be somewhere"
    );
    ensure!(
        options.coordinators > 0 && options.handlers > 0,
        "something must run"
    );
    let mut progress = Progress::start();
    progress.say(&format!(
        "seed {seed}; the plan takes {:?}",
        options.duration
    ));

    let mut ground = ground(options, flags).await?;
    let stopwatch = Stopwatch::start();
    let began_unix_ms = stored::unix_ms(ground.database()).await?;
    let coordinators = match &ground {
        Ground::Own(system) => system.coordinators.len(),
        Ground::Others { .. } => 1,
    };
    let handlers = handlers(&ground, options);
    let wanted = crowd::Wanted {
        clients: options.clients,
        rooms: options.rooms,
        pace: options.pace,
        seed,
    };
    progress.say(&format!(
        "{} clients gather in {} rooms",
        wanted.clients, wanted.rooms
    ));
    let mut crowd = Crowd::gather(&wanted, &handlers, stopwatch).await?;
    let peaks = Arc::new(Mutex::new(Peaks::new()));
    let watching = match &ground {
        Ground::Own(system) => {
            let (ids, peaks) = (system.ids(), Arc::clone(&peaks));
            Some(tokio::spawn(
                async move { memory::watch(ids, &peaks).await },
            ))
        }
        Ground::Others { .. } => None,
    };

    crowd.start();
    progress.now(&crowd.board, "everybody comes in");
    let coming = crowd.board.until_live(crowd.sockets(), COMING);
    let never = std::future::pending::<()>();
    progress.during(&crowd.board, coming, never).await;
    let ready = crowd.board.now();
    let stage = Stage {
        duration: options.duration.saturating_sub(PEACE),
        kinds,
        coordinators,
    };
    let outcome = break_things(&mut ground, &crowd, seed, &stage, &mut progress).await;
    let rest = match &outcome {
        Ok(_) => come_to_rest(&ground, &crowd, options, &mut progress).await,
        Err(_) => Ok(Rest::default()),
    };
    if let Some(watching) = watching {
        watching.abort();
    }
    progress.end();
    if let (Ground::Own(system), Some(directory)) = (&ground, &options.logs) {
        system.keep_logs(directory)?;
    }
    let (incidents, rest) = (outcome?, rest?);
    let (rooms, board) = (crowd.rooms(), Arc::clone(&crowd.board));
    let ended = board.now();
    let diary = crowd.leave().await;
    let stored = stored::read(ground.database(), &rooms, began_unix_ms).await?;

    let outcome = Outcome {
        diary,
        stored,
        incidents,
        rest,
        ready,
        peaks: peaks
            .lock()
            .expect("nothing panics while holding this")
            .clone(),
    };
    let report = Report {
        seed,
        command: command(seed),
        took_s: Duration::from_micros(ended.0).as_secs_f64(),
        delivered: board.delivered.load(Ordering::Relaxed),
        ..outcome.judged(options)
    };
    if let Some(path) = &options.json {
        let json = serde_json::to_vec_pretty(&report)?;
        std::fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))?;
    }
    report.print();
    Ok(report.breaches.is_empty())
}

/// Everything that there is to judge.
struct Outcome {
    diary: Diary,
    stored: Stored,
    incidents: Vec<Incident>,
    rest: Rest,
    /// When everybody had a socket.
    ready: Moment,
    peaks: Peaks,
}

impl Outcome {
    fn judged(self, options: &Options) -> Report {
        let bounds = Bounds {
            quiet: self.rest.quiet,
            final_within: options.final_within,
            clock_slack: match options.url.is_empty() {
                true => SAME_CLOCK,
                false => CLOCK_SLACK,
            },
        };
        let mut breaches = check(&self.diary, &self.stored, &bounds);
        if !self.rest.is_settled {
            let what = "some messages had no answer, or somebody did not come again".to_owned();
            breaches.add(Promise::I8, about_nobody(what));
        }
        let recoveries = recovery::recoveries(&self.diary, &self.incidents);
        let timings_count = options.timings == Timings::Judge;
        if timings_count {
            recovery::judge(&recoveries, &mut breaches);
        }
        for (name, mib) in self.peaks.iter().filter(|(_, mib)| **mib > options.memory) {
            let what = format!("{name} had {mib} MiB, and may have {}", options.memory);
            breaches.add(Promise::I10, about_nobody(what));
        }
        Report {
            counts: Counts::of(&self.diary, &self.stored),
            redis_free: recovery::redis_free(&self.diary, &self.incidents, self.ready),
            recoveries,
            peaks_mib: self.peaks,
            timings_count,
            breaches,
            ..Report::default()
        }
    }
}

/// The names and urls of what serves HTTP.
fn handlers(ground: &Ground, options: &Options) -> Vec<(String, String)> {
    match ground {
        Ground::Own(system) => {
            let handlers = system.handlers.iter();
            handlers
                .map(|process| (process.name.clone(), process.url()))
                .collect()
        }
        Ground::Others { .. } => {
            let urls = options.url.iter();
            urls.map(|url| (url.clone(), url.clone())).collect()
        }
    }
}

async fn ground(options: &Options, flags: &[(String, String)]) -> Result<Ground> {
    let of = |name: &str| {
        flags
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
    };
    if !options.url.is_empty() {
        let database = of("DATABASE_URL").context("a running system needs --database-url too")?;
        ensure!(
            options.break_rule.is_none(),
            "--break-rule needs processes of our own"
        );
        return Ok(Ground::Others { database });
    }
    let mut settings = flags.to_vec();
    settings.retain(|(name, _)| {
        ![
            "DATABASE_URL",
            "REDIS_URL",
            "CHATX_LISTEN",
            "CHATX_DATA_DIR",
        ]
        .contains(&name.as_str())
    });
    if let Some(rule) = &options.break_rule {
        settings.push(("CHATX_BROKEN_RULE".to_owned(), rule.clone()));
    }
    let wanted = Wanted {
        coordinators: options.coordinators,
        handlers: options.handlers,
        settings,
    };
    Ok(Ground::Own(Box::new(System::start(&wanted).await?)))
}

/// Breaks one thing after the other, until the plan is over or somebody presses Ctrl-C.
async fn break_things(
    ground: &mut Ground,
    crowd: &Crowd,
    seed: u64,
    stage: &Stage,
    progress: &mut Progress,
) -> Result<Vec<Incident>> {
    let end = Instant::now() + PEACE + stage.duration;
    let stop = tokio::signal::ctrl_c();
    tokio::pin!(stop);
    progress.now(&crowd.board, "peace");
    let mut is_stopped = progress
        .during(&crowd.board, sleep(PEACE), &mut stop)
        .await
        .is_none();
    let mut incidents = Vec::new();
    for fault in plan(seed, stage) {
        if is_stopped {
            break;
        }
        let (what, _) = ground.describe(&fault);
        progress.now(&crowd.board, &format!("{what}, {:.1?}", fault.hold));
        // What has begun is ended and mended, whoever is in a hurry.
        let breaking = ground.break_one(&fault, crowd);
        let incident = progress
            .during(&crowd.board, breaking, std::future::pending::<()>())
            .await;
        incidents.push(incident.expect("nothing interrupts it")?);
        is_stopped = timeout_at(Instant::now(), &mut stop).await.is_ok();
    }
    if incidents.is_empty() && !is_stopped {
        let rest = tokio::time::sleep_until(end);
        progress.during(&crowd.board, rest, &mut stop).await;
    }
    Ok(incidents)
}

/// How it ended.
#[derive(Clone, Copy, Debug, Default)]
struct Rest {
    quiet: Moment,
    /// Whether everything was answered and everybody was in their rooms.
    is_settled: bool,
}

/// Lets everything be answered and everybody catch up.
async fn come_to_rest(
    ground: &Ground,
    crowd: &Crowd,
    options: &Options,
    progress: &mut Progress,
) -> Result<Rest> {
    if let Ground::Own(system) = ground {
        system.mend();
    }
    progress.now(&crowd.board, "coming to rest");
    let resting = async {
        let by = Instant::now() + REST;
        loop {
            let is_settled = crowd.quiet().await;
            let heads = heads(ground.database(), &crowd.rooms()).await?;
            let quiet = crowd.board.now();
            let reached = crowd
                .board
                .until_reached(&heads, options.final_within)
                .await;
            // Somebody may have come back in between.
            let is_same = heads == self::heads(ground.database(), &crowd.rooms()).await?;
            if is_same || !reached || Instant::now() > by {
                return anyhow::Ok(Rest { quiet, is_settled });
            }
        }
    };
    let never = std::future::pending::<()>();
    let rest = progress.during(&crowd.board, resting, never).await;
    rest.expect("nothing interrupts it")
}

async fn heads(database: &str, rooms: &[RoomId]) -> Result<HashMap<RoomId, Seq>> {
    Ok(stored::heads(database, rooms).await?.into_iter().collect())
}

fn about_nobody(what: String) -> Breach {
    Breach {
        room: None,
        seq: None,
        client: None,
        what,
    }
}

/// What was typed, with the seed.
fn command(seed: u64) -> String {
    let mut words: Vec<String> = std::env::args().collect();
    if let Some(program) = words.first_mut() {
        "chatx".clone_into(program);
    }
    if !words
        .iter()
        .any(|word| word == "--seed" || word.starts_with("--seed="))
    {
        words.extend(["--seed".to_owned(), seed.to_string()]);
    }
    words.join(" ")
}
