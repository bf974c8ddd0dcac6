//! What clients wrote down: every message they sent and what was answered, every event they got and
//! when. It judges nothing.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::{Duration, Instant},
};

use protocol::{
    ErrorCode, EventId, RoomId, Seq, UserId,
    events::{Event, EventKind},
    frame::UnsubscribeReason,
};

/// A moment of the run, in microseconds since it began, by the one clock that all clients share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub u64);

impl Moment {
    /// The time from `earlier` to this moment; nothing if that lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The moment `span` later.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(micros(span)))
    }
}

/// Tells the moments of one run.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// The run begins.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// This moment.
    pub fn now(&self) -> Moment {
        Moment(micros(self.0.elapsed()))
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// Stands for a text of which nothing else is kept.
pub type Digest = u64;

/// The same number for the same text.
pub fn digest(text: &str) -> Digest {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Everything that the clients wrote down.
#[derive(Debug, Default)]
pub struct Diary {
    /// Who each client is; a client is named by its place in here.
    pub people: Vec<UserId>,
    /// Every time that a message was given to be sent.
    pub sends: Vec<Sent>,
    /// Edits and deletes that the server said are done.
    pub changes: Vec<Change>,
    /// What came of rooms.
    pub streams: Vec<Stream>,
    /// On which node each client's socket was, and since when; no node while there was none.
    pub places: Vec<Place>,
}

/// A message as it was given to be sent, however often it then went over the wire.
#[derive(Clone, Debug)]
pub struct Sent {
    /// By whom.
    pub client: usize,
    /// Where to.
    pub room: RoomId,
    /// The sender's own name for it.
    pub name: String,
    /// Its text.
    pub body: Digest,
    /// When.
    pub begun: Moment,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server says that it is stored there.
    Acked {
        /// When the client heard of it.
        at: Moment,
        /// Its place.
        seq: Seq,
    },
    /// The server says that it will not be stored.
    Refused(ErrorCode, Moment),
    /// Nobody knows.
    Unanswered,
}

/// An edit or a delete that the server said is done.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    /// By whom.
    pub client: usize,
    /// Where.
    pub room: RoomId,
    /// The message's place.
    pub target: Seq,
    /// `edit` or `delete`.
    pub kind: &'static str,
}

/// What came of one room, from one subscription on.
#[derive(Clone, Debug)]
pub struct Stream {
    /// To whom.
    pub client: usize,
    /// Of which room.
    pub room: RoomId,
    /// What repairs it when something is missing.
    pub kept_by: KeptBy,
    /// The place after which it was to begin.
    pub after: Seq,
    /// What came, in that order.
    pub items: Vec<Item>,
    /// How it ended.
    pub end: End,
}

/// Who sees to it that a stream has no hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptBy {
    /// The server alone: every frame of one socket is written down as it came.
    Server,
    /// The client of `clients/rust`, over however many sockets.
    Client,
}

/// One thing of a stream.
#[derive(Clone, Copy, Debug)]
pub enum Item {
    /// An event.
    Event(Delivered),
    /// The server said that what came before no longer counts, when the room had reached this place.
    Reset(Seq),
}

/// An event as it came.
#[derive(Clone, Copy, Debug)]
pub struct Delivered {
    /// Its place.
    pub seq: Seq,
    /// What it is.
    pub what: Facts,
    /// When it came.
    pub at: Moment,
}

/// What an event is, as far as it never changes, and its text, which edits and deletes change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its id.
    pub id: EventId,
    /// Who did what to which message or member.
    pub deed: Digest,
    /// The text of a message, 0 of anything else.
    pub body: Digest,
}

impl Facts {
    /// What is told of an event, from its parts.
    pub fn new(
        id: EventId,
        kind: &str,
        user: UserId,
        target: Option<Seq>,
        member: Option<UserId>,
        body: Option<&str>,
    ) -> Self {
        let mut hasher = DefaultHasher::new();
        (kind, user, target, member).hash(&mut hasher);
        Self {
            id,
            deed: hasher.finish(),
            body: body.filter(|_| kind == "message").map_or(0, digest),
        }
    }
}

impl From<&Event> for Facts {
    fn from(event: &Event) -> Self {
        let (target, member, body) = match &event.kind {
            EventKind::Message(message) => (None, None, Some(message.body.as_str())),
            EventKind::Edit(edited) => (Some(edited.target), None, None),
            EventKind::Delete(target) => (Some(target.target), None, None),
            EventKind::Kick(to)
            | EventKind::Ban(to)
            | EventKind::Unban(to)
            | EventKind::Role(to)
            | EventKind::Mute(to) => (None, Some(to.member.id), None),
            EventKind::Join
            | EventKind::Leave
            | EventKind::Room(_)
            | EventKind::Archive(_)
            | EventKind::Unknown(_) => (None, None, None),
        };
        Self::new(
            event.id,
            event.kind.as_str(),
            event.user.id,
            target,
            member,
            body,
        )
    }
}

/// How a stream ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It did not, until the client stopped listening at the end of the run.
    Open,
    /// The client ended it, or lost its socket.
    Left,
    /// The server ended it.
    Unsubscribed(UnsubscribeReason),
    /// The server refused it.
    Refused(ErrorCode),
    /// The client could not go on, which it should.
    Broken(String),
}

/// Where a client's socket is.
#[derive(Clone, Debug)]
pub struct Place {
    /// Whose.
    pub client: usize,
    /// Since when.
    pub since: Moment,
    /// The node; none while there is no socket.
    pub node: Option<String>,
}

impl Diary {
    /// Adds what another client wrote down.
    pub fn extend(&mut self, other: Self) {
        self.sends.extend(other.sends);
        self.changes.extend(other.changes);
        self.streams.extend(other.streams);
        self.places.extend(other.places);
    }
}
