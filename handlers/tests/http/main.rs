//! What the HTTP half promises, asked through its own router over a real store.

mod accounts;
mod cookies;
mod documents;
mod limits;
mod messages;
mod refusals;
mod rooms;
mod server;
