//! The nodes that follow one live room here, for their sockets. Like the audience, it only ever pushes.

use std::{collections::BTreeMap, sync::Arc};

use protocol::{RoomId, Seq};
use tokio::time::{Duration, Instant};

use crate::{
    encoded::Entry,
    peers::{Guest, frame::News},
};

/// Every node that gets what happens in a room.
pub(super) struct Guests {
    room: RoomId,
    of: ByNode,
    /// When they are told where the log stands, if it moved on since they were.
    told_at: Option<Instant>,
}

/// The guests of a room, without more.
pub(super) type ByNode = BTreeMap<Arc<str>, Guest>;

/// After how long a guest that lost the last event learns that there is one.
const HEAD_AFTER: Duration = Duration::from_secs(2);

impl Guests {
    pub(super) const fn new(room: RoomId) -> Self {
        Self {
            room,
            of: BTreeMap::new(),
            told_at: None,
        }
    }

    /// The guests alone.
    pub(super) fn into_following(self) -> ByNode {
        self.of
    }

    /// They follow the room.
    pub(super) fn take_back(&mut self, following: ByNode) {
        self.of = following;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    pub(super) fn add(&mut self, guest: &Guest) {
        self.of.insert(Arc::clone(guest.node()), guest.clone());
    }

    pub(super) fn has(&self, guest: &Guest) -> bool {
        self.of
            .get(guest.node())
            .is_some_and(|known| known.is_same(guest))
    }

    /// Takes one out; whether it was there.
    pub(super) fn remove(&mut self, guest: &Guest) -> bool {
        self.has(guest) && self.of.remove(guest.node()).is_some()
    }

    /// Events, in order.
    pub(super) fn deliver(&mut self, entries: &[Arc<Entry>]) {
        for guest in self.of.values() {
            guest.deliver(entries);
        }
        if !self.of.is_empty() && self.told_at.is_none() {
            self.told_at = Some(Instant::now() + HEAD_AFTER);
        }
    }

    /// What may be lost, to all but the one that it is from.
    pub(super) fn pass(&self, from: Option<&Arc<str>>, news: &News) {
        for (node, guest) in &self.of {
            if Some(node) != from {
                guest.pass(self.room, news.clone());
            }
        }
    }

    /// Tells where the log stands, if it is time.
    pub(super) fn tell_head(&mut self, head: Seq) {
        if self.told_at.is_some_and(|at| at <= Instant::now()) {
            self.told_at = None;
            for guest in self.of.values() {
                guest.tell(self.room, News::Head(head));
            }
        }
    }

    /// The room is gone.
    pub(super) fn gone(&self) {
        for guest in self.of.values() {
            guest.tell(self.room, News::Gone);
        }
    }

    /// The log is another than the one that they were told of.
    pub(super) fn went_back(&self, head: Seq) {
        for guest in self.of.values() {
            guest.tell(self.room, News::WentBack(head));
        }
    }

    /// When there is something to tell.
    pub(super) const fn deadline(&self) -> Option<Instant> {
        self.told_at
    }
}
