//! Every part in one call, short enough to wait for.

use anyhow::{Context, Result};

use crate::{
    append, connect, fanout, growth, history, idle, redis,
    report::{Figure, Report},
    rooms, steady, storm,
};

/// What is run.
#[derive(clap::Args)]
pub(crate) struct Plan {
    /// Runs of each part
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Events in the full store of `history`; loading ten million takes a while
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
}

/// Measures everything. A part that fails is told at the end and keeps no other from running.
///
/// # Errors
/// When a part fails.
pub(crate) async fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let &Plan { runs, events } = plan;
    let mut failed = Vec::new();
    let mut take = |part: &'static str, figures: Result<Vec<Figure>>| match figures.context(part) {
        Ok(figures) => report.add(figures),
        Err(error) => {
            println!("\n{error:?}");
            failed.push(part);
        }
    };
    let fanout = fanout::Plan {
        subscribers: 1_000,
        windows: vec![8, 64],
        seconds: 3,
        runs,
        sqlite_only: false,
    };
    take("fanout", fanout::run(&fanout).await);
    let rooms = rooms::Plan {
        rooms: 100,
        members: 10,
        seconds: 3,
        runs,
        sqlite_only: false,
    };
    take("rooms", rooms::run(&rooms).await);
    let steady = steady::Plan {
        subscribers: 1_000,
        rate: 5,
        seconds: 4,
        runs,
        sqlite_only: false,
    };
    take("steady", steady::run(&steady).await);
    let sockets = 4_000;
    take(
        "connect",
        connect::run(&connect::Plan { sockets, runs }).await,
    );
    let sockets = 20_000;
    take("storm", storm::run(&storm::Plan { sockets, runs: 1 }).await);
    let idle = idle::Plan {
        sockets: 5_000,
        rooms: 10_000,
        runs: 1,
    };
    take("idle", idle::run(&idle).await);
    let growth = growth::Plan {
        subscribers: vec![100, 5_000],
        rooms: vec![0, 1_000, 100_000],
        nodes: vec![1, 3],
        seconds: 3,
        runs,
    };
    take("growth", growth::run(&growth).await);
    let history = history::Plan {
        events,
        few: 10_000,
        rooms: 500,
        requests: 500,
        runs,
        sqlite_only: false,
    };
    take("history", history::run(&history).await);
    let append = append::Plan {
        batch: 256,
        seconds: 1,
        runs,
    };
    take("append", append::run(&append).await);
    let redis = redis::Plan {
        coordinators: 1,
        fault: redis::Fault::Killed,
        pairs: runs,
        window: 5,
        clients: 50,
        rooms: 25,
        every: 500,
        probes: false,
    };
    take("redis", redis::run(&redis).await);
    anyhow::ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}
