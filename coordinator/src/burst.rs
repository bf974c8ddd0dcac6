//! Events of one room that are delivered together. However many they are, they cost a socket one
//! comparison and one write.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use protocol::{RoomId, Seq, UserId};
use shared::broken_rule::BrokenRule;

use crate::{
    delivery::{Next, Verdict},
    encoded::Entry,
};

/// Some events, one after the other without a hole.
#[derive(Debug)]
pub(crate) struct Burst {
    room: RoomId,
    first: Seq,
    last: Seq,
    entries: Vec<Arc<Entry>>,
    /// All their frames.
    bytes: Bytes,
    /// Whether any of them ends a subscription.
    ends: bool,
}

/// What a socket gets of a burst.
#[derive(Debug)]
pub(crate) enum Offered {
    /// Everything in it was sent before.
    Old,
    /// These bytes; then another event comes next.
    Send(Bytes, Next),
    /// Others come before it.
    Hole,
}

/// About as much is delivered together: what one write carries without being torn.
const MAX_BYTES: usize = 64 * 1_024;

impl Burst {
    /// Takes the first of some events, as many as belong together; nothing if there are none.
    pub(crate) fn take(entries: &mut Vec<Arc<Entry>>) -> Option<Self> {
        let mut bytes = 0;
        let count = entries.iter().take_while(|entry| {
            let fits = bytes < MAX_BYTES;
            bytes += entry.frame.len();
            fits
        });
        let count = count.count();
        Self::of(entries.drain(..count).collect())
    }

    fn of(entries: Vec<Arc<Entry>>) -> Option<Self> {
        let (first, last) = (entries.first()?, entries.last()?);
        let bytes = if entries.len() == 1 {
            first.frame.bytes().clone()
        } else {
            let mut bytes = BytesMut::with_capacity(entries.iter().map(|it| it.frame.len()).sum());
            for entry in &entries {
                bytes.extend_from_slice(entry.frame.bytes());
            }
            bytes.freeze()
        };
        Some(Self {
            room: first.room,
            first: first.seq,
            last: last.seq,
            bytes,
            ends: entries.iter().any(|entry| entry.ends.is_some()),
            entries,
        })
    }

    /// The room in which they happened.
    pub(crate) const fn room(&self) -> RoomId {
        self.room
    }

    /// How many bytes they are on the wire.
    pub(crate) const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Each of them, in order.
    pub(crate) fn entries(&self) -> &[Arc<Entry>] {
        &self.entries
    }

    /// Whether any of them ends `user`'s subscription. Who that is, is not looked at in the ordinary case.
    pub(crate) fn ends_for(&self, user: &UserId) -> bool {
        let ends = |entry: &Arc<Entry>| entry.ends_for(*user).is_some();
        self.ends && self.entries.iter().any(ends)
    }

    /// The delivery rule for all of them at once.
    pub(crate) fn offer(&self, next: Next) -> Offered {
        if BrokenRule::NoHoleCheck.is_broken() {
            return self.offer_without_care(next);
        }
        let wanted = next.seq();
        if wanted == self.first {
            Offered::Send(self.bytes.clone(), Next::after(self.last))
        } else if self.last < wanted {
            Offered::Old
        } else if wanted < self.first {
            Offered::Hole
        } else {
            let sent = self.entries.iter().take_while(|entry| entry.seq < wanted);
            let sent_bytes: usize = sent.map(|entry| entry.frame.len()).sum();
            Offered::Send(self.bytes.slice(sent_bytes..), Next::after(self.last))
        }
    }

    /// What is left of the rule in a build that breaks it.
    fn offer_without_care(&self, mut next: Next) -> Offered {
        let mut bytes = BytesMut::new();
        for entry in &self.entries {
            if next.offer_without_care(entry.seq) == Verdict::Send {
                bytes.extend_from_slice(entry.frame.bytes());
            }
        }
        Offered::Send(bytes.freeze(), next)
    }
}
