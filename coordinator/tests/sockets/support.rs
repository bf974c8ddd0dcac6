//! A whole node on a real listener with a real store, and people who talk to it over real sockets.

mod client;
mod node;

pub(crate) use client::Client;
pub(crate) use node::{Person, TestNode};
