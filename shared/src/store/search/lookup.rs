//! Asking the index which stretches may have what is wanted. The lexemes are looked up, never compared row by
//! row, which would read as much as all texts are; and where very many stretches have them, only those of some time.

use std::collections::{BTreeSet, HashMap};

use protocol::{RoomId, Timestamp, UserId, search::Wanted};
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Readable,
    lexemes::asked,
    periods::Time,
    stretches::{first_of, last_of, number_of},
    texts::{Moment, Order, Run},
};
use crate::store::{
    Result, Store,
    columns::At,
    pool::{On, on},
};

/// How many stretches, of all rooms or of the one, ended in the time that is looked through first.
const AT_FIRST: i64 = 512;
/// About how many that have the lexemes are gone through in one time: it is as long as that allows.
const GONE_THROUGH: i64 = 1_024;
/// If there are so many in a time that was expected to have few, it is left for another page.
const TOO_MANY: i64 = 8 * GONE_THROUGH;
/// How many times as long as the one before a time is at most.
const LONGER: i64 = 256;

/// What [`Ends`] says, of the moment `$1`.
pub(in crate::store) const ENDS: &str = "select (
        select last_at from search_stretches where last_at < $1 order by last_at desc limit 1 offset $2
    ) as since,
    (select min(last_at) from search_stretches) as first,
    (select max(last_at) from search_stretches where not knows_when) as untold";

/// What [`EndsOfRoom`] says, of a part of the room `$1`.
pub(in crate::store) const ENDS_OF_ROOM: &str = "select (
        select last_at from search_stretches where room_id = $1 and number >= $2 order by number limit 1
    ) as first,
    (
        select last_at from search_stretches where room_id = $1 and number <= $3 order by number desc limit 1
    ) as last,
    (select max(last_at) from search_stretches where not knows_when) as untold";

/// The stretches that have `$1` of the rooms of the member `$2`, as the function `stretches_ended` does on PostgreSQL.
pub(in crate::store) const ENDED_SQLITE: &str = "with t as materialized (
        select rowid as id from search_lexemes where search_lexemes match $1 limit $5
    )
    select c.gone_through, f.room_id, f.number, f.last_at
    from (select count(*) as gone_through from t) c
    left join (
        select s.room_id, s.number, s.last_at
        from t
        cross join search_stretches s on s.id = t.id
        cross join members m on m.room_id = s.room_id and m.user_id = $2
        where 64 * (s.number + 1) >= m.first_seq
            and s.last_at < $4 and ($3 is null or s.last_at >= $3)
        order by s.last_at desc limit $6
    ) f
    order by f.last_at desc";

/// Those of the room `$2`, as `stretches_of` does.
pub(in crate::store) const NUMBERS_SQLITE: &str = "select s.number
    from search_lexemes l cross join search_stretches s on s.id = l.rowid
    where search_lexemes match $1 and s.room_id = $2 and s.number between $3 and $4
    order by case when $5 then -s.number else s.number end limit $6";

/// Looks back over the stretches of rooms, one time after the other.
pub(super) struct Lookback<'a> {
    user: UserId,
    rooms: HashMap<Uuid, &'a Readable>,
    wanted: &'a Wanted,
    /// What is to be looked up ended before this.
    before: Timestamp,
    /// How much time is looked through next; nothing if it is all that there was.
    span_ms: Option<i64>,
    /// At most so many are gone through.
    bound: i64,
    ends: Ends,
}

/// When stretches ended.
#[derive(FromRow)]
struct Ends {
    /// The last but so many before a moment, if there are so many.
    since: Option<At>,
    /// The first of all.
    first: Option<At>,
    /// The last that does not say so by a lexeme.
    untold: Option<At>,
}

/// What was looked up.
pub(super) struct Past {
    /// What may have it.
    pub(super) runs: Vec<Run>,
    /// Where among the moments those stretches begin that were not looked up, if there are any.
    pub(super) end: Option<Moment>,
}

impl Lookback<'_> {
    /// The time that is looked through next; nothing if it is all that there was.
    fn time(&self) -> Option<Time> {
        let before = self.before.unix_ms();
        let [since, last] =
            [before.saturating_sub(self.span_ms?), before - 1].map(Timestamp::from_unix_ms);
        let time = Time::between(since, last)?;
        let is_told = self.ends.untold.is_none_or(|at| at.0 < time.since);
        let is_all = self.ends.first.is_none_or(|at| time.since <= at.0);
        (is_told && !is_all).then_some(time)
    }

    /// Goes on at a moment with a time that has about as many as can be gone through, if it is like the last.
    fn go_on(&mut self, before: Timestamp, gone_through: i64) {
        self.before = before;
        self.bound = TOO_MANY;
        self.span_ms = self.span_ms.map(|span| {
            let fitting = span.saturating_mul(GONE_THROUGH) / (gone_through + 1);
            fitting.clamp(span / 4 + 1, span.saturating_mul(LONGER))
        });
    }

    /// What of a stretch is to be read; nothing of one that is read already.
    fn run(&self, row: &Ended) -> Option<Run> {
        let room = self.rooms.get(&row.room_id)?;
        (row.number < room.number).then(|| Run {
            room: row.room_id,
            first: first_of(row.number).max(room.first_seq),
            last: last_of(row.number),
        })
    }
}

impl Store {
    /// Looks back from a moment, for somebody who may read in these rooms.
    pub(super) async fn look_back<'a>(
        &self,
        user: UserId,
        rooms: &'a [Readable],
        wanted: &'a Wanted,
        before: Timestamp,
    ) -> Result<Lookback<'a>> {
        let ends: Ends = on!(self.reader(), pool => sqlx::query_as(
            ENDS,
        )
        .bind(At(before))
        .bind(AT_FIRST)
        .fetch_one(pool))?;
        let since = ends.since.as_ref();
        Ok(Lookback {
            user,
            rooms: rooms.iter().map(|room| (room.id, room)).collect(),
            wanted,
            before,
            span_ms: since.map(|since| before.unix_ms() - since.0.unix_ms()),
            bound: i64::MAX,
            ends,
        })
    }

    /// The next stretches that may have what is wanted, about so many, the latest first: it comes to an end before
    /// `upper`. Nothing if there is too much to go through for one page.
    pub(super) async fn past(
        &self,
        lookback: &mut Lookback<'_>,
        upper: Option<Moment>,
        mut most: i64,
    ) -> Result<Option<Past>> {
        loop {
            let time = lookback.time();
            // Of each room one may be among them that is read already.
            let limit =
                most.saturating_add(i64::try_from(lookback.rooms.len()).unwrap_or(i64::MAX));
            let (gone_through, rows) = self.ended(lookback, time.as_ref(), limit).await?;
            if gone_through >= lookback.bound {
                return Ok(None);
            }
            let is_all = i64::try_from(rows.len()).unwrap_or(i64::MAX) < limit;
            let mut runs: Vec<(Timestamp, Run)> = rows
                .iter()
                .filter_map(|row| Some((row.last_at.0, lookback.run(row)?)))
                .collect();
            let first_left = usize::try_from(most).ok().and_then(|most| runs.get(most));
            let last = rows.last().filter(|_| !is_all).map(|row| row.last_at.0);
            let cut = first_left.map(|(at, _)| *at).or(last);
            let end = match (cut, time) {
                // There may be more that ended together with it.
                (Some(cut), _) => {
                    runs.retain(|(at, _)| *at > cut);
                    Some(Moment::after(cut))
                }
                (None, Some(time))
                    if lookback.wanted.since.is_none_or(|since| since < time.since) =>
                {
                    Some(Moment::first_of(time.since))
                }
                (None, _) => None,
            };
            // Many may have come in the very same moment.
            let upper = upper.unwrap_or(Moment::after(lookback.before));
            if end.is_some_and(|end| end >= upper || end.at >= lookback.before) {
                most = most.saturating_mul(8);
                lookback.span_ms = lookback.span_ms.map(|span| span.saturating_mul(8));
                continue;
            }
            if let Some(end) = end {
                lookback.go_on(end.at, gone_through);
            }
            let runs = runs.into_iter().map(|(_, run)| run).collect();
            return Ok(Some(Past { runs, end }));
        }
    }

    /// What ended in a time, or ever, and how many were gone through for that.
    async fn ended(
        &self,
        lookback: &Lookback<'_>,
        time: Option<&Time>,
        most: i64,
    ) -> Result<(i64, Vec<Ended>)> {
        let statement = self.reader().dialect(
            "select s.gone_through, s.room_id, s.number, s.last_at
             from stretches_ended($1::tsquery, $2, $3, $4, $5, $6) s",
            ENDED_SQLITE,
        );
        let lexemes = asked(lookback.wanted, None);
        let since = lookback.wanted.since.max(time.map(|time| time.since));
        let rows: Vec<Row> = on!(self.reader(), pool => sqlx::query_as(statement)
            .bind(query(&self.reader(), &lexemes, time))
            .bind(lookback.user.uuid())
            .bind(since.map(At))
            .bind(At(lookback.before))
            .bind(lookback.bound)
            .bind(most)
            .fetch_all(pool))?;
        let gone_through = rows.first().map_or(0, |row| row.gone_through);
        Ok((
            gone_through,
            rows.into_iter().filter_map(Row::ended).collect(),
        ))
    }

    /// The numbers of the stretches between two places of a room that have these lexemes, one of which is the
    /// room's own.
    pub(super) async fn stretches_of(
        &self,
        room: RoomId,
        lexemes: &BTreeSet<String>,
        (first, last): (i64, i64),
        order: Order,
        most: i64,
    ) -> Result<Vec<i64>> {
        let (first, last) = (number_of(first), number_of(last));
        let mut left = (first, last);
        let mut length = AT_FIRST;
        let mut found = Vec::new();
        loop {
            let missing = most - i64::try_from(found.len()).unwrap_or(most);
            if missing <= 0 || left.0 > left.1 {
                return Ok(found);
            }
            let part = match order {
                Order::Forth => (left.0, left.1.min(left.0.saturating_add(length - 1))),
                Order::Back | Order::Newest => (left.0.max(left.1 - length + 1), left.1),
            };
            let time = if part == (first, last) {
                None
            } else {
                self.time_of(room, part).await?
            };
            let numbers = self
                .numbers_of(room, lexemes, time.as_ref(), part, order, missing)
                .await?;
            found.extend(numbers);
            left = match order {
                Order::Forth => (part.1 + 1, last),
                Order::Back | Order::Newest => (first, part.0 - 1),
            };
            length = length.saturating_mul(LONGER);
        }
    }

    /// When the stretches between two numbers of a room ended, if all of them say so.
    async fn time_of(&self, room: RoomId, (first, last): (i64, i64)) -> Result<Option<Time>> {
        let ends: EndsOfRoom = on!(self.reader(), pool => sqlx::query_as(
            ENDS_OF_ROOM,
        )
        .bind(room.uuid())
        .bind(first)
        .bind(last)
        .fetch_one(pool))?;
        let (Some(first), Some(last)) = (ends.first, ends.last) else {
            return Ok(None);
        };
        let is_told = ends.untold.is_none_or(|at| at.0 < first.0);
        Ok(Time::between(first.0, last.0).filter(|_| is_told))
    }

    async fn numbers_of(
        &self,
        room: RoomId,
        lexemes: &BTreeSet<String>,
        time: Option<&Time>,
        (first, last): (i64, i64),
        order: Order,
        most: i64,
    ) -> Result<Vec<i64>> {
        let statement = self.reader().dialect(
            "select number from stretches_of($1::tsquery, $2, $3, $4, $5, $6) number",
            NUMBERS_SQLITE,
        );
        on!(self.reader(), pool => sqlx::query_scalar(statement)
            .bind(query(&self.reader(), lexemes, time))
            .bind(room.uuid())
            .bind(first)
            .bind(last)
            .bind(order != Order::Forth)
            .bind(most)
            .fetch_all(pool))
    }
}

/// A question for all of the lexemes, none of which has a quote in it, and for one of those of a time.
fn query<P, S>(engine: &On<P, S>, lexemes: &BTreeSet<String>, time: Option<&Time>) -> String {
    let (quote, and, or) = match engine {
        On::Postgres(_) => ('\'', " & ", " | "),
        On::Sqlite(_) => ('"', " AND ", " OR "),
    };
    let quoted = |lexeme: &String| format!("{quote}{lexeme}{quote}");
    let mut all: Vec<String> = lexemes.iter().map(quoted).collect();
    if let Some(time) = time {
        let any: Vec<String> = time.lexemes.iter().map(quoted).collect();
        all.insert(0, format!("({})", any.join(or)));
    }
    all.join(and)
}

/// A stretch, and when it ended, beside how many were gone through.
#[derive(FromRow)]
struct Row {
    gone_through: i64,
    room_id: Option<Uuid>,
    number: Option<i64>,
    last_at: Option<At>,
}

struct Ended {
    room_id: Uuid,
    number: i64,
    last_at: At,
}

impl Row {
    fn ended(self) -> Option<Ended> {
        Some(Ended {
            room_id: self.room_id?,
            number: self.number?,
            last_at: self.last_at?,
        })
    }
}

/// When the stretches of a part of a room ended.
#[derive(FromRow)]
struct EndsOfRoom {
    first: Option<At>,
    last: Option<At>,
    /// The last of all rooms that does not say so by a lexeme.
    untold: Option<At>,
}
