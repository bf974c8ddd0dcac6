//! A room in which nothing happens has no task: what the task kept rests in the room until somebody says
//! something to it. Thousands are idle for each that is not, and most of what a room needs is for what happens.

use protocol::RoomId;
use tokio::time::{Duration, Instant};

use super::{Room, audience::Listeners, guests::ByNode, keeper::Keeper, upstream::Upstream};
use crate::{delivery::Next, rooms::Rooms, roster::People};

/// What is left of a room's task.
pub(super) struct Resting {
    id: RoomId,
    next: Next,
    listeners: Listeners,
    guests: ByNode,
    people: People,
    upstream: Option<Box<Upstream>>,
    is_needed: bool,
}

/// How long nothing happens before a room rests: a conversation that goes on should not start a task for each
/// message. In tests rooms rest at every opportunity.
const RESTS_AFTER: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 1_000 });

impl Keeper {
    /// When the room rests, if nothing happens; nothing if there is something to do by then.
    pub(super) fn rests_at(&self) -> Option<Instant> {
        let is_idle = self.is_complete()
            && !self.doubts
            && !self.is_over
            && self.looking.is_idle()
            && self.appends.is_empty()
            && self.forwarded.is_empty()
            && !self.is_unused()
            && self.due_at().is_none();
        is_idle.then(|| self.active_at + RESTS_AFTER)
    }

    /// Lays down what it keeps, if the time has come and nothing waits to be done; otherwise gives back the keeper,
    /// which goes on.
    pub(super) fn rest(mut self) -> Option<Self> {
        let is_time = |keeper: &Self| keeper.rests_at().is_some_and(|at| at <= Instant::now());
        if !is_time(&self) {
            return Some(self);
        }
        // Nobody will look for who left without a word; whoever does so later, leaves a room that has time
        // to hear it.
        self.count();
        if !is_time(&self) {
            return Some(self);
        }
        let (rooms, room) = (self.rooms, self.room);
        let resting = Resting {
            id: self.id,
            next: self.next,
            listeners: self.audience.into_listeners(),
            guests: self.guests.into_following(),
            people: self.roster.into_people(),
            upstream: self.upstream,
            is_needed: self.is_needed,
        };
        let refused = room.rest(Box::new(resting)).err()?;
        Some(refused.kept(rooms, room))
    }
}

impl Resting {
    /// The same as its task keeps it.
    pub(super) fn kept(self, rooms: Rooms, room: Room) -> Keeper {
        let mut keeper = Keeper::new(self.id, rooms, room);
        keeper.next = self.next;
        keeper.target = self.next.last();
        keeper.audience.take_back(self.listeners);
        keeper.guests.take_back(self.guests);
        keeper.roster.take_back(self.people);
        keeper.upstream = self.upstream;
        keeper.is_needed = self.is_needed;
        keeper
    }
}
