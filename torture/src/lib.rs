//! Starts a whole system, or is pointed at one, drives load through real clients, breaks one part after
//! the other, and checks that what the system promises holds.
//!
//! Modules are listed in reading order: what a run is, how it is made to happen, and what is judged of
//! what happened.

mod options;
mod run;
mod progress;
mod report;

mod chance;
mod plan;
mod faults;
mod system;
mod proxy;

mod crowd;
mod diary;

mod stored;
mod check;
mod recovery;
mod memory;

pub use options::{Options, Timings, after_help};
pub use run::run;
