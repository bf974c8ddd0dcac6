//! "Something was written in a room", said within this process to who delivers it elsewhere. A nudge may be
//! lost: what is to be delivered stands in the store, and is looked for every few seconds as well.

use std::{
    collections::HashSet,
    sync::{Arc, PoisonError, RwLock},
};

use protocol::RoomId;
use tokio::sync::Notify;

/// Both ends of it. Cloning gives the same.
#[derive(Clone, Default)]
pub struct Nudges(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// The rooms whose events somebody elsewhere waits for: of most rooms nobody does, and a message there
    /// costs one look at this.
    rooms: RwLock<HashSet<RoomId>>,
    written: Notify,
}

impl Nudges {
    /// Says that something was written in `room`.
    pub fn wrote(&self, room: RoomId) {
        let rooms = self.0.rooms.read().unwrap_or_else(PoisonError::into_inner);
        if rooms.contains(&room) {
            self.0.written.notify_one();
        }
    }

    /// Says that there is something to do, whatever was written.
    pub fn look(&self) {
        self.0.written.notify_one();
    }

    /// These rooms are waited for, and no others.
    pub(crate) fn wait_for(&self, waited: HashSet<RoomId>) {
        *self.0.rooms.write().unwrap_or_else(PoisonError::into_inner) = waited;
    }

    /// These rooms are waited for, too.
    pub(crate) fn wait_also(&self, more: impl IntoIterator<Item = RoomId>) {
        let mut rooms = self.0.rooms.write().unwrap_or_else(PoisonError::into_inner);
        rooms.extend(more);
    }

    /// Whether any room is waited for.
    pub(crate) fn is_waiting(&self) -> bool {
        let rooms = self.0.rooms.read().unwrap_or_else(PoisonError::into_inner);
        !rooms.is_empty()
    }

    /// Until something was written since the last time. One waits.
    pub(crate) async fn written(&self) {
        self.0.written.notified().await;
    }
}
