//! The delivery rule of one room: which event comes next. A lost frame, a full queue, a new socket
//! and a resume are one case to it. It holds no events and asks for none.

use protocol::{EventId, Seq, events::Event};

/// How far one room was delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// What comes next; unknown until the server has said where a room begins.
    next: Option<Seq>,
    /// The id of the event before it, so that a server with another log is found out.
    last_id: Option<EventId>,
}

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the next one.
    Deliver,
    /// It was delivered before.
    Drop,
    /// Something before it is missing.
    Hole,
}

impl Place {
    /// Behind an event that was delivered in an earlier life.
    pub(super) const fn after(seq: Seq, id: Option<EventId>) -> Self {
        Self {
            next: Some(seq.next()),
            last_id: id,
        }
    }

    /// What to resume after.
    pub(super) fn resume(&self) -> Option<(Seq, Option<EventId>)> {
        self.next.map(|next| (next.previous(), self.last_id))
    }

    /// What becomes of the event at `seq`.
    pub(super) fn judge(&self, seq: Seq) -> Verdict {
        match self.next {
            Some(next) if seq == next => Verdict::Deliver,
            Some(next) if seq < next => Verdict::Drop,
            _ => Verdict::Hole,
        }
    }

    /// The event that came next is delivered.
    pub(super) fn delivered(&mut self, event: &Event) {
        *self = Self::after(event.seq, Some(event.id));
    }

    /// The room begins at `next`, whatever was delivered before.
    pub(super) const fn begin(&mut self, next: Seq) {
        *self = Self {
            next: Some(next),
            last_id: None,
        };
    }

    /// Whether a room that reaches up to `head` has something that was not delivered.
    pub(super) fn is_behind(&self, head: Seq) -> bool {
        self.next.is_some_and(|next| head >= next)
    }

    /// Whether the server may not tell what comes next, because it begins only at `first`.
    pub(super) fn is_before(&self, first: Seq) -> bool {
        self.next.is_some_and(|next| next < first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};
    use protocol::{RoomId, Timestamp, UserId, accounts::UserSummary, events::EventKind};
    use uuid::Uuid;

    fn event(seq: u64) -> Event {
        let id = UserId::from_uuid(Uuid::from_u128(1));
        Event {
            room: RoomId::from_uuid(Uuid::nil()),
            seq: Seq(seq),
            id: EventId::from_uuid(Uuid::from_u128(u128::from(seq))),
            n: 0,
            at: Timestamp::default(),
            user: UserSummary {
                id,
                username: String::new(),
                display_name: String::new(),
            },
            kind: EventKind::Join,
        }
    }

    proptest! {
        /// Frames are lost, repeated and mixed up; each hole is mended by a resume.
        #[test]
        fn every_event_comes_out_once_and_in_order(frames in vec(1_u64..40, 0..400), start in 0_u64..40) {
            let mut place = Place::after(Seq(start), None);
            let mut out = Vec::new();
            let head = frames.iter().copied().max().unwrap_or(0);
            let mut take = |place: &mut Place, seq: u64| {
                let verdict = place.judge(Seq(seq));
                if verdict == Verdict::Deliver {
                    place.delivered(&event(seq));
                    out.push(seq);
                }
                verdict
            };
            for seq in frames {
                if take(&mut place, seq) == Verdict::Hole {
                    let (after, id) = place.resume().unwrap();
                    prop_assert!(id.is_none_or(|id| id.uuid().as_u128() == u128::from(after.0)));
                    for missed in after.0 + 1..=seq {
                        prop_assert_eq!(take(&mut place, missed), Verdict::Deliver);
                    }
                }
            }
            prop_assert!(!place.is_behind(Seq(head)));
            prop_assert_eq!(out, (start + 1..=head).collect::<Vec<_>>());
        }
    }

    #[test]
    fn nothing_is_delivered_before_the_room_has_a_beginning() {
        let mut place = Place::default();
        assert_eq!((place.judge(Seq(1)), place.resume()), (Verdict::Hole, None));
        assert!(!place.is_behind(Seq(9)));
        place.begin(Seq(5));
        assert_eq!(place.judge(Seq(4)), Verdict::Drop);
        assert_eq!(place.resume(), Some((Seq(4), None)));
        assert!(place.is_behind(Seq(5)) && place.is_before(Seq(6)));
    }
}
