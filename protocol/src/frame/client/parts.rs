//! The frames that are not like an HTTP body, each with the fields that it is read from.

use serde::Deserialize;

use crate::{
    EventId, Fields, Limits, Parse, RoomId, Seq, Violation,
    fields::{Whole, id, word},
    frame::PresenceState,
    messages::{Edit, EditBody, NewMessage, SendBody},
};

/// The room that a frame names.
pub(super) struct InRoom {
    pub(super) room: RoomId,
}

#[derive(Deserialize)]
pub(super) struct RawInRoom {
    room: Option<String>,
}

impl Parse for InRoom {
    type Raw = RawInRoom;

    fn parse(raw: RawInRoom, _: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        fields
            .required("room", raw.room, id)
            .map(|room| Self { room })
            .ok_or(fields)
    }
}

/// Follow a room.
#[derive(Clone, Debug)]
pub struct Subscribe {
    /// The room.
    pub room: RoomId,
    /// The place of the latest event that the client has.
    pub after: Option<Seq>,
    /// That event's id, if the client knows it.
    pub after_id: Option<EventId>,
    /// How many of the latest events to send when there is no `after`.
    pub limit: u32,
}

/// The fields of `subscribe`.
#[derive(Deserialize)]
pub struct RawSubscribe {
    room: Option<String>,
    after: Option<Whole>,
    after_id: Option<String>,
    limit: Option<Whole>,
}

impl Parse for Subscribe {
    type Raw = RawSubscribe;

    fn parse(raw: RawSubscribe, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let room = fields.required("room", raw.room, id);
        let after = fields.optional("after", raw.after, Whole::seq);
        let after_id = fields.optional("after_id", raw.after_id, id);
        let max = u64::from(limits.page_max);
        let limit = fields.optional("limit", raw.limit, |raw| raw.within(0..=max));
        let limit = limit.and_then(|limit| u32::try_from(limit).ok());
        match room {
            Some(room) if fields.is_empty() => Ok(Self {
                room,
                after,
                after_id,
                limit: limit.unwrap_or(limits.page_default),
            }),
            _ => Err(fields),
        }
    }
}

/// Write a message.
#[derive(Clone, Debug)]
pub struct SendFrame {
    /// The room.
    pub room: RoomId,
    /// The message; on the socket it always has a `client_id`.
    pub message: NewMessage,
}

/// The fields of `send`.
#[derive(Deserialize)]
pub struct RawSend {
    room: Option<String>,
    body: Option<String>,
    client_id: Option<String>,
    reply_to: Option<u64>,
    thread: Option<u64>,
    files: Option<Vec<String>>,
}

impl Parse for SendFrame {
    type Raw = RawSend;

    fn parse(raw: RawSend, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let room = fields.required("room", raw.room, id);
        let without_client_id = raw.client_id.is_none();
        let RawSend {
            body,
            client_id,
            reply_to,
            thread,
            files,
            ..
        } = raw;
        let message = NewMessage::parse(
            SendBody {
                body,
                client_id,
                reply_to,
                thread,
                files,
            },
            limits,
        );
        if without_client_id {
            fields.add("client_id", Violation::Required);
        }
        match (room, message) {
            (Some(room), Ok(message)) if fields.is_empty() => Ok(Self { room, message }),
            (_, Ok(_)) => Err(fields),
            (_, Err(others)) => {
                fields.merge(others);
                Err(fields)
            }
        }
    }
}

/// Change the text of one's message.
#[derive(Clone, Debug)]
pub struct EditFrame {
    /// The room.
    pub room: RoomId,
    /// The message.
    pub seq: Seq,
    /// Its new text.
    pub edit: Edit,
}

/// The fields of `edit`.
#[derive(Deserialize)]
pub struct RawEdit {
    room: Option<String>,
    seq: Option<Whole>,
    body: Option<String>,
}

impl Parse for EditFrame {
    type Raw = RawEdit;

    fn parse(raw: RawEdit, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let room = fields.required("room", raw.room, id);
        let seq = fields.required("seq", raw.seq, Whole::seq);
        match (room, seq, Edit::parse(EditBody { body: raw.body }, limits)) {
            (Some(room), Some(seq), Ok(edit)) => Ok(Self { room, seq, edit }),
            (_, _, Ok(_)) => Err(fields),
            (_, _, Err(others)) => {
                fields.merge(others);
                Err(fields)
            }
        }
    }
}

/// Begin or stop typing.
pub(super) struct Typing {
    pub(super) on: bool,
}

#[derive(Deserialize)]
pub(super) struct RawTyping {
    on: Option<bool>,
}

impl Parse for Typing {
    type Raw = RawTyping;

    fn parse(raw: RawTyping, _: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        fields
            .required("on", raw.on, Ok)
            .map(|on| Self { on })
            .ok_or(fields)
    }
}

/// Be here in another way.
pub(super) struct Presence {
    pub(super) state: PresenceState,
}

#[derive(Deserialize)]
pub(super) struct RawPresence {
    state: Option<String>,
}

impl Parse for Presence {
    type Raw = RawPresence;

    fn parse(raw: RawPresence, _: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let state = fields.required("state", raw.state, |raw| match word(raw)? {
            PresenceState::Offline => Err(Violation::Invalid),
            state => Ok(state),
        });
        state.map(|state| Self { state }).ok_or(fields)
    }
}

/// Carries a new access token.
#[derive(Clone)]
pub struct Refresh {
    /// The token.
    pub token: String,
}

/// Shows nothing.
impl std::fmt::Debug for Refresh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Refresh(…)")
    }
}

/// The fields of `refresh`.
#[derive(Deserialize)]
pub struct RawRefresh {
    token: Option<String>,
}

impl Parse for Refresh {
    type Raw = RawRefresh;

    fn parse(raw: RawRefresh, _: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        fields
            .required("token", raw.token, Ok)
            .map(|token| Self { token })
            .ok_or(fields)
    }
}
