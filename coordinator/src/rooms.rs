//! The rooms that are live on this node: each is loaded when somebody first needs it and unloaded
//! when nobody does. It holds handles; what happens in a room is [`crate::room`]'s.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use metrics::gauge;
use protocol::{ConnectionId, ErrorCode, RoomId, Seq, accounts::UserSummary};
use shared::{App, Refusal};
use tokio::sync::{mpsc, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    outbox::Outbox,
    room::{Attached, Command, Room, Sending},
};

/// Every live room. Cloning gives the same rooms.
#[derive(Clone)]
pub(crate) struct Rooms(Arc<Inner>);

struct Inner {
    app: App,
    live: Mutex<HashMap<RoomId, Room>>,
    tasks: TaskTracker,
    cancel: CancellationToken,
}

/// A hold on a room that is live, or about to be.
pub(crate) struct Attaching {
    /// The hold.
    pub(crate) attached: Arc<Attached>,
    /// Tells when the room is loaded, or why it is not.
    pub(crate) loaded: oneshot::Receiver<Result<(), Refusal>>,
}

impl Rooms {
    /// No rooms yet; their tasks are counted by `tasks` and end with `cancel`.
    pub(crate) fn new(app: App, tasks: TaskTracker, cancel: CancellationToken) -> Self {
        Self(Arc::new(Inner {
            app,
            live: Mutex::default(),
            tasks,
            cancel,
        }))
    }

    /// Has a room deliver to a socket from now on, and tells when it is loaded.
    pub(crate) fn attach(
        &self,
        id: RoomId,
        connection: ConnectionId,
        user: UserSummary,
        outbox: Outbox,
    ) -> Result<Attaching, Refusal> {
        let mut live = self.live();
        let room = self.live_room(&mut live, id);
        let (attached, listen, loaded) = Attached::new(room.clone(), connection, user, outbox);
        let told = room.tell(Command::Listen(listen));
        drop(live);
        told.map_err(|_| ErrorCode::Unavailable)?;
        Ok(Attaching { attached, loaded })
    }

    /// Gives a message to its room.
    pub(crate) fn send(&self, sending: Sending) {
        let mut live = self.live();
        let room = self.live_room(&mut live, sending.append.room);
        let told = room.tell(Command::Send(Box::new(sending)));
        drop(live);
        if let Err(Command::Send(sending)) = told {
            sending.refuse(ErrorCode::Unavailable.into());
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

    /// Forgets a room that could not be loaded.
    pub(crate) fn forget(&self, id: RoomId) {
        Self::remove(&mut self.live(), id);
    }

    fn remove(live: &mut HashMap<RoomId, Room>, id: RoomId) {
        if live.remove(&id).is_some() {
            gauge!("chatx_rooms").decrement(1.0);
        }
    }

    fn live_room<'a>(&self, live: &'a mut HashMap<RoomId, Room>, id: RoomId) -> &'a Room {
        live.entry(id).or_insert_with(|| {
            let Inner {
                app, tasks, cancel, ..
            } = &*self.0;
            let (room, task) = Room::start(id, self.clone(), app.clone(), cancel.clone());
            tasks.spawn(task);
            gauge!("chatx_rooms").increment(1.0);
            room
        })
    }

    fn live(&self) -> MutexGuard<'_, HashMap<RoomId, Room>> {
        self.0
            .live
            .lock()
            .expect("nothing panics while it holds the rooms")
    }
}
