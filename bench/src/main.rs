//! Benchmarks of the message path, run by hand: each beside a floor or a bare alternative in the same run, so that ratios
//! count and not the machine.
#![expect(
    clippy::print_stdout,
    reason = "a benchmark is a command, and its figures are what it prints"
)]
#![expect(
    clippy::cast_precision_loss,
    reason = "figures have far fewer digits than an f64 holds"
)]

mod fanout;
mod rooms;
mod steady;
mod append;
mod bare;
mod redis;

mod side;
mod crowd;
mod frames;
mod servers;
mod account;
mod process;

mod machine;
mod report;
mod picture;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use servers::{Sizes, afternoon, floor};
use tokio::runtime;

use crate::{machine::Machine, process::Meter, report::Report};

#[derive(Parser)]
#[command(
    name = "bench",
    about = "Measures ChatX beside the least that could be done"
)]
struct Arguments {
    /// Where the figures are written
    #[arg(long, global = true, default_value = "target/bench")]
    into: PathBuf,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// One room with many sockets, flat out: server CPU per delivery
    Fanout(fanout::Plan),
    /// Many small rooms, flat out: server and database CPU per delivery and per message
    Rooms(rooms::Plan),
    /// One room with many sockets at a steady pace: delivery latency
    Steady(steady::Plan),
    /// Messages stored in a second, in batches, one by one, and by the bare insert, on both engines
    Append {
        #[arg(long, default_value_t = 256)]
        batch: usize,
        #[arg(long, default_value_t = 2)]
        seconds: u64,
        #[arg(long, default_value_t = 5)]
        rounds: usize,
    },
    /// A steady talk with Redis and while it is stopped, in turn: send → ack
    Redis(redis::Plan),
    /// Serves as the floor; started by the others
    #[command(hide = true)]
    Floor(Stand),
    /// Serves as axum with a broadcast channel; started by the others
    #[command(hide = true)]
    Afternoon(Stand),
}

#[derive(clap::Args)]
struct Stand {
    port: u16,
    event_bytes: usize,
    ack_bytes: usize,
}

fn main() -> anyhow::Result<()> {
    let Arguments { into, what } = Arguments::parse();
    match what {
        What::Floor(stand) => {
            servers::end_with_parent();
            floor::serve(stand.address(), stand.sizes())
        }
        What::Afternoon(stand) => {
            servers::end_with_parent();
            let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(afternoon::serve(stand.address(), stand.sizes()))
        }
        what => {
            let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(measure(what, &into))
        }
    }
}

async fn measure(what: What, into: &std::path::Path) -> anyhow::Result<()> {
    let mut report = Report::new(Machine::look());
    // The servers inherit it, so that each takes the machine for one with one processor, and are moved to another.
    Meter::own().pin_to(1)?;
    match what {
        What::Fanout(plan) => report.add(fanout::run(&plan).await?),
        What::Rooms(plan) => report.add(rooms::run(&plan).await?),
        What::Steady(plan) => report.add(steady::run(&plan).await?),
        What::Append {
            batch,
            seconds,
            rounds,
        } => append::run(batch, seconds, rounds).await?,
        What::Redis(plan) => redis::run(plan).await?,
        What::Floor(_) | What::Afternoon(_) => unreachable!("they serve"),
    }
    report.write(into)
}

impl Stand {
    fn address(&self) -> std::net::SocketAddr {
        ([0, 0, 0, 0], self.port).into()
    }

    fn sizes(&self) -> Sizes {
        Sizes {
            event_bytes: self.event_bytes,
            ack_bytes: self.ack_bytes,
        }
    }
}
