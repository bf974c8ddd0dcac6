//! One room as a program holds it: what is written into it, and what comes out.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use protocol::{RoomId, Seq, frame::Ack, text::ClientId};
use tokio::sync::{OwnedSemaphorePermit, TryAcquireError, mpsc, oneshot, watch};

use super::{
    Command, Connection, Ended, Status,
    events::{Events, Queue, Start},
};
use crate::{Error, Result};

/// A room, spoken to over a connection. Cloning gives the same one; making one asks nothing.
#[derive(Clone, Debug)]
pub struct Room {
    id: RoomId,
    connection: Connection,
}

/// A message as it is written. A plain text is one: `room.send("hello")`.
#[derive(Clone)]
pub struct Draft {
    body: String,
    client_id: Option<ClientId>,
    reply_to: Option<Seq>,
    thread: Option<Seq>,
}

/// The promise of an answer to one message: its ack, or why there will be none. The message is sent
/// whether or not this is awaited.
#[derive(Debug)]
pub struct Receipt {
    answer: oneshot::Receiver<Result<Ack>>,
    status: watch::Receiver<Status>,
    /// The connection lives for as long as somebody waits.
    _connection: mpsc::Sender<Command>,
}

/// A message on its way, with whom to tell.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) client_id: ClientId,
    pub(super) draft: Draft,
    answer: oneshot::Sender<Result<Ack>>,
    /// Its place among those that may be on their way.
    _place: OwnedSemaphorePermit,
}

impl Room {
    pub(super) const fn new(id: RoomId, connection: Connection) -> Self {
        Self { id, connection }
    }

    /// Which room it is.
    pub const fn id(&self) -> RoomId {
        self.id
    }

    /// Writes a message and waits until it is stored, across however many sockets that takes.
    /// Messages of one room are stored in the order in which they were written.
    ///
    /// # Errors
    /// [`Error::Refused`] when it will not be stored, for good; [`Error::Ended`] when the connection
    /// ended first, so that it may or may not be stored.
    pub async fn send(&self, draft: impl Into<Draft>) -> Result<Ack> {
        self.submit(draft).await?.await
    }

    /// Writes a message; its receipt tells when it is stored. Waits only while
    /// [`crate::Settings::outbox`] messages have no answer yet.
    ///
    /// # Errors
    /// [`Error::Ended`] when the connection is over.
    pub async fn submit(&self, draft: impl Into<Draft>) -> Result<Receipt> {
        let shared = &self.connection;
        let place = shared.places.clone().acquire_owned().await;
        let (letter, receipt) = self.letter(draft.into(), place.map_err(|_| shared.ended())?);
        let sent = shared.commands.send(Command::Submit(self.id, letter)).await;
        sent.map(|()| receipt).map_err(|_| shared.ended())
    }

    /// Writes a message without ever waiting.
    ///
    /// # Errors
    /// [`Error::Busy`] while [`crate::Settings::outbox`] messages have no answer yet;
    /// [`Error::Ended`] when the connection is over.
    pub fn try_submit(&self, draft: impl Into<Draft>) -> Result<Receipt> {
        let shared = &self.connection;
        let place = shared
            .places
            .clone()
            .try_acquire_owned()
            .map_err(|error| match error {
                TryAcquireError::NoPermits => Error::Busy,
                TryAcquireError::Closed => shared.ended(),
            })?;
        let (letter, receipt) = self.letter(draft.into(), place);
        match shared.commands.try_send(Command::Submit(self.id, letter)) {
            Ok(()) => Ok(receipt),
            Err(mpsc::error::TrySendError::Full(_)) => Err(Error::Busy),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(shared.ended()),
        }
    }

    fn letter(&self, draft: Draft, place: OwnedSemaphorePermit) -> (Letter, Receipt) {
        let shared = &self.connection;
        let client_id = draft.client_id.clone();
        let client_id = client_id.unwrap_or_else(|| shared.settings.random.client_id());
        let (sender, answer) = oneshot::channel();
        let letter = Letter {
            client_id,
            draft,
            answer: sender,
            _place: place,
        };
        let (status, commands) = (shared.status.clone(), shared.commands.clone());
        (
            letter,
            Receipt {
                answer,
                status,
                _connection: commands,
            },
        )
    }

    /// Follows the room, from `start` on. A room has one reader: asking again ends the one before.
    ///
    /// # Errors
    /// [`Error::Ended`] when the connection is over. That the room cannot be followed is told by the
    /// events themselves, as [`crate::RoomEnded::Refused`].
    pub async fn events(&self, start: Start) -> Result<Events> {
        let shared = &self.connection;
        let (wake, commands) = (shared.wake.clone(), shared.commands.clone());
        let (queue, events) = Queue::new(shared.settings.deliveries, wake, commands);
        let asked = shared
            .commands
            .send(Command::Follow(self.id, start, queue))
            .await;
        asked.map(|()| events).map_err(|_| shared.ended())
    }

    /// Marks the room as read up to a place, as soon as there is a socket. May be lost with it:
    /// [`crate::Session::mark_read`] tells when it is done.
    ///
    /// # Errors
    /// [`Error::Ended`] when the connection is over.
    pub async fn mark_read(&self, seq: Seq) -> Result<()> {
        self.connection.tell(Command::Read(self.id, seq)).await
    }

    /// Tells the others that this user types, or no longer does. Counts at most once in 3 s, ends by
    /// itself after 6 s, and is lost when there is no socket.
    ///
    /// # Errors
    /// [`Error::Ended`] when the connection is over.
    pub async fn typing(&self, on: bool) -> Result<()> {
        self.connection.tell(Command::Typing(self.id, on)).await
    }
}

impl Draft {
    /// A message of this text.
    pub fn new(body: impl Into<String>) -> Self {
        Self {
            body: body.into(),
            client_id: None,
            reply_to: None,
            thread: None,
        }
    }

    /// Under a name of the program's own, instead of a random UUID. The server stores each name of a
    /// sender once in a room.
    #[must_use]
    pub fn named(self, client_id: ClientId) -> Self {
        Self {
            client_id: Some(client_id),
            ..self
        }
    }

    /// As an answer to a message.
    #[must_use]
    pub fn reply_to(self, seq: Seq) -> Self {
        Self {
            reply_to: Some(seq),
            ..self
        }
    }

    /// In the thread of a message.
    #[must_use]
    pub fn in_thread(self, seq: Seq) -> Self {
        Self {
            thread: Some(seq),
            ..self
        }
    }

    pub(super) fn parts(&self) -> (&str, Option<Seq>, Option<Seq>) {
        (&self.body, self.reply_to, self.thread)
    }
}

impl<T: Into<String>> From<T> for Draft {
    fn from(body: T) -> Self {
        Self::new(body)
    }
}

/// Shows the length only: bodies never reach a log.
impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Draft({} bytes)", self.body.len())
    }
}

impl Letter {
    /// Tells the answer, the one and only.
    pub(super) fn settle(self, answer: Result<Ack>) {
        // Nobody may be waiting for it any more.
        drop(self.answer.send(answer));
    }
}

impl Future for Receipt {
    type Output = Result<Ack>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = std::task::ready!(Pin::new(&mut self.answer).poll(context));
        Poll::Ready(answer.unwrap_or_else(|_| Err(ended(&self.status))))
    }
}

/// That the connection is over, as its status says.
pub(super) fn ended(status: &watch::Receiver<Status>) -> Error {
    match &*status.borrow() {
        Status::Ended(ended) => Error::Ended(ended.clone()),
        _ => Error::Ended(Ended::Closed),
    }
}
