//! Benchmarks of the message path, run by hand: each beside a floor in the same run, so that ratios
//! count and not the machine.
#![expect(
    clippy::print_stdout,
    reason = "a benchmark is a command, and its figures are what it prints"
)]

mod account;
mod append;
mod bare;
mod fanout;
mod floor;
mod idle;
mod process;
mod redis;
mod socket;
mod subscribers;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "bench",
    about = "Measures ChatX beside the least that could be done"
)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Messages stored in a second, in batches, one by one, and by the bare insert, on both engines
    Append {
        #[arg(long, default_value_t = 256)]
        batch: usize,
        #[arg(long, default_value_t = 2)]
        seconds: u64,
        #[arg(long, default_value_t = 5)]
        rounds: usize,
    },
    /// One room with many sockets, flat out: server CPU per delivery
    Fanout {
        #[arg(long, default_value_t = 1_000)]
        subscribers: usize,
        #[arg(long, default_value_t = 10)]
        seconds: u64,
        #[arg(long, default_value_t = 3)]
        runs: usize,
    },
    /// Many silent sockets: bytes of server memory each
    Idle {
        #[arg(long, default_value_t = 2_000)]
        sockets: usize,
    },
    /// A steady talk with Redis and while it is stopped, in turn: send → ack
    Redis(redis::Plan),
    /// Serves the floor of `fanout`; started by it
    #[command(hide = true)]
    Floor { port: u16, subscribers: usize },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    match Arguments::parse().what {
        What::Append {
            batch,
            seconds,
            rounds,
        } => append::run(batch, seconds, rounds).await,
        What::Fanout {
            subscribers,
            seconds,
            runs,
        } => fanout::run(subscribers, seconds, runs).await,
        What::Idle { sockets } => idle::run(sockets).await,
        What::Redis(plan) => redis::run(plan).await,
        What::Floor { port, subscribers } => floor::serve(port, subscribers).await,
    }
}
