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
#![expect(
    clippy::disallowed_methods,
    reason = "one thread measures, and nobody else waits for it while it sleeps"
)]

mod fanout;
mod rooms;
mod steady;
mod connect;
mod storm;
mod idle;
mod growth;
mod history;
mod append;
mod bare;
mod redis;
mod page;

mod all;
mod side;
mod crowd;
mod frames;
mod servers;
mod account;
mod caller;
mod bulk;
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
    /// Every part, one after the other
    All(all::Plan),
    /// One room with many sockets, flat out: server CPU per delivery
    Fanout(fanout::Plan),
    /// Many small rooms, flat out: server and database CPU per delivery and per message
    Rooms(rooms::Plan),
    /// One room with many sockets at a steady pace: delivery latency
    Steady(steady::Plan),
    /// Sockets coming in: server CPU each, beside a bare upgrade
    Connect(connect::Plan),
    /// All sockets lost and back at once, while others talk
    Storm(storm::Plan),
    /// Silent sockets and rooms: bytes of server memory each
    Idle(idle::Plan),
    /// The cost of a delivery in larger rooms, of a message among more rooms and on more nodes
    Growth(growth::Plan),
    /// Reading back and searching among few events and among very many
    History(history::Plan),
    /// Messages stored in a second, in batches, one by one, and by the bare insert, on both engines
    Append(append::Plan),
    /// A steady talk with Redis and while it is stopped, in turn: send → ack
    Redis(redis::Plan),
    /// The page in a room of 100,000 messages, in Chromium: its longest task
    Page(page::Plan),
    /// Serves as the floor; started by the others
    #[command(hide = true)]
    Floor(Stand),
    /// Serves as the floor that stores what is said; started by the others
    #[command(hide = true)]
    DurableFloor(Stand),
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
            floor::serve(stand.address(), stand.sizes(), false)
        }
        What::DurableFloor(stand) => {
            servers::end_with_parent();
            floor::serve(stand.address(), stand.sizes(), true)
        }
        What::Afternoon(stand) => {
            servers::end_with_parent();
            let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(afternoon::serve(stand.address(), stand.sizes()))
        }
        what => {
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(measure(what, &into))
        }
    }
}

async fn measure(what: What, into: &std::path::Path) -> anyhow::Result<()> {
    let mut report = Report::new(Machine::look());
    // The servers inherit it, so that each takes the machine for one with one processor, and are moved to another.
    Meter::own().pin_to(1)?;
    let measured = take(what, &mut report).await;
    // What was measured before a part failed is kept.
    if !report.is_empty() {
        report.write(into)?;
    }
    measured
}

async fn take(what: What, report: &mut Report) -> anyhow::Result<()> {
    match what {
        What::All(plan) => all::run(&plan, report).await?,
        What::Fanout(plan) => report.add(fanout::run(&plan).await?),
        What::Rooms(plan) => report.add(rooms::run(&plan).await?),
        What::Steady(plan) => report.add(steady::run(&plan).await?),
        What::Connect(plan) => report.add(connect::run(&plan).await?),
        What::Storm(plan) => report.add(storm::run(&plan).await?),
        What::Idle(plan) => report.add(idle::run(&plan).await?),
        What::Growth(plan) => report.add(growth::run(&plan).await?),
        What::History(plan) => report.add(history::run(&plan).await?),
        What::Append(plan) => report.add(append::run(&plan).await?),
        What::Redis(plan) => report.add(redis::run(&plan).await?),
        What::Page(plan) => report.add(page::run(&plan).await?),
        What::Floor(_) | What::DurableFloor(_) | What::Afternoon(_) => unreachable!("they serve"),
    }
    Ok(())
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
