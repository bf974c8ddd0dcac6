//! How a room comes by what others wrote: from the node that it is with, if that brings it within a moment,
//! and otherwise from the store.

use metrics::counter;
use protocol::{EventId, RoomId, Seq, events::Event};
use shared::Refusal;
use tracing::debug;

use super::keeper::Keeper;
use crate::{encoded::Entry, log::Log};

/// What a look at the store finds.
pub(super) enum Looked {
    /// These events follow; none if there are no others.
    Events(Vec<Event>),
    /// The room is deleted.
    Gone,
    /// Up to there the log is another than the one that was delivered.
    WentBack(Seq),
}

/// How many events are read from the store at once.
const EVENTS_AT_ONCE: u32 = 500;

impl Keeper {
    /// Whether everything that is known to be there was taken in.
    pub(super) fn is_complete(&self) -> bool {
        self.target < self.next.seq()
    }

    pub(super) fn look_if_behind(&mut self) {
        if self.is_complete() && !self.doubts {
            if let Some(upstream) = &mut self.upstream {
                upstream.brought(true);
            }
            return;
        }
        let may_wait = !self.doubts && self.upstream.as_mut().is_some_and(|it| it.may_bring());
        if may_wait || !self.looking.is_idle() {
            return;
        }
        self.doubts = false;
        let with = self.upstream.as_ref().map_or("this", |_| "other");
        counter!("chatx_room_reads_total", "node" => with).increment(1);
        let (rooms, room, last) = (self.rooms.clone(), self.id, self.next.last());
        let id = self.room.recent().id_at(last);
        self.looking
            .begin(async move { look(rooms.log(), room, last, id).await });
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
            Ok(Looked::WentBack(seq)) => self.went_back(seq),
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

/// Reads what follows the last event that was delivered, and that one with it: it tells whether the log is
/// still the same.
async fn look(
    log: &dyn Log,
    room: RoomId,
    last: Seq,
    id: Option<EventId>,
) -> Result<Looked, Refusal> {
    let mut events = log.events(room, last.previous(), EVENTS_AT_ONCE).await?;
    if let Some(first) = events.first() {
        if first.seq == last && id.is_some_and(|id| id != first.id) {
            return Ok(Looked::WentBack(last));
        }
    } else {
        let heads = log.heads(vec![room]).await?;
        match heads.iter().find(|head| head.room == room && !head.gone) {
            None => return Ok(Looked::Gone),
            Some(head) if head.seq < last => return Ok(Looked::WentBack(head.seq)),
            Some(_) => {}
        }
    }
    events.retain(|event| event.seq > last);
    Ok(Looked::Events(events))
}
