//! Walking through one room from a place on, in the order of its log, for what is wanted: past the places
//! that the walk begins with, and those that are not in the index, from stretch to stretch.

use protocol::{RoomId, Seq, search::Wanted};
use sqlx::FromRow;

use super::{
    READ_AT_ONCE, ROUNDS,
    lexemes::asked,
    stretches::{first_of, last_of, number_of},
    texts::{Key, Order, Run, Text},
};
use crate::store::{Result, Store, columns::At, pool::on};

/// How many places that are not in the index are read at once.
const UNINDEXED_AT_ONCE: i64 = 8_192;
/// An event may have come before one at a lower place: clocks differ, though never by so much.
const CLOCKS_DIFFER_MS: i64 = 3_600_000;

/// The part of a room in which somebody looks.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Ground {
    pub(in crate::store) room: RoomId,
    /// The first place in it.
    pub(in crate::store) first: i64,
    /// The last.
    pub(in crate::store) last: i64,
    /// Up to where the room is in the index.
    indexed: i64,
}

/// What a walk brought.
pub(in crate::store) struct Walked {
    /// The messages, in the order of the walk.
    pub(super) texts: Vec<Text>,
    /// The place at which to go on, if the walk is not at its end.
    pub(in crate::store) goes_on: Option<i64>,
}

impl Walked {
    /// The names of the messages.
    pub(in crate::store) fn keys(&self) -> Vec<Key> {
        self.texts.iter().map(Text::key).collect()
    }
}

impl Store {
    /// The part of `room` between two places in which there may be what came in the time that is wanted.
    pub(in crate::store) async fn ground(
        &self,
        room: RoomId,
        first: Seq,
        last: Seq,
        wanted: &Wanted,
    ) -> Result<Ground> {
        let late = wanted
            .until
            .map(|until| until.unix_ms().saturating_add(CLOCKS_DIFFER_MS));
        let bounds: Bounds = on!(self.reader(), pool => sqlx::query_as(
            "select (select indexed from search_progress where room_id = $1) as indexed,
                (
                    select number from search_stretches where room_id = $1 and last_at >= $2
                    order by last_at, number limit 1
                ) as since,
                (
                    select number from search_stretches where room_id = $1 and last_at >= $3
                    order by last_at, number limit 1
                ) as until",
        )
        .bind(room.uuid())
        .bind(wanted.since.map(At))
        .bind(late.map(|ms| At(protocol::Timestamp::from_unix_ms(ms))))
        .fetch_one(pool))?;
        let indexed = bounds.indexed.unwrap_or(0);
        let since = match (wanted.since, bounds.since) {
            (Some(_), Some(number)) => first_of(number),
            (Some(_), None) => indexed + 1,
            (None, _) => 1,
        };
        let until = bounds.until.map_or(i64::MAX, last_of);
        Ok(Ground {
            room,
            first: since.max(first.to_i64()),
            last: until.min(last.to_i64()),
            indexed,
        })
    }

    /// At most `limit` messages from a place on. It ends before, if it has found enough to end a page with,
    /// when it has looked at many.
    pub(in crate::store) async fn walk(
        &self,
        ground: &Ground,
        wanted: &Wanted,
        order: Order,
        from: i64,
        limit: u32,
        enough: usize,
    ) -> Result<Walked> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut texts: Vec<Text> = Vec::new();
        let mut place = ground.clamped(order, from);
        let mut round = 0;
        let mut has_read = false;
        while let Some(at) = place
            && texts.len() <= limit
            && (round < ROUNDS.len() || texts.len() < enough)
        {
            let (runs, next) = if !has_read || at > ground.indexed {
                ground.next_places(order, at)
            } else {
                let stretches = ROUNDS[round.min(ROUNDS.len() - 1)];
                round += 1;
                self.next_stretches(ground, wanted, order, at, stretches)
                    .await?
            };
            has_read = true;
            let missing = limit + 1 - texts.len();
            let read = self.texts(&runs, wanted, order, None, missing).await?;
            place = match read.stopped_at {
                Some(stop) => ground.after(order, stop.seq),
                None => next,
            };
            texts.extend(read.found);
        }
        if texts.len() > limit {
            texts.truncate(limit);
            place = texts
                .last()
                .and_then(|text| ground.after(order, text.seq()));
        }
        Ok(Walked {
            texts,
            goes_on: place,
        })
    }

    /// The next stretches that may have what is wanted, and where to go on after them.
    async fn next_stretches(
        &self,
        ground: &Ground,
        wanted: &Wanted,
        order: Order,
        at: i64,
        most: i64,
    ) -> Result<(Vec<Run>, Option<i64>)> {
        let (first, last) = match order {
            Order::Forth => (at, ground.indexed.min(ground.last)),
            Order::Back | Order::Newest => (ground.first, at),
        };
        let lexemes = asked(wanted, Some(ground.room));
        let numbers = self
            .stretches_of(ground.room, &lexemes, (first, last), order, most)
            .await?;
        let run = |number: &i64| Run {
            room: ground.room.uuid(),
            first: first_of(*number).max(first),
            last: last_of(*number).min(last),
        };
        let runs: Vec<Run> = numbers.iter().map(run).collect();
        let is_full = i64::try_from(numbers.len()).unwrap_or(i64::MAX) >= most;
        let next = match (runs.last(), order) {
            (Some(run), Order::Forth) if is_full => ground.after(order, run.last),
            (Some(run), Order::Back | Order::Newest) if is_full => ground.after(order, run.first),
            (_, Order::Forth) => ground.after(order, last),
            (_, Order::Back | Order::Newest) => None,
        };
        Ok((runs, next))
    }
}

impl Ground {
    /// All that may be read of a room.
    pub(super) const fn whole(room: RoomId, first: i64, last: i64, indexed: i64) -> Self {
        Self {
            room,
            first,
            last,
            indexed,
        }
    }

    /// The place where a walk from `from` begins.
    fn clamped(&self, order: Order, from: i64) -> Option<i64> {
        let place = match order {
            Order::Forth => from.max(self.first),
            Order::Back | Order::Newest => from.min(self.last),
        };
        (self.first..=self.last).contains(&place).then_some(place)
    }

    /// The place after this one.
    fn after(&self, order: Order, place: i64) -> Option<i64> {
        let next = match order {
            Order::Forth => place + 1,
            Order::Back | Order::Newest => place - 1,
        };
        (self.first..=self.last).contains(&next).then_some(next)
    }

    /// The next places, whatever is in them, and where to go on after them: at a stretch.
    fn next_places(&self, order: Order, at: i64) -> (Vec<Run>, Option<i64>) {
        let length = if at > self.indexed {
            UNINDEXED_AT_ONCE
        } else {
            READ_AT_ONCE
        };
        let (first, last, end) = match order {
            Order::Forth => {
                let last = last_of(number_of(at + length)).min(self.last);
                (at, last, last)
            }
            Order::Back | Order::Newest => {
                let first = first_of(number_of((at - length).max(1))).max(self.first);
                (first, at, first)
            }
        };
        let run = Run {
            room: self.room.uuid(),
            first,
            last,
        };
        (vec![run], self.after(order, end))
    }
}

#[derive(FromRow)]
struct Bounds {
    indexed: Option<i64>,
    since: Option<i64>,
    until: Option<i64>,
}
