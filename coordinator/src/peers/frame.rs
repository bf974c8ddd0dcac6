//! What the two ends of a link say to each other, and how it lies in the bytes of a message. What it
//! makes a room do is the room's.
//!
//! Whoever changes a type in here, or the order of an enum's variants that it carries, changes
//! [`SUBPROTOCOL`], too: nodes of two versions are not linked, and work by hints and the store.

mod mirror;

use std::sync::Arc;

use protocol::{RoomId, Seq, UserId, accounts::UserSummary, frame::PresenceState};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use shared::{
    Refusal,
    store::{Append, Appended},
};

use crate::encoded::Entry;

/// The name of what links speak, as a WebSocket subprotocol.
pub(crate) const SUBPROTOCOL: &str = "chatx.peer.v4";
/// About how many bytes of frames one message carries: enough that its cost is spread thin, and little
/// beside what a link carries in the time that a person notices.
pub(crate) const MESSAGE_BYTES: usize = 256 * 1_024;
/// Most bytes of one message: a frame is never divided, and the longest names everybody who is in a room.
pub(crate) const MESSAGE_MAX_BYTES: usize = 64 * 1_024 * 1_024;

/// Somebody who is in a room, as one node sees them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Present {
    /// Who.
    pub(crate) user: Arc<UserSummary>,
    /// How.
    pub(crate) state: PresenceState,
}

/// What a gateway says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Up {
    /// "I live."
    Ping,
    /// Something about a room.
    Room(RoomId, Word),
}

/// What a gateway says about a room.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Word {
    /// Tell me what happens from now on, and what did after this place.
    Attach {
        /// The latest event that the gateway has.
        after: Seq,
        /// Everybody who is in the room there, in place of whoever was said to be.
        here: Vec<Present>,
    },
    /// Tell me no more.
    Detach,
    /// Store this.
    Append {
        /// Names it in the answer, on this link.
        number: u64,
        /// What is stored.
        #[serde(with = "mirror::append")]
        append: Box<Append>,
        /// Who writes it.
        user: UserSummary,
    },
    /// Somebody is here, or is in another way.
    Here(Present),
    /// Somebody is here no more.
    Away(UserId),
    /// Somebody began or stopped typing.
    Typing(UserSummary, bool),
    /// The log has reached this place.
    Hint(Seq),
}

/// What an owner says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Down {
    /// "I live."
    Ping,
    /// "Have your rooms here", or, from who is about to go or has lost the store: "take them elsewhere".
    Staying(bool),
    /// What became of a message, from the store.
    Appended {
        /// Which.
        number: u64,
        /// The answer.
        #[serde(with = "mirror::appended")]
        result: Result<Appended, Refusal>,
    },
    /// Something about a room.
    Room(RoomId, News),
}

/// What an owner says about a room.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum News {
    /// From here on you hear everything.
    Attached {
        /// Where the log stands.
        head: Seq,
        /// Whether everything after the place that was asked for follows, or the store must be read.
        complete: bool,
        /// Everybody who is in the room on other nodes, and on which.
        elsewhere: Vec<(Arc<str>, Present)>,
    },
    /// An event, ready for any socket.
    Event(Arc<Entry>),
    /// The log has reached this place.
    Head(Seq),
    /// Something that was to be said is lost, be it an event or who is here: attach again.
    Lost,
    /// The room is deleted.
    Gone,
    /// The log stands there, before what was said of it: it is another history, and this was the last of
    /// the old one.
    WentBack(Seq),
    /// Somebody is in the room on that node, or is in another way.
    Here(Arc<str>, Present),
    /// Somebody is no more in the room on that node.
    Away(Arc<str>, UserId),
    /// Nobody is in the room on that node.
    NodeAway(Arc<str>),
    /// Somebody began or stopped typing.
    Typing(UserSummary, bool),
}

/// What came is not what a link says.
#[derive(Debug, thiserror::Error)]
#[error("what came is no frame of this link: {0}")]
pub(crate) struct Garbled(#[from] postcard::Error);

/// What goes over a link, several in one message.
pub(crate) trait Frame: Serialize + DeserializeOwned {
    /// What it is counted as.
    fn kind(&self) -> &'static str;

    /// Whether what it says fits together.
    fn is_sound(&self) -> bool {
        true
    }

    /// Adds it to the end of a message.
    fn encode(&self, message: &mut Vec<u8>) {
        postcard::serialize_with_flavor(self, Tail(message))
            .expect("frames have no failing parts, and a vector grows");
    }

    /// A message of this alone.
    fn alone(&self) -> Vec<u8> {
        let mut message = Vec::new();
        self.encode(&mut message);
        message
    }
}

/// Writes at the end of a message; what the library has for it copies byte by byte.
struct Tail<'a>(&'a mut Vec<u8>);

impl postcard::ser_flavors::Flavor for Tail<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// The frames of a message: all of them, or none if one is garbled.
pub(crate) fn read<F: Frame>(mut message: &[u8]) -> Result<Vec<F>, Garbled> {
    let mut frames = Vec::new();
    while !message.is_empty() {
        let (frame, rest) = postcard::take_from_bytes::<F>(message)?;
        if !frame.is_sound() {
            return Err(Garbled(postcard::Error::SerdeDeCustom));
        }
        message = rest;
        frames.push(frame);
    }
    Ok(frames)
}

impl Frame for Up {
    fn kind(&self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Room(_, word) => word.kind(),
        }
    }

    fn is_sound(&self) -> bool {
        match self {
            Self::Room(room, Word::Append { append, user, .. }) => {
                append.room == *room && append.user == user.id
            }
            _ => true,
        }
    }
}

impl Frame for Down {
    fn kind(&self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Staying(_) => "staying",
            Self::Appended { .. } => "appended",
            Self::Room(_, news) => news.kind(),
        }
    }
}

impl Word {
    fn kind(&self) -> &'static str {
        match self {
            Self::Attach { .. } => "attach",
            Self::Detach => "detach",
            Self::Append { .. } => "append",
            Self::Here(_) | Self::Away(_) => "presence",
            Self::Typing(..) => "typing",
            Self::Hint(_) => "hint",
        }
    }
}

impl News {
    fn kind(&self) -> &'static str {
        match self {
            Self::Attached { .. } => "attached",
            Self::Event(_) => "event",
            Self::Head(_) => "head",
            Self::Lost => "lost",
            Self::Gone => "gone",
            Self::WentBack(_) => "went_back",
            Self::Here(..) | Self::Away(..) | Self::NodeAway(_) => "presence",
            Self::Typing(..) => "typing",
        }
    }
}

#[cfg(test)]
mod tests;
