//! One lasting connection to the server, as a program holds it. The task behind it opens one socket
//! after the other; who the user is, and every HTTP call, is the session's business.

mod place;
mod outbox;
mod frames;

mod link;
mod door;

mod events;
mod room;
mod follows;
mod owner;

pub use events::{Delivery, Events, RoomEnded, Start};
pub use room::{Draft, Receipt, Room};

use std::{fmt, sync::Arc, time::Duration};

use protocol::{ConnectionId, RoomId, Seq, frame::PresenceState};
use tokio::{
    sync::{Notify, Semaphore, mpsc, oneshot, watch},
    time::Instant,
};

use crate::{Error, Refusal, Result, Session, Settings};

/// A lasting connection of one session. Cloning gives the same one.
///
/// It connects by itself, and again whenever a socket is lost, after as long as the server says or
/// else after a random while. It ends when it is closed, when the server says that it should not
/// come back, or when nobody holds it, a room's [`Events`] or a [`Receipt`] any more.
#[derive(Clone)]
pub struct Connection {
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<Status>,
    rooms_changed: watch::Receiver<u64>,
    /// How many messages more may be on their way.
    places: Arc<Semaphore>,
    /// Told when a room's reader has taken enough, or is gone.
    wake: Arc<Notify>,
    settings: Arc<Settings>,
}

/// How a connection stands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Status {
    /// A socket is being opened.
    Connecting,
    /// A socket is open.
    Live {
        /// Names the socket in the server's log.
        connection: ConnectionId,
        /// The node that serves it.
        node: String,
    },
    /// The next socket is opened at this moment.
    Waiting {
        /// When.
        until: Instant,
    },
    /// There will be no other.
    Ended(Ended),
}

/// Why a connection is over.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Ended {
    /// The program closed it, or let go of it.
    Closed,
    /// The session is over: logged out, revoked, or not renewed in time.
    SignedOut,
    /// The server refuses to give a socket.
    Refused(Box<Refusal>),
    /// The server closed the socket with a code that means: do not come back.
    Server {
        /// The close code; see `protocol::frame::CloseReason`.
        code: u16,
        /// The server's words.
        reason: String,
    },
    /// What is at the url is no socket of ChatX, or of a kind that this client does not speak.
    Unusable(String),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("closed"),
            Self::SignedOut => f.write_str("the session is over"),
            Self::Refused(refusal) => write!(f, "the server refuses a socket: {refusal}"),
            Self::Server { code, reason } => write!(f, "the server closed it: {code} {reason}"),
            Self::Unusable(why) => write!(f, "no usable socket: {why}"),
        }
    }
}

/// Messages that had no answer when a connection was closed: they may or may not be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{count} messages had no answer when the connection was closed")]
pub struct Unacked {
    /// How many.
    pub count: usize,
}

/// What a handle asks of the task.
#[derive(Debug)]
enum Command {
    Submit(RoomId, room::Letter),
    Follow(RoomId, Start, events::Queue),
    Read(RoomId, Seq),
    Typing(RoomId, bool),
    Presence(PresenceState),
    Close(Instant, oneshot::Sender<Result<(), Unacked>>),
}

/// Commands that may wait for the task. When so many do, whoever asks waits too.
const COMMANDS: usize = 256;

impl Connection {
    pub(crate) fn open(session: Session, settings: Settings) -> Self {
        let (commands, asked) = mpsc::channel(COMMANDS);
        let (status, watched) = watch::channel(Status::Connecting);
        let (changed, rooms_changed) = watch::channel(0);
        let wake = Arc::new(Notify::new());
        let places = Arc::new(Semaphore::new(
            settings.outbox.clamp(1, Semaphore::MAX_PERMITS),
        ));
        let settings = Arc::new(settings);
        tokio::spawn(owner::run(
            session,
            Arc::clone(&settings),
            asked,
            owner::Told {
                status,
                rooms_changed: changed,
            },
            Arc::clone(&wake),
        ));
        Self {
            commands,
            status: watched,
            rooms_changed,
            places,
            wake,
            settings,
        }
    }

    /// A room to speak in and to listen to. Nothing is asked yet.
    pub fn room(&self, room: RoomId) -> Room {
        Room::new(room, self.clone())
    }

    /// How it stands, and every change of that.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// How often the server has said that the user came into a room or is out of one, which may be lost: a program
    /// that shows the user's rooms reads them again when it changes, and whenever a socket is open again.
    pub fn rooms_changed(&self) -> watch::Receiver<u64> {
        self.rooms_changed.clone()
    }

    /// Waits until a socket is open.
    ///
    /// # Errors
    /// [`Error::Ended`] when there will be none.
    pub async fn ready(&self) -> Result<()> {
        let mut status = self.status.clone();
        let found = status
            .wait_for(|status| matches!(status, Status::Live { .. } | Status::Ended(_)))
            .await;
        match found.as_deref() {
            Ok(Status::Live { .. }) => Ok(()),
            _ => Err(self.ended()),
        }
    }

    /// Waits until it is over, and tells why.
    pub async fn until_ended(&self) -> Ended {
        let mut status = self.status.clone();
        match status
            .wait_for(|status| matches!(status, Status::Ended(_)))
            .await
            .as_deref()
        {
            Ok(Status::Ended(ended)) => ended.clone(),
            _ => Ended::Closed,
        }
    }

    /// How this user is here from now on, on this and every later socket.
    ///
    /// # Errors
    /// [`Error::Ended`] when the connection is over.
    pub async fn set_presence(&self, state: PresenceState) -> Result<()> {
        self.tell(Command::Presence(state)).await
    }

    /// Takes no more messages, waits for the answers to those that it has, at most for `within`, and
    /// closes.
    ///
    /// # Errors
    /// [`Unacked`] when some had no answer by then; their receipts say so too.
    pub async fn close(&self, within: Duration) -> Result<(), Unacked> {
        let (done, closed) = oneshot::channel();
        let asked = self
            .tell(Command::Close(Instant::now() + within, done))
            .await;
        if asked.is_err() {
            return Ok(());
        }
        closed.await.unwrap_or(Ok(()))
    }

    async fn tell(&self, command: Command) -> Result<()> {
        self.commands.send(command).await.map_err(|_| self.ended())
    }

    fn ended(&self) -> Error {
        room::ended(&self.status)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connection")
            .field(&*self.status.borrow())
            .finish()
    }
}
