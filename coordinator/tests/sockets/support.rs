//! A whole node on a real listener with a real store, and people who talk to it over real sockets.

mod client;
mod node;
mod cluster;

pub(crate) use client::{Client, Log};
pub(crate) use cluster::Cluster;
pub(crate) use node::{Kept, Person, TestNode};
