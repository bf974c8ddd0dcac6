//! The project's own commands. `cargo xtask test` needs nothing but Rust: it gets its servers by itself.

use std::{process::ExitCode, time::Instant};

use anyhow::Result;
use clap::{Parser, Subcommand};

mod step;
mod test;
mod web;

/// The project's own commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run every test, on a private PostgreSQL and Redis started for it
    ///
    /// The servers are found installed, else unpacked from the system's packages into a cache (no rights
    /// needed), else installed by Homebrew or apt, else run in containers. To use your own, set
    /// CHATX_TEST_POSTGRES_URL (a superuser's) and CHATX_TEST_REDIS_URL. Nothing stays behind.
    Test {
        /// Passed on to `cargo test --workspace`: a test's name, `--test e2e`, `-- --nocapture`, …
        #[arg(
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "ARGUMENT"
        )]
        arguments: Vec<String>,
    },
    /// Build the bundle of the browser client from its source; needs npm
    Web {
        /// Change nothing: check types, run the tests, and fail when the bundle in the repository is not what its source gives
        #[arg(long)]
        check: bool,
        /// Run the tests of the page and its SDK against a real server; part of `cargo xtask test` where there is an npm
        #[arg(long, conflicts_with = "check")]
        test: bool,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let start = Instant::now();
    let ended = match Arguments::parse().command {
        Task::Test { arguments } => test::run(&arguments).await,
        Task::Web { check: true, .. } => web::check(),
        Task::Web { test: true, .. } => web::test(),
        Task::Web { .. } => web::build(),
    };
    report(&ended, start);
    ended.unwrap_or(ExitCode::FAILURE)
}

#[expect(
    clippy::print_stderr,
    reason = "a command's last word to the person who ran it"
)]
fn report(ended: &Result<ExitCode>, start: Instant) {
    let elapsed = start.elapsed().as_secs_f32();
    match ended {
        Ok(code) if *code == ExitCode::SUCCESS => eprintln!("xtask: all went well, {elapsed:.1} s"),
        Ok(_) => eprintln!("xtask: failed, see above, {elapsed:.1} s"),
        Err(error) => eprintln!("xtask: failed, {elapsed:.1} s: {error:#}"),
    }
}
