//! What a server says on a socket.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{FrameId, PresenceState};
use crate::{
    ConnectionId, ErrorCode, Fields, Limits, RoomId, Seq, Timestamp, UserId, accounts::UserSummary,
    events::Event, text::ClientId,
};

/// One frame of a server.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerFrame {
    /// The first frame.
    Ready(Ready),
    /// A room is followed from here on.
    Subscribed(Subscribed),
    /// A room is no longer followed; its last frame.
    Unsubscribed(Unsubscribed),
    /// Something happened in a room.
    Event(Event),
    /// What was sent is stored.
    Ack(Ack),
    /// What was asked for is done.
    Ok(Ok),
    /// One frame was refused; the socket stays.
    Error(ErrorFrame),
    /// Somebody came, went, or is here in another way. May be lost.
    Presence(PresenceFrame),
    /// Somebody began or stopped typing. May be lost.
    Typing(TypingFrame),
    /// Somebody has read up to a place, or the user on any device. May be lost.
    Read(ReadFrame),
    /// The user came to be a member of a room. May be lost.
    RoomAdded(RoomAdded),
    /// The user is a member of a room no more. May be lost.
    RoomRemoved(RoomRemoved),
    /// Somebody is called something else, or is up to something else. May be lost.
    User(UserFrame),
    /// So many reports of a room are open. May be lost.
    Reports(ReportsFrame),
    /// Connect elsewhere and resume, then close; this socket works until then.
    Goaway(Goaway),
    /// The answer to a `ping`.
    Pong(Pong),
}

/// The JSON of a frame.
pub fn encode(frame: &ServerFrame) -> String {
    serde_json::to_string(frame).expect("frames have string keys and no failing parts")
}

/// Says who one is, and what may be sent.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Ready {
    /// This socket.
    pub connection: ConnectionId,
    /// Who is on it.
    pub user: UserSummary,
    /// The node that serves it.
    pub node: String,
    /// Seconds between the server's pings.
    pub heartbeat_s: u64,
    /// What input is held to.
    pub limits: Limits,
}

/// A room as it is where its live events begin.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Subscribed {
    /// Echoes the frame that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<FrameId>,
    /// The room.
    pub room: RoomId,
    /// The place of its latest event.
    pub head: Seq,
    /// The lowest place that this member may read.
    pub first: Seq,
    /// What was missed, in order; what does not fit follows as `event` frames.
    pub events: Vec<Event>,
    /// Whether the client must forget what it had of this room.
    pub reset: bool,
    /// Who is here.
    pub online: Online,
}

/// Who is in a room right now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Online {
    /// How many.
    pub count: u32,
    /// Who, at most 200; nobody by name in rooms of more than 500 members.
    pub users: Vec<OnlineUser>,
}

/// Somebody who is in a room right now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OnlineUser {
    /// Who.
    #[serde(flatten)]
    pub user: UserSummary,
    /// In which way.
    pub state: PresenceState,
}

/// A room is no longer followed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct Unsubscribed {
    /// The room.
    pub room: RoomId,
    /// Why.
    pub reason: UnsubscribeReason,
}

/// Why a room is no longer followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnsubscribeReason {
    /// The user left the room.
    Left,
    /// The user was removed.
    Kicked,
    /// The user was removed for longer.
    Banned,
    /// The room is gone.
    Deleted,
    /// The room is read-only now.
    Archived,
}

/// What was sent is stored at `seq`, for good.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Ack {
    /// Echoes the frame that sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<FrameId>,
    /// The room.
    pub room: RoomId,
    /// The new event's own place.
    pub seq: Seq,
    /// When it was stored.
    pub at: Timestamp,
    /// The sender's own name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
    /// The message that it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Seq>,
    /// Whether it was stored by an earlier frame already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

/// What was asked for is done.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Ok {
    /// Echoes the frame that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<FrameId>,
    /// What HTTP answers to the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub result: Option<serde_json::Value>,
}

/// One frame was refused.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ErrorFrame {
    /// Echoes the frame that was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<FrameId>,
    /// The stable code.
    pub code: ErrorCode,
    /// For people; may change.
    pub message: String,
    /// Milliseconds after which it may go through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Which fields are wrong.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub fields: Fields,
}

/// Somebody is here in another way.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PresenceFrame {
    /// Where.
    pub room: RoomId,
    /// Who.
    pub user: UserSummary,
    /// In which way.
    pub state: PresenceState,
}

/// Somebody types.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TypingFrame {
    /// Where.
    pub room: RoomId,
    /// Who.
    pub user: UserSummary,
    /// Whether they do.
    pub on: bool,
}

/// Somebody has read up to a place.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReadFrame {
    /// Where.
    pub room: RoomId,
    /// Who.
    pub user: UserId,
    /// Up to which event.
    pub seq: Seq,
}

/// The user came to be a member of a room: on another device, by another's doing, or again.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct RoomAdded {
    /// The room.
    pub room: RoomId,
}

/// The user is a member of a room no more.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct RoomRemoved {
    /// The room.
    pub room: RoomId,
    /// Why.
    pub reason: UnsubscribeReason,
}

/// Somebody whom the user knows from a room, or the user on another device, as they are from now on.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UserFrame {
    /// Who, and what they are called.
    pub user: UserSummary,
    /// What they are up to.
    pub status: String,
}

/// How many reports of a room wait for its moderators.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReportsFrame {
    /// The room.
    pub room: RoomId,
    /// How many are open.
    pub open: u32,
}

/// Connect elsewhere.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Goaway {
    /// Why.
    pub reason: String,
    /// How long to wait first, milliseconds.
    pub reconnect_after_ms: u64,
    /// Where, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Where every subscribed room stands.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Pong {
    /// Echoes the `ping`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<FrameId>,
    /// The server's clock.
    pub at: Timestamp,
    /// The latest place of each room; a client that is behind resumes that room.
    #[schema(value_type = std::collections::HashMap<String, u64>)]
    pub heads: BTreeMap<RoomId, Seq>,
}
