//! What nodes share and may lose: limits, presence, tickets, revocations, each other. The same promises
//! are held in one process and through a real Redis, also while it is away.
#![expect(
    clippy::unwrap_used,
    reason = "a test that panics has failed, which is what it is for"
)]

mod app;
mod cluster;
mod ground;
mod gateways;
mod hints;
mod limits;
mod presence;
mod revocations;
mod tickets;
