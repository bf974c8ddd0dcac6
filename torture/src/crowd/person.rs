//! One of the crowd: what they have, and what all of them do alike, however they are connected.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use client::{Random, Session};
use protocol::{ErrorCode, EventId, RoomId, Seq, events::Event, rooms::JoinBody};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use super::board::{Board, Phase, Signal};
use crate::{
    chance::Chance as _,
    diary::{
        Change, Delivered, Diary, End, Facts, Failure, Item, KeptBy, Outcome, Sent, Stream, Way,
        digest,
    },
};

/// A room of the run.
#[derive(Clone, Debug)]
pub(super) struct Room {
    pub(super) id: RoomId,
    /// Who made it, by their number; they never leave.
    pub(super) owner: usize,
    /// Who belongs there, if they are not away.
    pub(super) members: Vec<usize>,
}

/// Somebody.
pub(super) struct Person {
    pub(super) number: usize,
    pub(super) session: Session,
    pub(super) rooms: Vec<RoomId>,
    /// Tells this run from others.
    pub(super) run: String,
    pub(super) random: Random,
    pub(super) board: Arc<Board>,
    pub(super) signal: watch::Receiver<Signal>,
    pub(super) pace: Duration,
}

/// What one writes.
#[derive(Clone, Debug)]
pub(super) struct Words {
    pub(super) room: RoomId,
    pub(super) name: String,
    pub(super) body: String,
}

/// Of what is written, so many percent is then edited, and as much deleted.
const CHANGED_PERCENT: usize = 2;
/// Whoever was removed comes again after a while.
const AWAY: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(2)];
/// How long to wait before something that failed is tried again.
pub(super) const AGAIN: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(500)];

impl Person {
    /// What everybody is at.
    pub(super) fn phase(&self) -> Phase {
        self.signal.borrow().phase
    }

    /// Waits until `phase`, or a later one.
    pub(super) async fn until(&self, phase: Phase) {
        let mut signal = self.signal.clone();
        // Nobody gives a signal any more: it is over.
        let _ = signal.wait_for(|signal| signal.phase >= phase).await;
    }

    /// Waits until sockets are to be dropped once more than so many times.
    pub(super) async fn until_stampede(&self, before: u64) {
        let mut signal = self.signal.clone();
        // Nobody gives a signal any more: sockets are lost anyway.
        let _ = signal.wait_for(|signal| signal.stampedes > before).await;
    }

    /// Waits until it is time to write again; false once nobody writes any more.
    pub(super) async fn turn(&self, signal: &mut watch::Receiver<Signal>) -> bool {
        let probes = signal.borrow_and_update().probes;
        let pause = self.random.up_to(self.pace * 2);
        let called = signal.wait_for(|now| now.probes != probes || now.phase != Phase::Busy);
        // Whoever is called does not wait out their pause.
        let _ = timeout(pause, called).await;
        self.phase() == Phase::Busy
    }

    /// Something to say, in one of their rooms. No two texts of a run are the same.
    pub(super) fn words(&self, count: &mut u64) -> Option<Words> {
        *count += 1;
        let room = *self.random.pick(&self.rooms)?;
        let name = format!("{}-{count}", self.number);
        let padding = "la ".repeat(self.random.below(40));
        let body = format!("{} says {name} of {} {padding}", self.number, self.run);
        Some(Words {
            room,
            name,
            body: body.trim_end().to_owned(),
        })
    }

    /// Notes that a message is given to be sent; [`Person::answered`] follows.
    pub(super) fn gives(&self, words: &Words, way: Way) -> Sent {
        self.board.sent.fetch_add(1, Ordering::Relaxed);
        self.board.unsettle();
        Sent {
            client: self.number,
            room: words.room,
            name: words.name.clone(),
            body: digest(&words.body),
            way,
            begun: self.board.now(),
            outcome: Outcome::Unanswered,
        }
    }

    /// Notes that it is answered, or never will be.
    pub(super) fn answered(&self, sent: &mut Sent, outcome: Outcome) {
        if matches!(outcome, Outcome::Acked { .. }) {
            self.board.acked.fetch_add(1, Ordering::Relaxed);
        }
        sent.outcome = outcome;
        self.board.settle();
    }

    /// What an ack means now.
    pub(super) fn acked(&self, seq: Seq) -> Outcome {
        Outcome::Acked {
            at: self.board.now(),
            seq,
        }
    }

    /// Edits or deletes some of what was written; what fails is left.
    pub(super) async fn reconsider(&self, words: &Words, seq: Seq) -> Option<Change> {
        let chance = self.random.below(100);
        self.board.unsettle();
        let change = self.change(words, seq, chance).await;
        self.board.settle();
        change
    }

    async fn change(&self, words: &Words, seq: Seq, chance: usize) -> Option<Change> {
        let kind = if chance < CHANGED_PERCENT {
            let body = format!("{}, better said", words.body);
            self.session.edit(words.room, seq, &body).await.ok()?;
            "edit"
        } else if chance < CHANGED_PERCENT * 2 {
            self.session.delete_message(words.room, seq).await.ok()?;
            "delete"
        } else {
            return None;
        };
        Some(Change {
            client: self.number,
            room: words.room,
            target: seq,
            kind,
        })
    }

    /// Was removed, stays away for a while, and comes again.
    pub(super) async fn comes_again(&self, room: RoomId, diary: &mut Diary) {
        self.board.unsettle();
        sleep(self.random.span(AWAY[0], AWAY[1])).await;
        while self.phase() < Phase::Over {
            match self.session.join(room, &JoinBody::default()).await {
                Ok(_) => break,
                Err(error) => self.failed(diary, "join", &error),
            }
            sleep(self.random.span(AGAIN[0], AGAIN[1])).await;
        }
        self.board.came_back(self.number, room);
        self.board.settle();
    }

    /// Notes something that did not go well.
    pub(super) fn failed(&self, diary: &mut Diary, what: &str, why: &impl std::fmt::Display) {
        diary.failures.push(Failure {
            is_send: what.starts_with("send"),
            at: self.board.now(),
            what: format!("{what}: {why}"),
        });
    }

    /// A stream of a room, from a place on.
    pub(super) fn stream(&self, room: RoomId, kept_by: KeptBy, after: Seq) -> Stream {
        Stream {
            client: self.number,
            room,
            kept_by,
            after,
            items: Vec::new(),
            end: End::Open,
        }
    }

    /// Writes down an event.
    pub(super) fn hears(&self, stream: &mut Stream, event: &Event) {
        stream.items.push(Item::Event(Delivered {
            seq: event.seq,
            what: Facts::from(event),
            at: self.board.now(),
        }));
        self.board.reached(self.number, stream.room, event.seq);
    }
}

/// How far a stream has come: what to resume after.
pub(super) type Reached = (Seq, Option<EventId>);

/// Whether a refusal says that one is no member, as people who were removed are told.
pub(super) const fn is_outside(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::NotAMember | ErrorCode::Banned | ErrorCode::RoomNotFound
    )
}
