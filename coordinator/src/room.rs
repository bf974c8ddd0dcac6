//! One live room, as sockets and the node see it. What it does with what it is told is `keeper`'s.

mod commands;
mod keeper;
mod resting;
mod behind;
mod history;
mod following;
mod hosting;
mod people;
mod storing;
mod appends;
mod forwarded;
mod upstream;
mod introductions;
mod guests;
mod audience;
mod shard;
mod recent;

#[cfg(test)]
mod tests;

pub(crate) use appends::Sending;
pub(crate) use recent::Following;

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use audience::Listener;
use commands::{Commands, NotTold};
use keeper::Keeper;
use protocol::{
    ConnectionId, ErrorCode, RoomId, Seq, UserId,
    accounts::UserSummary,
    frame::{Online, PresenceState},
};
use recent::Recent;
use resting::Resting;
use shared::Refusal;
use tokio::sync::oneshot;

use crate::{
    connection::Connection,
    peers::{
        Guest, Link,
        frame::{News, Word},
    },
    rooms::{Rooms, WeakRooms},
};

/// A live room. Cloning gives the same room.
#[derive(Clone)]
pub(crate) struct Room(Arc<Shared>);

/// What a room's task and everybody else know of it.
struct Shared {
    /// Those of its node, who hold it.
    rooms: WeakRooms,
    commands: Commands,
    recent: Recent,
    /// Whether another node says everything that happens in it.
    is_told: AtomicBool,
}

/// A socket's hold on a room: dropped, the room no longer delivers to it.
pub(crate) struct Attached {
    room: Room,
    connection: ConnectionId,
}

/// What a room is told.
pub(crate) enum Command {
    /// Deliver to this socket from now on.
    Listen(Box<Listen>),
    /// This socket's user may read here, and is here.
    Enter(Enter),
    /// Deliver to this socket no more.
    Detach(ConnectionId),
    /// Store a message.
    Send(Box<Sending>),
    /// The log may have reached this place.
    Look(Seq),
    /// The room is deleted.
    Gone,
    /// The log ends at this place, before what was delivered of it.
    WentBack(Seq),
    /// A socket's user is here in another way.
    Presence(ConnectionId, UserId, PresenceState),
    /// A user began or stopped typing.
    Typing(UserSummary, bool),
    /// A user has read up to a place, and shows it.
    Read(UserId, Seq),
    /// What the node says that the room is with, or was.
    Hear(Link, News),
    /// What a node says that follows the room here, or is about to.
    Guest(Guest, Word),
    /// It may be with another node than before.
    Moved,
}

/// A socket that wants to follow a room.
pub(crate) struct Listen {
    listener: Listener,
    loaded: oneshot::Sender<Result<(), Refusal>>,
}

/// A socket whose user may read a room.
pub(crate) struct Enter {
    connection: ConnectionId,
    state: PresenceState,
    /// Where the log stood when they were seen to be a member.
    head: Seq,
    member_count: u32,
    /// Who is here.
    online: oneshot::Sender<Online>,
}

impl Room {
    /// The room, and the task that keeps it.
    pub(crate) fn start(
        id: RoomId,
        rooms: Rooms,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let room = Self(Arc::new(Shared {
            rooms: rooms.downgrade(),
            commands: Commands::new(),
            recent: Recent::new(),
            is_told: AtomicBool::new(false),
        }));
        let kept = Keeper::load(id, rooms, room.clone());
        (room, kept)
    }

    /// Lays down what its task keeps, if nothing waits to be done; that task must end then.
    fn rest(&self, resting: Box<Resting>) -> Result<(), Box<Resting>> {
        self.0.commands.rest(resting)
    }

    /// Starts a task for it again.
    fn wake(&self, resting: Resting) {
        match self.0.rooms.upgrade() {
            Some(rooms) => {
                let tasks = rooms.tasks().clone();
                tasks.spawn(Keeper::take_up(resting, rooms, self.clone()));
            }
            // The node is gone, and nobody should wait for the room.
            None => drop(self.close()),
        }
    }

    /// Ends it, for everybody: what waits is given out, and nothing more is taken.
    fn close(&self) -> VecDeque<Command> {
        self.0.commands.close()
    }

    fn recent(&self) -> &Recent {
        &self.0.recent
    }

    /// Waits for what it is told. Only its task may. Cancel-safe.
    async fn commands(&self) -> VecDeque<Command> {
        self.0.commands.take().await
    }

    /// What it was told already. Only its task may ask.
    fn waiting_commands(&self) -> VecDeque<Command> {
        self.0.commands.take_waiting()
    }

    fn set_told(&self, is_told: bool) {
        self.0.is_told.store(is_told, Ordering::Relaxed);
    }

    /// Whether nothing waits to be done by it.
    pub(crate) fn is_idle(&self) -> bool {
        self.0.commands.is_empty()
    }

    /// Whether its task has ended.
    pub(crate) fn is_ended(&self) -> bool {
        self.0.commands.is_closed()
    }

    /// Whether another node says everything that happens in it, so that nobody has to look.
    pub(crate) fn is_told(&self) -> bool {
        self.0.is_told.load(Ordering::Relaxed)
    }

    /// Waits until it can be told something; whether its task lives.
    pub(crate) async fn has_room(&self) -> bool {
        self.0.commands.has_space().await
    }

    /// The place of the latest event that was delivered.
    pub(crate) fn head(&self) -> Seq {
        self.0.recent.head()
    }

    /// About `bytes` of the events from `next` on.
    pub(crate) fn following(&self, next: Seq, bytes: usize) -> Following {
        self.0.recent.from(next, bytes)
    }

    /// Says something; gives it back if the room is too busy.
    pub(crate) fn tell(&self, command: Command) -> Result<(), Command> {
        match self.0.commands.push(command) {
            Ok(resting) => {
                if let Some(resting) = resting {
                    self.wake(*resting);
                }
                Ok(())
            }
            Err(NotTold::Full(command) | NotTold::Closed(command)) => Err(command),
        }
    }

    /// Says that a socket's user may read here, and hears who else is here.
    pub(crate) async fn enter(
        &self,
        connection: ConnectionId,
        state: PresenceState,
        head: Seq,
        member_count: u32,
    ) -> Result<Online, Refusal> {
        let (online, answer) = oneshot::channel();
        let enter = Command::Enter(Enter {
            connection,
            state,
            head,
            member_count,
            online,
        });
        let told = self.0.commands.push_in_turn(enter).await;
        if let Some(resting) = told.map_err(|_| ErrorCode::Unavailable)? {
            self.wake(*resting);
        }
        answer.await.map_err(|_| ErrorCode::Unavailable.into())
    }
}

impl Attached {
    /// A hold on `room`, what tells the room of it, and what tells when the room is loaded.
    pub(crate) fn new(
        room: Room,
        connection: &Arc<Connection>,
    ) -> (Arc<Self>, Listen, oneshot::Receiver<Result<(), Refusal>>) {
        let attached = Arc::new(Self {
            room,
            connection: connection.id,
        });
        let (loaded, is_loaded) = oneshot::channel();
        let weak = Arc::downgrade(&attached);
        let listener = Listener {
            connection: Arc::clone(connection),
            attached: weak,
            member_at: None,
            out_at: Seq::ZERO,
        };
        (attached, Listen { listener, loaded }, is_loaded)
    }

    /// The room.
    pub(crate) const fn room(&self) -> &Room {
        &self.room
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        // A room that is too busy to hear it notices by itself.
        drop(self.room.tell(Command::Detach(self.connection)));
    }
}

/// How many bytes the parts of an idle room take, and how many they may.
#[cfg(test)]
pub(crate) const WEIGHTS: [(&str, usize, usize); 4] = [
    ("a room", size_of::<Shared>(), 192),
    ("a room that rests", size_of::<Resting>(), 192),
    ("a socket that follows a room", size_of::<Listener>(), 48),
    ("its hold on the room", size_of::<Attached>(), 48),
];
