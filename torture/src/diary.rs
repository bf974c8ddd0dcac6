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
pub(crate) struct Moment(pub u64);

impl Moment {
    /// The time from `earlier` to this moment; nothing if that lies ahead.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The moment `span` later.
    #[must_use]
    pub(crate) fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(micros(span)))
    }
}

/// Tells the moments of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// The run begins.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// This moment.
    pub(crate) fn now(&self) -> Moment {
        Moment(micros(self.0.elapsed()))
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// Stands for a text of which nothing else is kept.
pub(crate) type Digest = u64;

/// The same number for the same text.
pub(crate) fn digest(text: &str) -> Digest {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Everything that the clients wrote down.
#[derive(Debug, Default)]
pub(crate) struct Diary {
    /// Who each client is; a client is named by its place in here.
    pub(crate) people: Vec<UserId>,
    /// Every time that a message was given to be sent.
    pub(crate) sends: Vec<Sent>,
    /// Edits and deletes that the server said are done.
    pub(crate) changes: Vec<Change>,
    /// What came of rooms.
    pub(crate) streams: Vec<Stream>,
    /// On which node each client's socket was, and since when; no node while there was none.
    pub(crate) places: Vec<Place>,
    /// What did not go well the first time, as a program sees it.
    pub(crate) failures: Vec<Failure>,
}

/// Something that did not go well, though it may have been tried again.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// Whether it was the sending of a message.
    pub(crate) is_send: bool,
    /// When it was noticed.
    pub(crate) at: Moment,
    /// What it was.
    pub(crate) what: String,
}

/// A message as it was given to be sent, however often it then went over the wire.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// By whom.
    pub(crate) client: usize,
    /// Where to.
    pub(crate) room: RoomId,
    /// The sender's own name for it.
    pub(crate) name: String,
    /// Its text.
    pub(crate) body: Digest,
    /// How.
    pub(crate) way: Way,
    /// When.
    pub(crate) begun: Moment,
    /// What came of it.
    pub(crate) outcome: Outcome,
}

/// How a message goes to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// On a socket.
    Socket,
    /// As a request.
    Http,
}

/// What came of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
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
pub(crate) struct Change {
    /// By whom.
    pub(crate) client: usize,
    /// Where.
    pub(crate) room: RoomId,
    /// The message's place.
    pub(crate) target: Seq,
    /// `edit` or `delete`.
    pub(crate) kind: &'static str,
}

/// What came of one room, from one subscription on.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    /// To whom.
    pub(crate) client: usize,
    /// Of which room.
    pub(crate) room: RoomId,
    /// What repairs it when something is missing.
    pub(crate) kept_by: KeptBy,
    /// The place after which it was to begin.
    pub(crate) after: Seq,
    /// What came, in that order.
    pub(crate) items: Vec<Item>,
    /// How it ended.
    pub(crate) end: End,
}

/// Who sees to it that a stream has no hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeptBy {
    /// The server alone: every frame of one socket is written down as it came.
    Server,
    /// The client of `clients/rust`, over however many sockets.
    Client,
}

/// One thing of a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Item {
    /// An event.
    Event(Delivered),
    /// The server said that what came before no longer counts, when the room had reached this place.
    Reset(Seq),
}

/// An event as it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivered {
    /// Its place.
    pub(crate) seq: Seq,
    /// What it is.
    pub(crate) what: Facts,
    /// When it came.
    pub(crate) at: Moment,
}

/// What an event is, as far as it never changes, and its text, which edits and deletes change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Its id.
    pub(crate) id: EventId,
    /// Who did what to which message or member.
    pub(crate) deed: Digest,
    /// The text of a message, 0 of anything else.
    pub(crate) body: Digest,
}

impl Facts {
    /// What is told of an event, from its parts.
    pub(crate) fn new(
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
            EventKind::Delete(target) | EventKind::Pin(target) | EventKind::Unpin(target) => {
                (Some(target.target), None, None)
            }
            EventKind::React(reacted) | EventKind::Unreact(reacted) => {
                (Some(reacted.target), None, None)
            }
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
pub(crate) enum End {
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
pub(crate) struct Place {
    /// Whose.
    pub(crate) client: usize,
    /// Since when.
    pub(crate) since: Moment,
    /// The node; none while there is no socket.
    pub(crate) node: Option<String>,
}

impl Diary {
    /// Adds what another client wrote down.
    pub(crate) fn extend(&mut self, other: Self) {
        self.sends.extend(other.sends);
        self.changes.extend(other.changes);
        self.streams.extend(other.streams);
        self.places.extend(other.places);
        self.failures.extend(other.failures);
    }
}
