//! What the HTTP half promises, asked through its own router over a real store.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod accounts;
mod admin;
mod bots;
mod administration;
mod conversation;
mod cookies;
mod deleted;
mod documents;
mod files;
mod hooks;
mod leaving;
mod limits;
mod mail;
mod messages;
mod oidc;
mod provider;
mod refusals;
mod reports;
mod rows;
mod rooms;
mod search;
mod server;
mod smtp;
mod totp;
mod trips;
mod webhooks;
