//! The judge: what clients wrote down and what the database holds go in, broken promises come out. It
//! performs no I/O and knows no clock.
//!
//! The promises have the names of ARCHITECTURE.md. Those that need a measured time (I10, I11, I12) are
//! judged in `recovery` and by who samples.

mod acks;
mod deliveries;
mod logs;
mod membership;
#[cfg(test)]
mod story;

use std::{collections::BTreeMap, fmt, time::Duration};

use protocol::{RoomId, Seq};
use serde::Serialize;

use crate::{
    diary::{Diary, Moment},
    stored::Stored,
};

/// A promise, by the name that ARCHITECTURE.md gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) enum Promise {
    /// Stored places of a room are 1 to its head, without a hole.
    I1,
    /// One event for each place, one place for each message of a sender.
    I2,
    /// What was acked is stored, there and unchanged but by edits and deletes.
    I3,
    /// What was delivered is stored.
    I4,
    /// What a subscription delivers is consecutive.
    I5,
    /// Two clients never hold different events at one place.
    I6,
    /// What was acked before something else was begun stands before it.
    I7,
    /// After the faults, what every subscriber has is what is stored.
    I8,
    /// After a removal nothing reaches who was removed, and nothing is taken from them.
    I9,
    /// No process uses more memory than its cap.
    I10,
    /// After a fault things go on soon.
    I11,
    /// Without Redis messages are stored as fast as with it.
    I12,
}

impl Promise {
    /// All that are judged from diaries and the database alone.
    pub(crate) const OF_RECORDS: [Self; 9] = [
        Self::I1,
        Self::I2,
        Self::I3,
        Self::I4,
        Self::I5,
        Self::I6,
        Self::I7,
        Self::I8,
        Self::I9,
    ];

    /// Its one word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::I1 => "dense",
            Self::I2 => "unique",
            Self::I3 => "durable",
            Self::I4 => "no ghost",
            Self::I5 => "order",
            Self::I6 => "agreement",
            Self::I7 => "real time",
            Self::I8 => "final",
            Self::I9 => "authorization",
            Self::I10 => "bounded",
            Self::I11 => "recovery",
            Self::I12 => "Redis-free",
        }
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// One place where a promise does not hold.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Breach {
    /// The room, if it is about one.
    pub(crate) room: Option<RoomId>,
    /// The place in its log.
    pub(crate) seq: Option<Seq>,
    /// The client, by its number.
    pub(crate) client: Option<usize>,
    /// What is wrong, for a person.
    pub(crate) what: String,
}

/// Every broken promise: how often it is, and the first few places.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Breaches(pub BTreeMap<Promise, Broken>);

/// One broken promise.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Broken {
    /// In how many places.
    pub(crate) count: usize,
    /// The first of them.
    pub(crate) first: Vec<Breach>,
}

/// So many places of one promise are told; the rest are counted.
const TOLD: usize = 5;

impl Breaches {
    /// Adds one.
    pub(crate) fn add(&mut self, promise: Promise, breach: Breach) {
        let broken = self.0.entry(promise).or_default();
        broken.count += 1;
        if broken.first.len() < TOLD {
            broken.first.push(breach);
        }
    }

    /// Whether everything holds.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What else the judge must know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// When everything was answered and nobody sent any more.
    pub(crate) quiet: Moment,
    /// How long after that subscribers may take to have everything.
    pub(crate) final_within: Duration,
    /// By how much the clocks of nodes may differ from ours.
    pub(crate) clock_slack: Duration,
}

/// Judges I1 to I9.
pub(crate) fn check(diary: &Diary, stored: &Stored, bounds: &Bounds) -> Breaches {
    let mut breaches = Breaches::default();
    for (room, log) in &stored.rooms {
        logs::check(*room, log, &mut breaches);
    }
    acks::check(diary, stored, &mut breaches);
    deliveries::check(diary, stored, bounds, &mut breaches);
    membership::check(diary, stored, bounds, &mut breaches);
    breaches
}

/// A breach in a room.
fn at(room: RoomId, seq: u64, client: Option<usize>, what: String) -> Breach {
    Breach {
        room: Some(room),
        seq: Some(Seq(seq)),
        client,
        what,
    }
}
