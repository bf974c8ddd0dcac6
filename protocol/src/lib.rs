//! What a client and a server of ChatX say to each other: ids, checked text, frames, HTTP bodies and
//! codes. It performs no I/O, knows no clock and no store.
//!
//! Modules are listed in reading order: the small words first, then what is built from them.
#![warn(missing_docs)]

pub mod ids;
pub mod seq;
pub mod timestamp;

pub mod fields;
pub mod limits;
pub mod text;

pub mod error;
pub mod roles;

pub mod accounts;
pub mod admin;
pub mod audit;
pub mod bots;
pub mod direct;
pub mod files;
pub mod hooks;
pub mod marks;
pub mod mentions;
pub mod messages;
pub mod nodes;
pub mod reports;
pub mod rooms;
pub mod search;
pub mod webhooks;

pub mod events;
pub mod frame;
pub mod socket;

pub use error::{ErrorBody, ErrorCode};
pub use fields::{Fields, Parse, Violation};
pub use ids::{
    ConnectionId, EventId, FileId, HookId, IdentityId, ReportId, RoomId, SessionId, UserId,
    WebhookId,
};
pub use limits::Limits;
pub use roles::{Act, Role};
pub use seq::Seq;
pub use timestamp::Timestamp;
