//! The store on real databases: its contract, and its promises under concurrency and faults.

mod contract;
mod ground;
