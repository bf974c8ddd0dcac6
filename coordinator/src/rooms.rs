//! The rooms that are live on this node: each is loaded when somebody first needs it and unloaded
//! when nobody does. It holds handles; what happens in a room is [`crate::room`]'s.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use metrics::gauge;
use protocol::{ErrorCode, Limits, RoomId, Seq};
use shared::Refusal;
use tokio::sync::{mpsc, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    connection::Connection,
    log::Log,
    room::{Attached, Command, Room, Sending},
};

/// Every live room. Cloning gives the same rooms.
#[derive(Clone)]
pub(crate) struct Rooms(Arc<Inner>);

struct Inner {
    log: Arc<dyn Log>,
    limits: Limits,
    live: Mutex<HashMap<RoomId, Room>>,
    tasks: TaskTracker,
    cancel: CancellationToken,
}

/// After how long a room that is too busy may be asked again.
const BUSY: Duration = Duration::from_secs(1);

/// A hold on a room that is live, or about to be.
pub(crate) struct Attaching {
    /// The hold.
    pub(crate) attached: Arc<Attached>,
    /// Tells when the room is loaded, or why it is not.
    pub(crate) loaded: oneshot::Receiver<Result<(), Refusal>>,
}

impl Rooms {
    /// No rooms yet; their tasks are counted by `tasks` and end with `cancel`.
    pub(crate) fn new(
        log: Arc<dyn Log>,
        limits: Limits,
        tasks: TaskTracker,
        cancel: CancellationToken,
    ) -> Self {
        Self(Arc::new(Inner {
            log,
            limits,
            live: Mutex::default(),
            tasks,
            cancel,
        }))
    }

    /// The logs of the rooms.
    pub(crate) fn log(&self) -> &dyn Log {
        &*self.0.log
    }

    /// What is allowed in them.
    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Has a room deliver to a socket from now on, and tells when it is loaded.
    pub(crate) fn attach(&self, id: RoomId, connection: &Connection) -> Result<Attaching, Refusal> {
        self.with_room(id, |room| {
            let (attached, listen, loaded) = Attached::new(room.clone(), connection);
            match room.tell(Command::Listen(listen)) {
                Ok(()) => Ok(Attaching { attached, loaded }),
                Err(_) => Err(Refusal::from(ErrorCode::Unavailable).retry_after(BUSY)),
            }
        })
    }

    /// Gives a message to its room.
    pub(crate) fn send(&self, sending: Sending) {
        let room = sending.append.room;
        let told = self.with_room(room, |room| room.tell(Command::Send(Box::new(sending))));
        if let Err(Command::Send(sending)) = told {
            sending.refuse(Refusal::from(ErrorCode::Unavailable).retry_after(BUSY));
        }
    }

    /// Tells a room, if it is live, that its log may have reached `seq`. What is lost here, the next
    /// look at all heads repairs.
    pub(crate) fn look(&self, id: RoomId, seq: Seq) {
        if let Some(room) = self.live().get(&id) {
            drop(room.tell(Command::Look(seq)));
        }
    }

    /// Tells a room that it is deleted.
    pub(crate) fn gone(&self, id: RoomId) {
        if let Some(room) = self.live().get(&id) {
            drop(room.tell(Command::Gone));
        }
    }

    /// Every live room and the place up to which it delivered.
    pub(crate) fn heads(&self) -> HashMap<RoomId, Seq> {
        self.live()
            .iter()
            .map(|(id, room)| (*id, room.head()))
            .collect()
    }

    /// Forgets a room that has nothing left to do, unless somebody just told it something. All who
    /// do not hold the room speak to it under the same lock, so nothing is lost in between.
    pub(crate) fn retire(&self, id: RoomId, commands: &mpsc::Receiver<Command>) -> bool {
        let mut live = self.live();
        let is_idle = commands.is_empty();
        if is_idle {
            Self::remove(&mut live, id);
        }
        is_idle
    }

    /// Forgets a room whose task has ended, however it came to that; not one that was loaded anew.
    pub(crate) fn forget_ended(&self, id: RoomId) {
        let mut live = self.live();
        if live.get(&id).is_some_and(Room::is_ended) {
            Self::remove(&mut live, id);
        }
    }

    fn remove(live: &mut HashMap<RoomId, Room>, id: RoomId) {
        if live.remove(&id).is_some() {
            gauge!("chatx_rooms").decrement(1.0);
        }
    }

    /// Says something to a room, which is loaded if it is not live. It is said under the lock, see
    /// [`Rooms::retire`].
    fn with_room<T>(&self, id: RoomId, say: impl FnOnce(&Room) -> T) -> T {
        let Inner {
            log,
            limits,
            tasks,
            cancel,
            ..
        } = &*self.0;
        let mut started = None;
        let said = {
            let mut live = self.live();
            say(live.entry(id).or_insert_with(|| {
                let (room, task) =
                    Room::start(id, self.clone(), Arc::clone(log), limits, cancel.clone());
                started = Some(task);
                gauge!("chatx_rooms").increment(1.0);
                room
            }))
        };
        if let Some(task) = started {
            tasks.spawn(task);
        }
        said
    }

    fn live(&self) -> MutexGuard<'_, HashMap<RoomId, Room>> {
        self.0
            .live
            .lock()
            .expect("nothing panics while it holds the rooms")
    }
}
