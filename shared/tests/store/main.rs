//! The store on real databases: its contract, and its promises under concurrency and faults.

mod accounts;
mod contract;
mod ground;
