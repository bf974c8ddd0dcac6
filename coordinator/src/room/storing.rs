//! How the messages of a room come to be stored: here, or by the node that the room is with. What is stored is
//! answered, and delivered in its turn.

use protocol::{ErrorCode, Seq};
use shared::{
    Refusal,
    broken_rule::BrokenRule,
    store::{Appended, Place},
};
use tokio::time::{Duration, Instant};

use super::{
    appends::{Message, Passed, Sending},
    forwarded,
    keeper::Keeper,
};
use crate::{delivery::Verdict, encoded::Entry, peers::link::Answer};

/// How many messages of one room may wait for an answer.
const MAX_WAITING: usize = 4_096;
/// After how long a room that is too busy may be asked again.
const BUSY: Duration = Duration::from_secs(1);

impl Keeper {
    /// Takes a message of a socket.
    pub(super) fn send(&mut self, sending: Box<Sending>) {
        if self.audience.is_empty() {
            self.unused_since = Instant::now();
        }
        self.need();
        match self.too_busy() {
            Some(refusal) => sending.refuse(refusal),
            None => self.place(sending),
        }
    }

    /// Takes a message of a node that has it stored here.
    pub(super) fn store(&mut self, passed: Passed) {
        match self.too_busy() {
            Some(refusal) => passed.guest.answer(passed.number, Err(refusal)),
            None => {
                let message = Message::OfGuest(Box::new(passed));
                self.appends.submit(message, self.rooms.log());
            }
        }
    }

    /// Why no more messages are taken, if so many wait.
    fn too_busy(&self) -> Option<Refusal> {
        let is_full = self.appends.len() + self.forwarded.len() >= MAX_WAITING;
        is_full.then(|| Refusal::from(ErrorCode::Unavailable).retry_after(BUSY))
    }

    /// Has a message stored, by who stores those of this room.
    pub(super) fn place(&mut self, sending: Box<Sending>) {
        match &self.upstream {
            Some(upstream) => self.forwarded.push(sending, upstream.link()),
            None => {
                if BrokenRule::AckBeforeCommit.is_broken() {
                    self.ack_in_advance(&sending);
                }
                self.appends
                    .submit(Message::OfSocket(sending), self.rooms.log());
            }
        }
    }

    /// Promises what is not known yet, which some builds do to see whether anybody notices.
    fn ack_in_advance(&mut self, sending: &Sending) {
        let before = u64::try_from(self.appends.len()).unwrap_or_default();
        let answer = Ok(Appended::Stored(Place {
            seq: Seq(self.next.seq().0 + before),
            n: 0,
            id: sending.append.id,
            at: sending.append.at,
            mentions: Vec::new(),
            files: Vec::new(),
        }));
        self.answer(sending, &answer);
    }

    /// Answers and delivers what is committed.
    pub(super) fn settle(&mut self, settled: Vec<(Message, Answer)>) {
        let mut latest_of_guests = None;
        for (message, answer) in settled {
            match &message {
                Message::OfSocket(sending) => self.answer(sending, &answer),
                Message::OfGuest(passed) => passed.guest.answer(passed.number, answer.clone()),
            }
            let is_new = matches!(answer, Ok(Appended::Stored(_)));
            let Ok(Appended::Stored(place) | Appended::Duplicate(place)) = answer else {
                continue;
            };
            self.compare(place.seq, place.id);
            if self.is_over {
                continue;
            }
            self.target = self.target.max(place.seq);
            if matches!(message, Message::OfGuest(_)) {
                latest_of_guests = latest_of_guests.max(Some(place.seq));
            }
            // Others may have written before it: then it is read with theirs.
            if is_new {
                match self.next.offer(place.seq) {
                    Verdict::Send => self.fresh.push(Entry::new(message.into_event(place))),
                    Verdict::Old => self.doubts |= self.room.recent().id_at(place.seq).is_none(),
                    Verdict::Hole => {}
                }
            }
        }
        self.deliver();
        if let Some(seq) = latest_of_guests {
            self.hint_elsewhere(seq);
        }
    }

    /// Answers what another node has stored. The events of it come as all events do.
    pub(super) fn settle_forwarded(&mut self, settled: forwarded::Settled) {
        for (sending, answer) in settled.answered {
            if let Ok(Appended::Stored(place) | Appended::Duplicate(place)) = &answer {
                self.compare(place.seq, place.id);
                self.target = self.target.max(place.seq);
            }
            self.answer(&sending, &answer);
        }
        if settled.is_lost && !self.is_over {
            self.move_now();
        }
    }

    /// Answers a socket, with the events of this turn if there are any.
    fn answer(&mut self, sending: &Sending, answer: &Answer) {
        sending.answer(answer);
        self.answered.push(sending.outbox.clone());
    }
}
