//! How far people have read in one room: gathered for a moment, since everybody reads a new message
//! at once and everybody would be told of each.

use std::{collections::BTreeMap, time::Duration};

use protocol::{Seq, UserId};
use tokio::time::Instant;

use super::Effect;

/// What the others are to be told.
#[derive(Debug, Default)]
pub(super) struct Reading {
    marks: BTreeMap<UserId, Seq>,
    told_at: Option<Instant>,
}

/// How long marks are gathered.
const GATHERED_FOR: Duration = Duration::from_millis(250);

impl Reading {
    pub(super) fn mark(&mut self, user: UserId, seq: Seq, now: Instant) {
        let mark = self.marks.entry(user).or_default();
        *mark = seq.max(*mark);
        self.told_at.get_or_insert(now + GATHERED_FOR);
    }

    pub(super) fn expire(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if self.told_at.is_some_and(|at| at <= now) {
            self.told_at = None;
            while let Some((user, seq)) = self.marks.pop_first() {
                effects.push(Effect::Read(user, seq));
            }
        }
    }

    pub(super) const fn deadline(&self) -> Option<Instant> {
        self.told_at
    }
}
