//! What a stopped Redis costs a message: send → ack in windows with Redis and without it, in turn, under
//! one steady load, so that what else the machine does falls on both.

mod probes;
mod talkers;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::ValueEnum;
use protocol::frame::SUBPROTOCOL;
use tokio::time::{sleep, sleep_until};
use tokio_tungstenite::tungstenite::{client::IntoClientRequest, handshake::client::Request};

use probes::Probes;
use talkers::{Sample, Talkers};

use crate::{
    process::Meter,
    report::{Aim, Figure, Role, Series, quantile},
    servers::fleet::Fleet,
};

/// How Redis goes away.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Fault {
    /// `kill -9`: connections break, and new ones are refused
    Killed,
    /// SIGSTOP: connections stay open, and nothing answers
    Paused,
}

/// What is run.
#[derive(clap::Args)]
pub(crate) struct Plan {
    #[arg(long, default_value_t = 1)]
    pub(crate) coordinators: usize,
    #[arg(long, value_enum, default_value_t = Fault::Killed)]
    pub(crate) fault: Fault,
    /// Windows with Redis and as many without it
    #[arg(long, default_value_t = 6)]
    pub(crate) pairs: usize,
    /// Seconds of a window
    #[arg(long, default_value_t = 10)]
    pub(crate) window: u64,
    #[arg(long, default_value_t = 50)]
    pub(crate) clients: usize,
    #[arg(long, default_value_t = 25)]
    pub(crate) rooms: usize,
    /// Milliseconds between two messages of a client
    #[arg(long, default_value_t = 500)]
    pub(crate) every: u64,
    /// Beside the messages, ask over HTTP and open sockets
    #[arg(long)]
    pub(crate) probes: bool,
}

/// What is measured before the first window is not counted: caches fill, rooms are loaded.
const WARM_UP: Duration = Duration::from_secs(3);
/// After the last window, for the answers that are still under way.
const LAST_ANSWERS: Duration = Duration::from_secs(6);

/// A stretch of the run. It begins with the going or the coming of Redis, so what that does falls in it.
struct Window {
    from: Instant,
    until: Instant,
}

/// Runs the load and prints each pair of windows and the median of their ratios.
///
/// # Errors
/// When a server does not start, or a message is not answered.
pub(crate) async fn run(plan: &Plan) -> Result<Vec<Figure>> {
    // Several coordinators and both stores are more than one processor's load.
    Meter::own().unpin()?;
    let span = Duration::from_secs(plan.window);
    println!(
        "{} clients in {} rooms, a message of each every {} ms; {} coordinators, PostgreSQL; \
         Redis {:?} for {} of {} windows of {} s",
        plan.clients,
        plan.rooms,
        plan.every,
        plan.coordinators,
        plan.fault,
        plan.pairs,
        plan.pairs * 2,
        plan.window,
    );
    let mut fleet = Fleet::start(plan.coordinators, true).await?;
    let every = Duration::from_millis(plan.every);
    let talkers = Talkers::start(&fleet, plan.clients, plan.rooms, every).await?;
    let probes = match plan.probes {
        true => Some(Probes::start(&fleet).await?),
        false => None,
    };
    sleep(WARM_UP).await;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..plan.pairs {
        with.push(window(span).await);
        fleet.stop_redis(plan.fault)?;
        without.push(window(span).await);
        fleet.bring_redis_back(plan.fault).await?;
    }
    sleep(LAST_ANSWERS).await;
    let mut figure = report(&talkers.samples()?, &with, &without)?;
    figure.what =
        format!("{} coordinators, Redis {:?}", plan.coordinators, plan.fault).to_lowercase();
    if let Some(probes) = probes {
        probes.report(&with, &without);
    }
    Ok(vec![figure])
}

async fn window(span: Duration) -> Window {
    let from = Instant::now();
    let until = from + span;
    sleep_until(until.into()).await;
    Window { from, until }
}

impl Window {
    fn has(&self, at: Instant) -> bool {
        (self.from..self.until).contains(&at)
    }
}

/// How long the messages of a window took.
struct Figures {
    p50_us: f64,
    p99_us: f64,
    max_us: f64,
    answered: usize,
    refused: usize,
}

impl Figures {
    fn of(samples: &[Sample], windows: &[Window]) -> Self {
        let within = |sample: &&Sample| windows.iter().any(|it| it.has(sample.sent_at));
        let within: Vec<_> = samples.iter().filter(within).collect();
        let refused = within.iter().filter(|sample| sample.refused).count();
        let mut took: Vec<_> = within
            .iter()
            .filter(|sample| !sample.refused)
            .map(|sample| sample.took.as_secs_f64() * 1e6)
            .collect();
        took.sort_by(f64::total_cmp);
        Self {
            p50_us: quantile(&took, 0.5),
            p99_us: quantile(&took, 0.99),
            max_us: quantile(&took, 1.0),
            answered: took.len(),
            refused,
        }
    }

    fn print(&self, name: &str) {
        println!(
            "  {name:<18} p50 {:>7.0} µs   p99 {:>7.0} µs   max {:>7.0} µs   {} stored, {} refused",
            self.p50_us, self.p99_us, self.max_us, self.answered, self.refused
        );
    }
}

fn report(samples: &[Sample], with: &[Window], without: &[Window]) -> Result<Figure> {
    let mut there = Series::of("with Redis", Role::Base, Vec::new());
    let mut gone = Series::of("without", Role::Ours, Vec::new());
    for (with, without) in with.chunks(1).zip(without.chunks(1)) {
        for (windows, series) in [(with, &mut there), (without, &mut gone)] {
            let figures = Figures::of(samples, windows);
            figures.print(&series.side);
            series.runs.push(figures.p99_us / 1e3);
        }
    }
    for (windows, name) in [(with, "all with Redis"), (without, "all without")] {
        let figures = Figures::of(samples, windows);
        figures.print(name);
        ensure!(figures.answered > 0, "nothing was sent");
    }
    Ok(Figure {
        part: "redis",
        what: String::new(),
        measure: "send → ack, p99",
        unit: "ms",
        series: vec![there, gone],
        aim: Some(Aim::TimesAtMost(1.1)),
    })
}

/// An upgrade to the subprotocol at `url`, for a client that reads what it is told.
///
/// # Errors
/// When the url or the token is none.
fn upgrade(url: &str, token: Option<&str>) -> Result<Request> {
    let mut request = url.into_client_request()?;
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", SUBPROTOCOL.parse()?);
    if let Some(token) = token {
        headers.insert("authorization", format!("Bearer {token}").parse()?);
    }
    Ok(request)
}
