//! Rooms of which more was missed than a socket gives: they are read page by page, until a socket can
//! continue them. Reading is the owner's task; here is what to read, and what becomes of it.

use protocol::{
    RoomId,
    events::{EventList, FindEvents},
};
use tokio::time::Instant;
use tracing::debug;

use super::{
    super::{events::RoomEnded, place::Verdict},
    ASK_AGAIN, Follows, State,
};
use crate::{Error, Result};

/// So many events are read at once, the most that the server gives.
const PAGE_EVENTS: u32 = 200;

impl Follows {
    /// What is to be read next.
    pub(in super::super) fn next_page(&mut self) -> Option<(RoomId, FindEvents)> {
        while let Some(room) = self.to_fill.pop_front() {
            let filling = self
                .rooms
                .get(&room)
                .filter(|follow| follow.state == State::Filling);
            if let Some((after, id)) = filling.and_then(|follow| follow.place.resume()) {
                // What was delivered last is read again, to see that it is still the same.
                let after = if id.is_some() {
                    after.previous()
                } else {
                    after
                };
                let find = FindEvents {
                    after,
                    limit: PAGE_EVENTS,
                    wait_s: 0,
                };
                return Some((room, find));
            }
        }
        None
    }

    /// What was read.
    pub(in super::super) fn read(&mut self, room: RoomId, page: Result<EventList>, now: Instant) {
        let Some(follow) = self
            .rooms
            .get_mut(&room)
            .filter(|follow| follow.state == State::Filling)
        else {
            return;
        };
        let wait = match page {
            Ok(page) => return self.fill(room, page),
            Err(Error::Refused(refusal)) if !refusal.is_passing() && refusal.status < 500 => {
                return self.remove(room, RoomEnded::Refused(refusal));
            }
            Err(Error::Refused(refusal)) => refusal.retry_after,
            Err(error) => {
                debug!(room.id = %room, %error, "what was missed cannot be read yet");
                None
            }
        };
        follow.state = State::Due;
        self.put_off.push((now + wait.unwrap_or(ASK_AGAIN), room));
    }

    fn fill(&mut self, room: RoomId, page: EventList) {
        let Some(follow) = self.rooms.get_mut(&room) else {
            return;
        };
        let first = page.events.first();
        let is_hole = first.is_some_and(|event| follow.place.judge(event.seq) == Verdict::Hole);
        let is_changed = follow.place.resume().is_some_and(|(seq, id)| {
            let again = first.filter(|event| event.seq == seq);
            seq > page.head || id.is_some_and(|id| again.is_none_or(|event| event.id != id))
        });
        follow.is_other = is_hole || is_changed;
        if follow.is_other {
            return self.resume(room);
        }
        follow.state = State::Live;
        let is_last = page
            .events
            .last()
            .is_none_or(|event| event.seq >= page.head);
        for event in page.events {
            self.event(event);
        }
        // A program that is behind, or a hole, has changed that already.
        let Some(follow) = self
            .rooms
            .get_mut(&room)
            .filter(|follow| follow.state == State::Live)
        else {
            return;
        };
        if is_last {
            self.resume(room);
        } else {
            follow.state = State::Filling;
            self.to_fill.push_back(room);
        }
    }
}
