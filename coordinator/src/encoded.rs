//! A server frame as it goes over the wire: encoded once, shared by every socket that gets it.

use std::{cell::RefCell, fmt, sync::Arc};

use bytes::Bytes;
use protocol::{
    EventId, RoomId, Seq, UserId,
    events::{Event, EventKind},
    frame::{ServerFrame, UnsubscribeReason},
};
use serde::{Deserialize, Serialize};

/// One whole frame, its header included. Cloning shares the bytes.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Encoded(Bytes);

/// The largest header of an unmasked frame: two bytes, and a length of eight.
const HEADER_MAX_BYTES: usize = 10;
/// The final (and only) fragment of a text message.
const FINAL_TEXT: u8 = 0x81;
/// A thread keeps no more memory than for frames of this size.
const SCRATCH_MAX_BYTES: usize = 64 * 1_024;

thread_local! {
    /// Where a thread encodes, so that a frame costs one allocation of its very size.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Encoded {
    /// A ping without payload.
    pub(crate) const PING: Self = Self(Bytes::from_static(&[0x89, 0]));

    /// What is a whole frame already.
    pub(crate) const fn whole(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// Encodes a frame.
    pub(crate) fn of(frame: &ServerFrame) -> Self {
        Self::json(frame)
    }

    fn json(value: &impl Serialize) -> Self {
        SCRATCH.with_borrow_mut(|bytes| {
            // The header's length depends on that of the text, so room is left for the longest.
            bytes.clear();
            bytes.resize(HEADER_MAX_BYTES, 0);
            serde_json::to_writer(&mut *bytes, value)
                .expect("frames have string keys and no failing parts");
            let start = put_header(bytes);
            let frame = Bytes::copy_from_slice(&bytes[start..]);
            if bytes.capacity() > SCRATCH_MAX_BYTES {
                *bytes = Vec::new();
            }
            Self(frame)
        })
    }

    /// How many bytes it is on the wire.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The bytes for the wire.
    pub(crate) const fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// The same, taken.
    pub(crate) fn into_bytes(self) -> Bytes {
        self.0
    }
}

/// Puts a header before the text, as close as there is room left; where it begins.
fn put_header(bytes: &mut [u8]) -> usize {
    let text_bytes = bytes.len() - HEADER_MAX_BYTES;
    let mut header = [0; HEADER_MAX_BYTES];
    header[0] = FINAL_TEXT;
    let header_bytes = match (u8::try_from(text_bytes), u16::try_from(text_bytes)) {
        (Ok(length), _) if length < 126 => {
            header[1] = length;
            2
        }
        (_, Ok(length)) => {
            header[1] = 126;
            header[2..4].copy_from_slice(&length.to_be_bytes());
            4
        }
        _ => {
            header[1] = 127;
            header[2..].copy_from_slice(&(text_bytes as u64).to_be_bytes());
            HEADER_MAX_BYTES
        }
    };
    let start = HEADER_MAX_BYTES - header_bytes;
    bytes[start..HEADER_MAX_BYTES].copy_from_slice(&header[..header_bytes]);
    start
}

/// Shows the length only: a message may be in it.
impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encoded({} bytes)", self.0.len())
    }
}

/// One event of a room, ready for any number of sockets, here or on another node.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The room.
    pub(crate) room: RoomId,
    /// Its place.
    pub(crate) seq: Seq,
    /// Its id, by which it is told from what another history has at its place.
    pub(crate) id: EventId,
    /// The `event` frame.
    pub(crate) frame: Encoded,
    /// Whose subscriptions it ends.
    pub(crate) ends: Option<Ends>,
    /// What it has to do with the text of a message.
    pub(crate) text: Option<Text>,
}

/// What an event has to do with the text of a message, told by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Text {
    /// It carries it, or one that it was changed to.
    Of(Seq),
    /// From here on it is deleted.
    Erased(Seq),
}

/// Whose subscriptions an event ends, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Ends {
    /// Those of one person.
    Of(UserId, UnsubscribeReason),
    /// All.
    All(UnsubscribeReason),
}

impl Entry {
    /// Encodes an event.
    pub(crate) fn new(event: Event) -> Arc<Self> {
        let (room, seq, id) = (event.room, event.seq, event.id);
        let (ends, text) = (Ends::of(&event), Text::of(&event));
        Arc::new(Self {
            room,
            seq,
            id,
            frame: Encoded::of(&ServerFrame::Event(event)),
            ends,
            text,
        })
    }

    /// Why this event ends `user`'s subscription, if it does.
    pub(crate) fn ends_for(&self, user: UserId) -> Option<UnsubscribeReason> {
        match self.ends? {
            Ends::Of(member, reason) => (member == user).then_some(reason),
            Ends::All(reason) => Some(reason),
        }
    }
}

impl Ends {
    fn of(event: &Event) -> Option<Self> {
        match &event.kind {
            EventKind::Leave => Some(Self::Of(event.user.id, UnsubscribeReason::Left)),
            EventKind::Kick(kick) => Some(Self::Of(kick.member.id, UnsubscribeReason::Kicked)),
            EventKind::Ban(ban) => Some(Self::Of(ban.member.id, UnsubscribeReason::Banned)),
            EventKind::Archive(archive) if archive.archived => {
                Some(Self::All(UnsubscribeReason::Archived))
            }
            _ => None,
        }
    }
}

impl Text {
    fn of(event: &Event) -> Option<Self> {
        match &event.kind {
            EventKind::Message(_) => Some(Self::Of(event.seq)),
            EventKind::Edit(edited) => Some(Self::Of(edited.target)),
            EventKind::Delete(delete) => Some(Self::Erased(delete.target)),
            _ => None,
        }
    }
}

/// Takes the first frame of what a socket was sent, if it is whole.
#[cfg(test)]
pub(crate) fn first_frame(bytes: &mut Vec<u8>) -> Option<ServerFrame> {
    let (start, length) = match *bytes.get(1)? {
        126 => (
            4,
            u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?).into(),
        ),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)),
        length => (2, u64::from(length)),
    };
    let end = start + usize::try_from(length).ok()?;
    let frame = serde_json::from_slice(bytes.get(start..end)?);
    bytes.drain(..end);
    Some(frame.expect("a node says only what is a frame"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of a frame, read as RFC 6455 says.
    fn text_of(frame: &Encoded) -> &[u8] {
        let bytes = &frame.0;
        assert_eq!(bytes[0], FINAL_TEXT);
        let (length, start) = match bytes[1] {
            126 => (
                u64::from(u16::from_be_bytes(bytes[2..4].try_into().unwrap())),
                4,
            ),
            127 => (u64::from_be_bytes(bytes[2..10].try_into().unwrap()), 10),
            length => (u64::from(length), 2),
        };
        assert_eq!(bytes.len() as u64 - start, length);
        &bytes[usize::try_from(start).unwrap()..]
    }

    #[test]
    fn a_frame_of_any_length_has_the_header_for_it() {
        for chars in [0, 1, 123, 124, 125, 126, 65_533, 65_534, 65_535, 70_000] {
            let text = "x".repeat(chars);
            let frame = Encoded::json(&text);
            assert_eq!(text_of(&frame), format!("\"{text}\"").as_bytes());
        }
    }
}
