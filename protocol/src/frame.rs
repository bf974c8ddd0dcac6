//! Frames: what a socket of `chatx.v1` carries in either direction, and why it closes.

mod client;
mod close;
mod server;

pub use client::{
    ClientFrame, EditFrame, FrameId, Incoming, Refresh, Rejected, SendFrame, Subscribe, decode,
};
pub use close::CloseReason;
pub use server::{
    Ack, ErrorFrame, Goaway, Ok, Online, OnlineUser, Pong, PresenceFrame, ReadFrame, Ready,
    ReportsFrame, RoomAdded, RoomRemoved, ServerFrame, Subscribed, TypingFrame, UnsubscribeReason,
    Unsubscribed, UserFrame, encode,
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The name of this protocol, as a WebSocket subprotocol.
pub const SUBPROTOCOL: &str = "chatx.v1";

/// How somebody is here.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PresenceState {
    /// Not here; never sent by a client.
    Offline,
    /// Here, but shown to others as offline.
    Invisible,
    /// Here, and not looking.
    Away,
    /// Here, and not to be disturbed.
    Dnd,
    /// Here.
    Online,
}

impl PresenceState {
    /// The stable word, as on the wire and in Redis.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Invisible => "invisible",
            Self::Away => "away",
            Self::Dnd => "dnd",
            Self::Online => "online",
        }
    }

    /// What others see of it.
    #[must_use]
    pub const fn shown(self) -> Self {
        match self {
            Self::Invisible => Self::Offline,
            state => state,
        }
    }
}
