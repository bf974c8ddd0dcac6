//! The store on real databases: its contract, and its promises under concurrency and faults.
#![expect(
    clippy::unwrap_used,
    reason = "a test that panics has failed, which is what it is for"
)]

mod accounts;
mod batches;
mod contract;
mod conversation;
mod direct;
mod derived;
mod faults;
mod ground;
mod identities;
mod nodes;
mod operations;
mod people;
mod plans;
mod pooler;
mod promises;
mod reading;
mod searching;
