//! Whole systems under test: real processes, sockets, databases and browsers. Here is the client that
//! the tests speak through; what is promised is in `tests/`.

mod http;
mod person;
mod receiver;
mod server;
mod socket;

pub mod crowd;
pub mod stack;

pub use http::{Answer, Http};
pub use person::{Person, unique};
pub use receiver::{Received, Receiver};
pub use server::{on_each_engine, unlimited, until_linked, until_logged};
pub use socket::{Ended, Socket, request};

use std::time::Duration;

/// How long anything may take before a test gives up. Only a bound for failures: no test is about time.
pub const PATIENCE: Duration = Duration::from_secs(60);
