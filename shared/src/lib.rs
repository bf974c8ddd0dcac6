//! What both halves of the server stand on: the clock, the settings, the store, tokens, limits and
//! what nodes whisper to each other. It serves no socket and no HTTP.
//!
//! Modules are listed in reading order.
#![warn(missing_docs)]

pub mod clock;
pub mod refusal;
pub mod settings;
pub mod broken_rule;

pub mod appender;
pub mod nudges;
pub mod store;

pub mod passwords;
pub mod token;
pub mod totp;
pub mod oidc;

pub mod cluster;
mod certificates;
pub mod internal_tls;
pub mod internal_client;
pub mod hints;
pub mod news;
pub mod ring;
pub mod gateways;

pub mod redis_link;

pub mod limiter;
pub mod presence;
pub mod revocations;
pub mod bot_tokens;
pub mod tickets;
pub mod indexing;
pub mod trust;
pub mod outside;
pub mod delivering;
pub mod erasing;
pub mod upkeep;

pub mod app;
pub mod audit;
pub mod mail;
pub mod address;
pub mod caller;
pub mod proving;
pub mod origin;

pub mod bots;
pub mod direct;
pub mod files;
pub mod export;
pub mod identities;
pub mod leaving;
pub mod marks;
pub mod messages;
pub mod profiles;
pub mod reports;
pub mod rooms;
pub mod hooks;
pub mod webhooks;
pub mod admin;

pub use app::App;
pub use appender::Appender;
pub use caller::Caller;
pub use clock::Clock;
pub use refusal::Refusal;
pub use settings::Settings;
pub use store::Store;
