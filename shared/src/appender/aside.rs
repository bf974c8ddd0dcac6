//! Rooms that somebody else holds locked, such as a handler that froze in the middle of a change: their
//! entries wait apart, each room by itself, so that no other room waits for them.

use std::{collections::HashMap, future::pending, panic::resume_unwind};

use protocol::RoomId;
use tokio::{task::JoinSet, time::sleep};

use super::{BATCH_ENTRIES, RETRY_PAUSE, Waiting, give_up_late, store_batch, unavailable};
use crate::store::Store;

/// The rooms of one writer that wait apart.
#[derive(Default)]
pub(super) struct Aside {
    /// What came of each while earlier entries of it are on their way.
    later: HashMap<RoomId, Vec<Waiting>>,
    under_way: JoinSet<RoomId>,
}

impl Aside {
    /// Sets a batch aside, its rooms apart from each other.
    pub(super) fn put(&mut self, store: &Store, batch: Vec<Waiting>) {
        let mut rooms: HashMap<RoomId, Vec<Waiting>> = HashMap::new();
        for waiting in batch {
            rooms.entry(waiting.entry.room).or_default().push(waiting);
        }
        for (room, batch) in rooms {
            self.later.insert(room, Vec::new());
            self.begin(store, room, batch);
        }
    }

    /// Takes an entry whose room is aside; gives back any other. Of one room no more wait than a batch
    /// takes: what comes then is told `unavailable`.
    pub(super) fn take(&mut self, waiting: Waiting) -> Option<Waiting> {
        let Some(later) = self.later.get_mut(&waiting.entry.room) else {
            return Some(waiting);
        };
        if later.len() < BATCH_ENTRIES {
            later.push(waiting);
        } else {
            waiting.answer(Err(unavailable()));
        }
        None
    }

    /// Waits until the batch of a room is through, and begins with what came meanwhile, or lets the room
    /// go back to the others; waits for ever if none is aside. Cancel-safe.
    pub(super) async fn turn(&mut self, store: &Store) {
        let room = match self.under_way.join_next().await {
            None => return pending().await,
            Some(Ok(room)) => room,
            Some(Err(error)) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(_) => return,
            },
        };
        match self.later.remove(&room) {
            Some(later) if !later.is_empty() => {
                self.later.insert(room, Vec::new());
                self.begin(store, room, later);
            }
            _ => {}
        }
    }

    /// Stores what is aside, to the last entry.
    pub(super) async fn finish(&mut self, store: &Store) {
        while !self.under_way.is_empty() {
            self.turn(store).await;
        }
    }

    fn begin(&mut self, store: &Store, room: RoomId, mut batch: Vec<Waiting>) {
        let store = store.clone();
        self.under_way.spawn(async move {
            while let Err(locked) = store_batch(&store, batch).await {
                batch = give_up_late(locked);
                sleep(RETRY_PAUSE).await;
            }
            room
        });
    }
}
