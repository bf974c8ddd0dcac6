//! The delivery rule: which event of a room a socket gets next. It performs no I/O.

use std::sync::atomic::{AtomicU64, Ordering};

use protocol::Seq;

/// The place of the event that comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Next(Seq);

/// What to do with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the next one: send it.
    Send,
    /// It was sent before: drop it.
    Old,
    /// Others come before it: fetch them, and it comes with them.
    Hole,
}

impl Next {
    /// What follows this place.
    pub(crate) const fn after(seq: Seq) -> Self {
        Self(seq.next())
    }

    /// The place that is waited for.
    pub(crate) const fn seq(self) -> Seq {
        self.0
    }

    /// The latest place that was sent.
    pub(crate) const fn last(self) -> Seq {
        self.0.previous()
    }

    /// Judges an event, and moves on if it is the next one.
    pub(crate) fn offer(&mut self, seq: Seq) -> Verdict {
        match seq.cmp(&self.0) {
            std::cmp::Ordering::Equal => {
                self.0 = seq.next();
                Verdict::Send
            }
            std::cmp::Ordering::Less => Verdict::Old,
            std::cmp::Ordering::Greater => Verdict::Hole,
        }
    }

    /// The rule without its check, and a way that loses one event in fifty. Only builds with broken rules
    /// come here, to see whether anybody notices.
    pub(crate) fn offer_without_care(&mut self, seq: Seq) -> Verdict {
        static OFFERED: AtomicU64 = AtomicU64::new(0);
        let is_lost = OFFERED.fetch_add(1, Ordering::Relaxed) % 50 == 49;
        if is_lost || seq < self.0 {
            return Verdict::Old;
        }
        self.0 = seq.next();
        Verdict::Send
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever is lost, doubled or comes out of order on the way, what leaves is consecutive,
        /// and once the holes are fetched nothing is missing.
        #[test]
        fn what_leaves_is_consecutive_and_complete(
            start in 0_u64..50,
            arrivals in proptest::collection::vec(1_u64..80, 0..200),
            head in 50_u64..80,
        ) {
            let mut next = Next::after(Seq(start));
            let mut sent = Vec::new();
            for seq in arrivals.into_iter().map(Seq) {
                match next.offer(seq) {
                    Verdict::Send => sent.push(seq),
                    Verdict::Old => prop_assert!(seq <= next.last()),
                    Verdict::Hole => {
                        let hole = (next.seq().0..=seq.0).map(Seq);
                        for seq in hole {
                            prop_assert_eq!(next.offer(seq), Verdict::Send);
                            sent.push(seq);
                        }
                    }
                }
            }
            for seq in (next.seq().0..=head).map(Seq) {
                prop_assert_eq!(next.offer(seq), Verdict::Send);
                sent.push(seq);
            }
            let wanted: Vec<_> = (start + 1..=next.last().0).map(Seq).collect();
            prop_assert_eq!(sent, wanted);
        }
    }
}
