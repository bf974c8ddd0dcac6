//! The append on PostgreSQL: one call of the function `append_events` (see `0002_rooms.sql`), so that
//! no row is held across a round trip and a caller that freezes holds no room.

use sqlx::PgPool;

use super::{Append, Verdict};
use crate::store::{Result, columns::At, pool::within};

pub(super) async fn append(pool: &PgPool, entries: &[Append]) -> Result<Vec<Verdict>> {
    let column = |of: fn(&Append) -> Option<i64>| entries.iter().map(of).collect::<Vec<_>>();
    let verdicts = sqlx::query_as(
        "select outcome, place, place_n, place_id, place_at, retry_after_ms
         from append_events($1, $2, $3, $4, $5, $6, $7, $8)
         order by entry",
    )
    .bind(
        entries
            .iter()
            .map(|entry| entry.room.uuid())
            .collect::<Vec<_>>(),
    )
    .bind(
        entries
            .iter()
            .map(|entry| entry.id.uuid())
            .collect::<Vec<_>>(),
    )
    .bind(
        entries
            .iter()
            .map(|entry| entry.user.uuid())
            .collect::<Vec<_>>(),
    )
    .bind(
        entries
            .iter()
            .map(|entry| entry.client_id.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(
        entries
            .iter()
            .map(|entry| entry.body.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(column(|entry| entry.reply_to.map(protocol::Seq::to_i64)))
    .bind(column(|entry| entry.thread.map(protocol::Seq::to_i64)))
    .bind(entries.iter().map(|entry| At(entry.at)).collect::<Vec<_>>())
    .fetch_all(pool);
    within(verdicts).await
}
