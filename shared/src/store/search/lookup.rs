//! Asking the index which stretches may have what is wanted. The lexemes are looked up, never compared row by
//! row, which would read as much as all texts are.

use std::collections::{BTreeSet, HashMap};

use protocol::{RoomId, search::Wanted};
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

use super::{
    Readable,
    lexemes::asked,
    stretches::{first_of, last_of, number_of},
    texts::{Moment, Order, Run},
};
use crate::store::{
    Result, Store,
    columns::At,
    pool::{On, on},
};

impl Store {
    /// The stretches of rooms that may have what is wanted and begin at or before a moment: all that reach it, and
    /// as many more, the latest first. With them, where among the moments those begin that were not
    /// asked for, if there are any.
    pub(super) async fn stretches_before(
        &self,
        rooms: &[Readable],
        wanted: &Wanted,
        moment: Moment,
        more: i64,
    ) -> Result<(Vec<Run>, Option<Moment>)> {
        let rooms_count = i64::try_from(rooms.len()).unwrap_or(i64::MAX);
        let mut most = rooms_count.saturating_add(more);
        loop {
            let found = self.stretches_with(rooms, wanted, moment, most).await?;
            let is_all = i64::try_from(found.len()).unwrap_or(i64::MAX) < most;
            let end = found.last().map(|row| Moment::after(row.ends_at.0));
            let end = end.filter(|_| !is_all);
            // Many may have come in the very same moment.
            if end.is_some_and(|end| end >= moment) {
                most = most.saturating_mul(8);
                continue;
            }
            let readable: HashMap<Uuid, i64> =
                rooms.iter().map(|room| (room.id, room.first_seq)).collect();
            let runs = found.iter().map(|row| Run {
                room: row.room_id,
                first: first_of(row.number).max(readable[&row.room_id]),
                last: last_of(row.number),
            });
            return Ok((runs.collect(), end));
        }
    }

    async fn stretches_with(
        &self,
        rooms: &[Readable],
        wanted: &Wanted,
        moment: Moment,
        most: i64,
    ) -> Result<Vec<Row>> {
        let lexemes = asked(wanted, None);
        let runs: Vec<Run> = rooms
            .iter()
            .map(|room| Run {
                room: room.id,
                first: number_of(room.first_seq.max(1)),
                last: room.number - 1,
            })
            .collect();
        let statement = self.reader().dialect(
            "select s.room_id, s.number, s.ends_at
             from stretches_with($1::tsquery, $2, $3, $4, $5) s",
            "with r as materialized (
                select unhex(value ->> 'room', '-') as room_id, value ->> 'first' as first, value ->> 'last' as last
                from json_each($2)
             )
             select s.room_id, s.number, min(s.last_at, $4) as ends_at
             from search_lexemes l
             cross join search_stretches s on s.id = l.rowid
             cross join r on r.room_id = s.room_id and s.number between r.first and r.last
             where search_lexemes match $1 and s.first_at <= $4 and ($3 is null or s.last_at >= $3)
             order by ends_at desc limit $5",
        );
        on!(self.reader(), pool => sqlx::query_as(statement)
            .bind(query(&self.reader(), &lexemes))
            .bind(Json(&runs))
            .bind(wanted.since.map(At))
            .bind(At(moment.at))
            .bind(most)
            .fetch_all(pool))
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
        let statement = self.reader().dialect(
            "select number from stretches_of($1::tsquery, $2, $3, $4, $5, $6) number",
            "select s.number
             from search_lexemes l cross join search_stretches s on s.id = l.rowid
             where search_lexemes match $1 and s.room_id = $2 and s.number between $3 and $4
             order by case when $5 then -s.number else s.number end limit $6",
        );
        on!(self.reader(), pool => sqlx::query_scalar(statement)
            .bind(query(&self.reader(), lexemes))
            .bind(room.uuid())
            .bind(number_of(first))
            .bind(number_of(last))
            .bind(order != Order::Forth)
            .bind(most)
            .fetch_all(pool))
    }
}

/// A question for all of the lexemes, none of which has a quote in it.
fn query<P, S>(engine: &On<P, S>, lexemes: &BTreeSet<String>) -> String {
    let (quote, and) = match engine {
        On::Postgres(_) => ('\'', " & "),
        On::Sqlite(_) => ('"', " AND "),
    };
    let quoted: Vec<String> = lexemes
        .iter()
        .map(|lexeme| format!("{quote}{lexeme}{quote}"))
        .collect();
    quoted.join(and)
}

/// A stretch, and when it ends; at the moment that was asked for, if it ends later.
#[derive(FromRow)]
struct Row {
    room_id: Uuid,
    number: i64,
    ends_at: At,
}
