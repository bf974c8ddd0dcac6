//! How far one socket is in the rooms that it follows.

use protocol::{RoomId, Seq};

use crate::delivery::{Next, Verdict};

/// The rooms, in their order: most sockets follow a few.
#[derive(Default)]
pub(super) struct Places(Vec<(RoomId, Place)>);

/// How far a socket is in one room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Everything before this place was sent; what is delivered next is written as it comes.
    Live(Next),
    /// Everything before this place was sent; more is known to follow, and what is delivered is found with it.
    Behind(Next),
}

impl Places {
    /// The place in a room; none if it is not followed.
    pub(super) fn of(&self, room: RoomId) -> Option<Place> {
        self.find(room).ok().map(|index| self.0[index].1)
    }

    pub(super) fn set(&mut self, room: RoomId, place: Place) {
        match self.find(room) {
            Ok(index) => self.0[index].1 = place,
            Err(index) => {
                if self.0.is_empty() {
                    self.0.reserve_exact(1);
                }
                self.0.insert(index, (room, place));
            }
        }
    }

    pub(super) fn remove(&mut self, room: RoomId) {
        if let Ok(index) = self.find(room) {
            self.0.remove(index);
        }
    }

    /// Puts a room behind; whether it was live.
    pub(super) fn fall_behind(&mut self, room: RoomId) -> bool {
        let live = self.of(room);
        if let Some(Place::Live(next)) = live {
            self.set(room, Place::Behind(next));
        }
        matches!(live, Some(Place::Live(_)))
    }

    /// Moves on in a room that is behind, if `seq` is what comes next there; whether it is.
    pub(super) fn catch_up(&mut self, room: RoomId, seq: Seq) -> bool {
        match self.find(room).map(|index| &mut self.0[index].1) {
            Ok(Place::Behind(next)) => next.offer(seq) == Verdict::Send,
            Ok(Place::Live(_)) | Err(_) => false,
        }
    }

    fn find(&self, room: RoomId) -> Result<usize, usize> {
        self.0.binary_search_by_key(&room, |(room, _)| *room)
    }
}
