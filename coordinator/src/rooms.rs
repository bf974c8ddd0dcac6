//! The rooms that are live on this node: each is loaded when somebody first needs it and unloaded
//! when nobody does. It holds handles; what happens in a room is [`crate::room`]'s.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, Weak},
    time::Duration,
};

use metrics::gauge;
use protocol::{ErrorCode, Limits, RoomId, Seq, UserId};
use shared::Refusal;
use tokio::sync::{Notify, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    connection::Connection,
    log::Log,
    peers::{
        Guest, Link, LocalRooms, Peers,
        frame::{News, Word},
    },
    room::{Attached, Command, Room, Sending},
};

/// Every live room. Cloning gives the same rooms.
#[derive(Clone)]
pub(crate) struct Rooms(Arc<Inner>);

/// The same rooms, for who must not keep them.
pub(crate) struct WeakRooms(Weak<Inner>);

struct Inner {
    log: Arc<dyn Log>,
    peers: Peers,
    limits: Limits,
    live: Mutex<BTreeMap<RoomId, Room>>,
    /// Tells that a room wants the heads to be looked at.
    nudged: Notify,
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
        peers: Peers,
        limits: Limits,
        tasks: TaskTracker,
        cancel: CancellationToken,
    ) -> Self {
        Self(Arc::new(Inner {
            log,
            peers,
            limits,
            live: Mutex::default(),
            nudged: Notify::new(),
            tasks,
            cancel,
        }))
    }

    /// The same, for who must not keep them.
    pub(crate) fn downgrade(&self) -> WeakRooms {
        WeakRooms(Arc::downgrade(&self.0))
    }

    /// Ends their tasks.
    pub(crate) fn cancel(&self) -> &CancellationToken {
        &self.0.cancel
    }

    /// The logs of the rooms.
    pub(crate) fn log(&self) -> &dyn Log {
        &*self.0.log
    }

    /// Counts what works for them.
    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }

    /// What is allowed in them.
    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Has a room deliver to a socket from now on, and tells when it is loaded.
    pub(crate) fn attach(
        &self,
        id: RoomId,
        connection: &Arc<Connection>,
    ) -> Result<Attaching, Refusal> {
        self.with_room(id, |room| {
            let (attached, listen, loaded) = Attached::new(room.clone(), connection);
            match room.tell(Command::Listen(Box::new(listen))) {
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

    /// Tells a room that its log may have reached `seq`; if it is not live here, the node that it is with.
    /// What is lost here, the next look at all heads repairs.
    pub(crate) fn look(&self, id: RoomId, seq: Seq) {
        if let Some(room) = self.live().get(&id) {
            drop(room.tell(Command::Look(seq)));
            return;
        }
        if let Some(link) = self.0.peers.upstream(id) {
            let _ = link.say(id, Word::Hint(seq));
        }
    }

    /// Tells a room how far somebody has read. It may miss it when it is too busy.
    pub(crate) fn read(&self, id: RoomId, user: UserId, seq: Seq) {
        if let Some(room) = self.live().get(&id) {
            drop(room.tell(Command::Read(user, seq)));
        }
    }

    /// Tells a room that it is deleted.
    pub(crate) fn gone(&self, id: RoomId) {
        if let Some(room) = self.live().get(&id) {
            drop(room.tell(Command::Gone));
        }
    }

    /// Tells a room that its log stands at `head`, although it had delivered up to `delivered` before the log
    /// was asked; not one that was loaded since.
    pub(crate) fn went_back(&self, id: RoomId, delivered: Seq, head: Seq) {
        let live = self.live();
        if let Some(room) = live.get(&id).filter(|room| room.head() >= delivered) {
            // What is lost here, the next look at all heads repairs.
            drop(room.tell(Command::WentBack(head)));
        }
    }

    /// So many live rooms after one, in the order of their ids, of which no other node tells what happens; and
    /// the places up to which they delivered.
    pub(crate) fn heads(&self, after: Option<RoomId>, most: usize) -> Vec<(RoomId, Seq)> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.live()
            .range((after, Bound::Unbounded))
            .filter(|(_, room)| !room.is_told())
            .map(|(id, room)| (*id, room.head()))
            .take(most)
            .collect()
    }

    /// How many rooms are live.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.live().len()
    }

    /// Has the heads looked at, at once.
    pub(crate) fn nudge(&self) {
        self.0.nudged.notify_one();
    }

    /// Waits until the heads should be looked at. Cancel-safe.
    pub(crate) async fn nudged(&self) {
        self.0.nudged.notified().await;
    }

    /// The other nodes.
    pub(crate) fn peers(&self) -> &Peers {
        &self.0.peers
    }

    /// Forgets a room that has nothing left to do, unless somebody just told it something. All who
    /// do not hold the room speak to it under the same lock, so nothing is lost in between.
    pub(crate) fn retire(&self, id: RoomId, room: &Room) -> bool {
        let mut live = self.live();
        let is_idle = room.is_idle();
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

    fn remove(live: &mut BTreeMap<RoomId, Room>, id: RoomId) {
        if live.remove(&id).is_some() {
            gauge!("chatx_rooms").decrement(1.0);
        }
    }

    /// Says something to a room, which is loaded if it is not live. It is said under the lock, see
    /// [`Rooms::retire`].
    fn with_room<T>(&self, id: RoomId, say: impl FnOnce(&Room) -> T) -> T {
        let mut started = None;
        let said = {
            let mut live = self.live();
            say(live.entry(id).or_insert_with(|| {
                let (room, task) = Room::start(id, self.clone());
                started = Some(task);
                gauge!("chatx_rooms").increment(1.0);
                room
            }))
        };
        if let Some(task) = started {
            self.0.tasks.spawn(task);
        }
        said
    }

    fn live(&self) -> MutexGuard<'_, BTreeMap<RoomId, Room>> {
        self.0
            .live
            .lock()
            .expect("nothing panics while it holds the rooms")
    }
}

impl WeakRooms {
    /// The rooms, if anybody still keeps them.
    pub(crate) fn upgrade(&self) -> Option<Rooms> {
        self.0.upgrade().map(Rooms)
    }
}

impl LocalRooms for Rooms {
    async fn hear(&self, link: &Link, id: RoomId, news: News) {
        let mut command = Command::Hear(link.clone(), news);
        loop {
            let room = {
                let live = self.live();
                let Some(room) = live.get(&id) else {
                    // It let go when that could not be said. Said under the lock, so that it is said before
                    // the room attaches again.
                    let _ = link.say(id, Word::Detach);
                    return;
                };
                match room.tell(command) {
                    Ok(()) => return,
                    Err(refused) => command = refused,
                }
                room.clone()
            };
            if !room.has_room().await {
                return;
            }
        }
    }

    async fn guest(&self, guest: &Guest, id: RoomId, word: Word) {
        let loads = matches!(word, Word::Attach { .. } | Word::Append { .. });
        let mut command = Command::Guest(guest.clone(), word);
        loop {
            let say = |room: &Room| (room.clone(), room.tell(command));
            let said = if loads {
                Some(self.with_room(id, say))
            } else {
                self.live().get(&id).map(say)
            };
            let Some((room, Err(refused))) = said else {
                return;
            };
            if let Command::Guest(guest, Word::Append { number, .. }) = refused {
                let refusal = Refusal::from(ErrorCode::Unavailable).retry_after(BUSY);
                return guest.answer(number, Err(refusal));
            }
            if !room.has_room().await {
                return;
            }
            command = refused;
        }
    }

    fn moved(&self) {
        for room in self.live().values() {
            // One that is too busy sees it by itself before long.
            drop(room.tell(Command::Moved));
        }
    }
}
