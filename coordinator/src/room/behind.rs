//! How a room comes by what others wrote: from the node that it is with, if that brings it within a moment,
//! and otherwise from the store.

use metrics::counter;
use protocol::events::Event;
use shared::Refusal;
use tracing::debug;

use super::{keeper::Keeper, upstream::Upstream};
use crate::encoded::Entry;

/// What a look at the store finds.
pub(super) enum Looked {
    /// These events follow; none if there are no others.
    Events(Vec<Event>),
    /// The room is deleted.
    Gone,
}

/// How many events are read from the store at once.
const EVENTS_AT_ONCE: u32 = 500;

impl Keeper {
    /// Whether everything that is known to be there was taken in.
    pub(super) fn is_complete(&self) -> bool {
        self.target < self.next.seq()
    }

    pub(super) fn look_if_behind(&mut self) {
        if self.is_complete() {
            if let Some(upstream) = &mut self.upstream {
                upstream.brought(true);
            }
            return;
        }
        if !self.looking.is_idle() || self.upstream.as_mut().is_some_and(Upstream::may_bring) {
            return;
        }
        let with = self.upstream.as_ref().map_or("this", |_| "other");
        counter!("chatx_room_reads_total", "node" => with).increment(1);
        let (rooms, room, after) = (self.rooms.clone(), self.id, self.next.last());
        self.looking.begin(async move {
            let events = rooms.log().events(room, after, EVENTS_AT_ONCE).await?;
            if events.is_empty() {
                let heads = rooms.log().heads(vec![room]).await?;
                if heads.iter().all(|head| head.room != room || head.gone) {
                    return Ok(Looked::Gone);
                }
            }
            Ok(Looked::Events(events))
        });
    }

    pub(super) fn looked(&mut self, looked: Result<Looked, Refusal>) {
        match looked {
            Ok(Looked::Events(events)) => {
                if events.is_empty() {
                    // A hint was wrong, or told of what is no event.
                    self.target = self.next.last();
                }
                for event in events {
                    if event.seq >= self.next.seq() {
                        self.take(Entry::new(event));
                    }
                }
                self.deliver();
            }
            Ok(Looked::Gone) => {
                self.target = self.next.last();
                self.gone();
            }
            Err(refusal) => {
                // The next look at all heads, in a second, tries again; or the other node says where the
                // log stands, in two.
                self.target = self.next.last();
                debug!(room.id = %self.id, error = %refusal, "events cannot be read");
            }
        }
    }
}
