//! What a client says on a socket, read and checked.

mod parts;

pub use parts::{EditFrame, Refresh, SendFrame, Subscribe};

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use parts::{InRoom, Presence, Typing};

use super::PresenceState;
use crate::{
    ErrorCode, Fields, Limits, Parse, RoomId, Seq, Violation,
    fields::{Invalid, Unknown, read},
    marks::React,
    messages::{At, History},
    rooms::{CreateRoom, FindRooms, Join, Page},
};

/// A client's own name for a frame, at most 64 characters; the answer echoes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct FrameId(String);

impl FrameId {
    /// # Errors
    /// [`Violation::TooLong`] above 64 characters.
    pub fn parse(raw: String) -> Result<Self, Violation> {
        if raw.chars().count() > 64 {
            Err(Violation::TooLong)
        } else {
            Ok(Self(raw))
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One frame of a client, checked.
#[derive(Clone, Debug)]
pub enum ClientFrame {
    /// Follow a room.
    Subscribe(Subscribe),
    /// Stop following a room.
    Unsubscribe(RoomId),
    /// Write a message.
    Send(SendFrame),
    /// Change the text of one's message.
    Edit(EditFrame),
    /// Delete a message.
    Delete(RoomId, Seq),
    /// React to a message.
    React(RoomId, React),
    /// Take a reaction back.
    Unreact(RoomId, React),
    /// Pin a message.
    Pin(RoomId, Seq),
    /// Take a pin away.
    Unpin(RoomId, Seq),
    /// Mark as read up to a place.
    Read(RoomId, Seq),
    /// Begin or stop typing.
    Typing(RoomId, bool),
    /// Be here in another way.
    Presence(PresenceState),
    /// Make a room.
    CreateRoom(CreateRoom),
    /// Become a member.
    Join(RoomId, Join),
    /// Stop being one.
    Leave(RoomId),
    /// Delete a room.
    DeleteRoom(RoomId),
    /// Find rooms.
    ListRooms(FindRooms),
    /// Read messages.
    History(RoomId, History),
    /// List members.
    Members(RoomId, Page),
    /// Let the socket live as long as a new access token.
    Refresh(Refresh),
    /// Ask for a `pong`.
    Ping,
}

/// A checked frame with the name that its answer echoes.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// The client's name for it.
    pub id: Option<FrameId>,
    /// What it says.
    pub frame: ClientFrame,
}

/// Why a text is not a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// It is no JSON object with a `type`: the socket closes.
    Malformed,
    /// It is refused; the socket stays.
    Refused {
        /// The client's name for it.
        id: Option<FrameId>,
        /// `unknown_type` or `validation_failed`.
        code: ErrorCode,
        /// Which fields are wrong.
        fields: Fields,
    },
}

/// Reads one text frame.
///
/// # Errors
/// See [`Rejected`].
pub fn decode(text: &str, limits: &Limits) -> Result<Incoming, Rejected> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow, rename = "type")]
        kind: Cow<'a, str>,
        id: Option<serde_json::Value>,
    }
    let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|_| Rejected::Malformed)?;
    let (id, bad_id) = match envelope.id.map(frame_id).transpose() {
        Ok(id) => (id, Fields::default()),
        Err(violation) => (None, Fields::one("id", violation)),
    };
    let refused = |code, fields| Rejected::Refused {
        id: id.clone(),
        code,
        fields,
    };
    if !bad_id.is_empty() {
        return Err(refused(ErrorCode::ValidationFailed, bad_id));
    }
    let frame = match decode_kind(&envelope.kind, text.as_bytes(), limits) {
        Some(Ok(frame)) => frame,
        Some(Err(Invalid::Fields(fields))) => {
            return Err(refused(ErrorCode::ValidationFailed, fields));
        }
        Some(Err(Invalid::Malformed)) => return Err(Rejected::Malformed),
        None => return Err(refused(ErrorCode::UnknownType, Fields::default())),
    };
    Ok(Incoming { id, frame })
}

fn frame_id(raw: serde_json::Value) -> Result<FrameId, Violation> {
    match raw {
        serde_json::Value::String(text) => FrameId::parse(text),
        _ => Err(Violation::WrongType),
    }
}

/// The frame of one type; `None` if there is no such type.
fn decode_kind(kind: &str, json: &[u8], limits: &Limits) -> Option<Result<ClientFrame, Invalid>> {
    let room = || read::<InRoom>(json, Unknown::Ignored, limits).map(|target| target.room);
    Some(match kind {
        "subscribe" => plain(json, limits).map(ClientFrame::Subscribe),
        "unsubscribe" => room().map(ClientFrame::Unsubscribe),
        "send" => plain(json, limits).map(ClientFrame::Send),
        "edit" => plain(json, limits).map(ClientFrame::Edit),
        "delete" => in_room::<At>(json, limits).map(|(room, at)| ClientFrame::Delete(room, at.seq)),
        "react" => in_room(json, limits).map(|(room, react)| ClientFrame::React(room, react)),
        "unreact" => in_room(json, limits).map(|(room, react)| ClientFrame::Unreact(room, react)),
        "pin" => in_room::<At>(json, limits).map(|(room, at)| ClientFrame::Pin(room, at.seq)),
        "unpin" => in_room::<At>(json, limits).map(|(room, at)| ClientFrame::Unpin(room, at.seq)),
        "read" => in_room::<At>(json, limits).map(|(room, at)| ClientFrame::Read(room, at.seq)),
        "typing" => in_room::<Typing>(json, limits)
            .map(|(room, typing)| ClientFrame::Typing(room, typing.on)),
        "presence" => {
            plain::<Presence>(json, limits).map(|presence| ClientFrame::Presence(presence.state))
        }
        "create_room" => plain(json, limits).map(ClientFrame::CreateRoom),
        "join" => in_room(json, limits).map(|(room, join)| ClientFrame::Join(room, join)),
        "leave" => room().map(ClientFrame::Leave),
        "delete_room" => room().map(ClientFrame::DeleteRoom),
        "list_rooms" => plain(json, limits).map(ClientFrame::ListRooms),
        "history" => {
            in_room(json, limits).map(|(room, history)| ClientFrame::History(room, history))
        }
        "members" => in_room(json, limits).map(|(room, page)| ClientFrame::Members(room, page)),
        "refresh" => plain(json, limits).map(ClientFrame::Refresh),
        "ping" => Ok(ClientFrame::Ping),
        _ => return None,
    })
}

fn plain<T: Parse>(json: &[u8], limits: &Limits) -> Result<T, Invalid> {
    read(json, Unknown::Ignored, limits)
}

/// Reads a frame that names a room and is otherwise like an HTTP body; the mistakes of both parts
/// are told together.
fn in_room<T: Parse>(json: &[u8], limits: &Limits) -> Result<(RoomId, T), Invalid> {
    let room = plain::<InRoom>(json, limits);
    let inner = plain::<T>(json, limits);
    match (room, inner) {
        (Ok(target), Ok(inner)) => Ok((target.room, inner)),
        (Err(Invalid::Fields(mut fields)), Err(Invalid::Fields(others))) => {
            fields.merge(others);
            Err(Invalid::Fields(fields))
        }
        (Err(invalid), _) | (_, Err(invalid)) => Err(invalid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROOM: &str = "0198f6a2-7c1e-7000-8000-000000000001";

    fn refused(text: &str) -> (ErrorCode, Fields) {
        match decode(text, &Limits::default()) {
            Err(Rejected::Refused { code, fields, .. }) => (code, fields),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_no_object_with_a_type_is_malformed() {
        for text in [
            "",
            "1",
            "[]",
            "{}",
            "{\"type\":1}",
            "{\"type\":\"ping\"",
            "\"ping\"",
        ] {
            let rejected = decode(text, &Limits::default()).unwrap_err();
            assert_eq!(rejected, Rejected::Malformed, "{text}");
        }
    }

    #[test]
    fn an_unknown_type_is_told_with_its_id() {
        let rejected = decode(r#"{"type":"dance","id":"7"}"#, &Limits::default()).unwrap_err();
        let Rejected::Refused { id, code, .. } = rejected else {
            panic!("{rejected:?}")
        };
        assert_eq!((id.unwrap().as_str(), code), ("7", ErrorCode::UnknownType));
    }

    #[test]
    fn every_wrong_field_is_named() {
        let (code, fields) = refused(r#"{"type":"send","room":"x","body":""}"#);
        assert_eq!(code, ErrorCode::ValidationFailed);
        assert_eq!(fields.of("room"), [Violation::Invalid]);
        assert_eq!(fields.of("client_id"), [Violation::Required]);
        assert_eq!(fields.of("body"), [Violation::TooShort]);
        let (_, fields) = refused(&format!(
            r#"{{"type":"edit","room":"{ROOM}","seq":"y","body":1}}"#
        ));
        assert_eq!(fields.names().count(), 1, "{fields:?}");
    }

    #[test]
    fn fields_of_a_later_version_are_passed_over() {
        let text = format!(r#"{{"type":"typing","room":"{ROOM}","on":true,"mood":"fine"}}"#);
        let incoming = decode(&text, &Limits::default()).unwrap();
        assert!(matches!(incoming.frame, ClientFrame::Typing(_, true)));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "\\PC{0,200}") {
            drop(decode(&text, &Limits::default()));
        }

        #[test]
        fn no_field_makes_it_panic(kind in "[a-z_]{1,12}", value in "[0-9\"a-z{}\\[\\],:.-]{0,40}") {
            drop(decode(&format!(r#"{{"type":"{kind}","room":{value}}}"#), &Limits::default()));
        }
    }
}
