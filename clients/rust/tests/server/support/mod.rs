//! Wires that can be cut, and what stands between a client and its server.

mod garbler;
mod herald;
mod relay;
mod tls;

pub(crate) use e2e::{
    crowd::{Crowd, Listener, PASSWORD, Steady, body, hasty, register, room_of, soon, stored},
    unlimited,
};
pub(crate) use garbler::garbler;
pub(crate) use herald::Herald;
pub(crate) use relay::Relay;
pub(crate) use tls::Terminator;
