//! ChatX in a terminal: a chat to live in (`chatx chat`), and commands for scripts. It stands on
//! `client`, which owns reconnecting, resuming and resending; no command line but its own is its concern.
//!
//! Modules are listed in reading order: what is said on the command line, what every command stands on,
//! the commands for scripts, and the chat.

mod options;
mod exit;
mod place;

mod text;
mod password;
mod progress;
mod finding;
mod sending;

mod account;
mod rooms;
mod send;
mod tail;
mod export;
mod import;

mod chat;

pub use options::Command;
pub use place::Now;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use place::Place;

/// Does what the command line says, and answers with the exit code that docs/terminal.md promises.
pub fn run(command: Command, now: Now) -> ExitCode {
    let json = command.json();
    exit::code(started(command, now), json)
}

fn started(command: Command, now: Now) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("the program cannot be started")?;
    let result = runtime.block_on(done(command, now));
    // A read of standard input that nobody waits for any more would hold the program.
    runtime.shutdown_background();
    result
}

async fn done(command: Command, now: Now) -> Result<()> {
    let place = Place::of_user(now.clone())?;
    match command {
        Command::Chat(options) => chat::run(&place, options, now).await,
        Command::Login(options) => account::log_in(&place, options).await,
        Command::Logout(options) => account::log_out(&place, &options).await,
        Command::Rooms(options) => rooms::list(&place, options).await,
        Command::Send(options) => send::send(&place, options).await,
        Command::Tail(options) => tail::tail(&place, &options).await,
        Command::Export(options) => export::export(&place, options).await,
        Command::Import(options) => import::import(&place, options).await,
    }
}
