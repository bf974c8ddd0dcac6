//! The append on PostgreSQL: one call of the function `append_messages` (see `0003_appends.sql`), so that
//! no row is held across a round trip and a caller that freezes holds no room.

use protocol::Seq;
use sqlx::{FromRow, PgPool, types::Json};

use super::{
    Append, Appended, Verdict,
    batch::{Batch, Stood},
};
use crate::store::{Result, columns::At, pool::within};

pub(super) async fn append(pool: &PgPool, entries: &[Append]) -> Result<Vec<Appended>> {
    let batch = Batch::of(entries);
    let answer: Answer = within(
        sqlx::query_as(
            "select heads, totals, others
             from append_messages($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(&batch.rooms)
        .bind(&batch.counts)
        .bind(&batch.room_of)
        .bind(&batch.numbers)
        .bind(column(entries, |entry| entry.id.uuid()))
        .bind(column(entries, |entry| entry.user.uuid()))
        .bind(column(entries, |entry| entry.client_id.as_str()))
        .bind(column(entries, |entry| entry.body.as_str()))
        .bind(seldom(entries, |entry| entry.reply_to))
        .bind(seldom(entries, |entry| entry.thread))
        .bind(column(entries, |entry| At(entry.at)))
        .fetch_one(pool),
    )
    .await?;
    let stood = answer.stood();
    let verdicts = answer.others.map_or_else(Vec::new, |others| others.0);
    batch.answers(&stood, verdicts)
}

fn column<'a, T>(entries: &'a [Append], of: impl Fn(&'a Append) -> T) -> Vec<T> {
    entries.iter().map(of).collect()
}

/// A column that is left out when nothing stands in it.
fn seldom(entries: &[Append], of: impl Fn(&Append) -> Option<Seq>) -> Vec<Option<i64>> {
    if entries.iter().all(|entry| of(entry).is_none()) {
        return Vec::new();
    }
    column(entries, |entry| of(entry).map(Seq::to_i64))
}

/// Where the plain rooms stood, and the verdicts on the entries of the others.
#[derive(FromRow)]
struct Answer {
    heads: Vec<Option<i64>>,
    totals: Vec<Option<i64>>,
    others: Option<Json<Vec<Verdict>>>,
}

impl Answer {
    fn stood(&self) -> Vec<Option<Stood>> {
        let stood = |(head, messages): (&Option<i64>, &Option<i64>)| {
            Some(Stood {
                head: (*head)?,
                messages: (*messages)?,
            })
        };
        self.heads.iter().zip(&self.totals).map(stood).collect()
    }
}
