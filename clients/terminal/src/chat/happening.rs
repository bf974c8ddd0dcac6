//! What happens to the chat, and what the chat wants done. Between the two there is only state.

use client::{Delivery, Status};
use crossterm::event::KeyEvent;
use protocol::{
    RoomId, Seq,
    files::File,
    messages::{MessageList, Span},
    rooms::{MyRoom, Room as AnyRoom},
    search::Hit,
};
use serde::{Deserialize, Serialize};

/// Something that happened.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "few wait at a time, and each is taken apart at once"
)]
pub(super) enum Input {
    Key(KeyEvent),
    Paste(String),
    /// The window has another size.
    Size(u16, u16),
    /// The person looks at the window, or at another one.
    Focus(bool),
    /// Some time passed.
    Tick,
    /// How the connection stands.
    Link(Link),
    /// The rooms of this user.
    Rooms(Result<Vec<MyRoom>, String>),
    /// Something of a room.
    Delivery(RoomId, Delivery),
    /// A stretch of a room's messages.
    Page {
        room: RoomId,
        span: Span,
        page: Result<MessageList, String>,
    },
    /// A message is stored, or will not be.
    Sent {
        room: RoomId,
        client_id: String,
        answer: Result<Seq, String>,
    },
    /// Rooms that anyone may find.
    Found {
        word: String,
        rooms: Result<Vec<AnyRoom>, String>,
    },
    /// Messages with a word in them, the latest first.
    Hits {
        word: String,
        hits: Result<Vec<Hit>, String>,
    },
    /// The user became a member.
    Entered(RoomId),
    /// The room that is to be joined has a password.
    Locked(RoomId, String),
    /// Something was done that is not seen by itself.
    Told(String),
    /// Something was not done, and why.
    Refused(String),
}

/// How the connection stands, as people want to know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Link {
    #[default]
    Connecting,
    Live,
    Waiting,
    Ended(String),
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Read the list of rooms.
    ReadRooms,
    /// Follow a room behind a place.
    Follow(RoomId, Seq),
    /// Read messages.
    ReadPage(RoomId, Span),
    /// Send a message until there is an answer.
    Send(Letter),
    Edit(RoomId, Seq, String),
    Delete(RoomId, Seq),
    /// Everything up to there was read.
    MarkRead(RoomId, Seq),
    Typing(RoomId, bool),
    /// Send a file of this machine.
    SendFile(RoomId, String),
    /// Save files where the program was started.
    Save(Vec<File>),
    FindRooms(String),
    Search(String),
    /// React to a message, or take that back.
    React(RoomId, Seq, &'static str, bool),
    /// Open the conversation with people of these names.
    Direct(Vec<String>),
    Join(RoomId, Option<String>),
    /// Join a room by its name; one that has a password is asked for it first.
    JoinNamed(String),
    Create(String),
    Leave(RoomId),
    Topic(RoomId, String),
    /// Keep on disk what must outlive the program.
    Keep,
    /// Make the terminal call.
    Bell,
    /// Draw everything anew.
    Redraw,
    /// Let the shell have the terminal.
    Suspend,
    Quit,
}

/// A message on its way: kept until the server has answered for it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Letter {
    pub(super) room: RoomId,
    pub(super) client_id: String,
    pub(super) body: String,
    pub(super) reply_to: Option<Seq>,
    /// The message in whose thread it is written.
    #[serde(default)]
    pub(super) thread: Option<Seq>,
}

/// Shows the length only: bodies never reach a log.
impl std::fmt::Debug for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Letter({}, {} bytes)", self.client_id, self.body.len())
    }
}

impl From<&Status> for Link {
    fn from(status: &Status) -> Self {
        match status {
            Status::Live { .. } => Self::Live,
            Status::Waiting { .. } => Self::Waiting,
            Status::Ended(ended) => Self::Ended(ended.to_string()),
            _ => Self::Connecting,
        }
    }
}
