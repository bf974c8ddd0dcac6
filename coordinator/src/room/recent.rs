//! The latest events of a live room, encoded: what a socket missed a moment ago is here.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
};

use protocol::{EventId, Seq};

use crate::encoded::{Entry, Text};

/// The latest events of one room; without a gap, and never more than delivered.
pub(crate) struct Recent(Mutex<Ring>);

struct Ring {
    /// The place of the latest event that was delivered.
    head: Seq,
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
}

/// What follows a place.
#[derive(Debug)]
pub(crate) enum Following {
    /// Nothing yet: the room will deliver what comes.
    Nothing,
    /// These, in order.
    Entries(Vec<Arc<Entry>>),
    /// It is too long ago: ask the store.
    Forgotten,
}

const RING_MAX_ENTRIES: usize = 512;
const RING_MAX_BYTES: usize = 1_024 * 1_024;

impl Recent {
    /// Of a room that is being loaded.
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Ring {
            head: Seq::ZERO,
            entries: VecDeque::new(),
            bytes: 0,
        }))
    }

    /// Deliveries begin after `head`.
    pub(super) fn begin(&self, head: Seq) {
        self.ring().head = head;
    }

    /// Keeps what is delivered. The first one follows the head.
    pub(super) fn extend(&self, entries: &[Arc<Entry>]) {
        let mut ring = self.ring();
        for entry in entries {
            debug_assert_eq!(entry.seq, ring.head.next());
            ring.head = entry.seq;
            ring.bytes += entry.frame.len();
            ring.entries.push_back(Arc::clone(entry));
            if let Some(Text::Erased(message)) = entry.text {
                ring.forget_text_of(message);
            }
        }
        while ring.entries.len() > RING_MAX_ENTRIES || ring.bytes > RING_MAX_BYTES {
            let Some(oldest) = ring.entries.pop_front() else {
                break;
            };
            ring.bytes -= oldest.frame.len();
        }
    }

    /// The place of the latest event that was delivered.
    pub(crate) fn head(&self) -> Seq {
        self.ring().head
    }

    /// Which event was delivered at a place, unless that is too long ago.
    pub(super) fn id_at(&self, seq: Seq) -> Option<EventId> {
        let ring = self.ring();
        let first = ring.entries.front()?.seq;
        let skipped = usize::try_from(seq.0.checked_sub(first.0)?).ok()?;
        ring.entries.get(skipped).map(|entry| entry.id)
    }

    /// About `bytes` of what comes from `next` on.
    pub(crate) fn from(&self, next: Seq, bytes: usize) -> Following {
        let ring = self.ring();
        if next > ring.head {
            return Following::Nothing;
        }
        let Some(first) = ring.entries.front().map(|entry| entry.seq) else {
            return Following::Forgotten;
        };
        if next < first {
            return Following::Forgotten;
        }
        let skipped = usize::try_from(next.0 - first.0).unwrap_or(usize::MAX);
        let mut taken_bytes = 0;
        let entries = ring.entries.iter().skip(skipped).take_while(|entry| {
            let is_wanted = taken_bytes < bytes;
            taken_bytes += entry.frame.len();
            is_wanted
        });
        Following::Entries(entries.cloned().collect())
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0
            .lock()
            .expect("nothing panics while it holds the ring")
    }
}

impl Ring {
    /// Forgets everything up to the last entry that has the text of `message`: what is deleted is read
    /// from the store, where it is empty.
    fn forget_text_of(&mut self, message: Seq) {
        let has_text = |entry: &Arc<Entry>| entry.text == Some(Text::Of(message));
        let Some(last) = self.entries.iter().rposition(has_text) else {
            return;
        };
        for entry in self.entries.drain(..=last) {
            self.bytes -= entry.frame.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::RoomId;
    use uuid::Uuid;

    use super::*;
    use crate::encoded::Encoded;

    fn entry(seq: u64, text: Option<Text>) -> Arc<Entry> {
        let pong = protocol::frame::ServerFrame::Pong(protocol::frame::Pong {
            id: None,
            at: protocol::Timestamp::from_unix_ms(0),
            heads: std::collections::BTreeMap::new(),
        });
        Arc::new(Entry {
            room: RoomId::from_uuid(Uuid::nil()),
            seq: Seq(seq),
            id: EventId::from_uuid(Uuid::nil()),
            frame: Encoded::of(&pong),
            ends: None,
            text,
        })
    }

    #[test]
    fn a_deleted_text_is_forgotten() {
        let recent = Recent::new();
        let of = |seq| Some(Text::Of(Seq(seq)));
        recent.extend(&[
            entry(1, of(1)),
            entry(2, of(2)),
            entry(3, of(1)),
            entry(4, None),
        ]);
        assert!(
            matches!(recent.from(Seq(1), usize::MAX), Following::Entries(all) if all.len() == 4)
        );
        recent.extend(&[entry(5, Some(Text::Erased(Seq(1))))]);
        // The edit at 3 had it, too.
        assert!(matches!(
            recent.from(Seq(3), usize::MAX),
            Following::Forgotten
        ));
        assert!(
            matches!(recent.from(Seq(4), usize::MAX), Following::Entries(rest) if rest.len() == 2)
        );
        assert_eq!(recent.head(), Seq(5));
    }
}
