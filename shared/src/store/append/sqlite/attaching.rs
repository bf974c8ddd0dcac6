//! What a message takes of the files that its sender has uploaded, on SQLite, in the transaction that stores it.

use protocol::Seq;
use sqlx::{SqliteConnection, types::Json};

use super::{
    super::{Append, files::Attached},
    hex,
};
use crate::store::{Result, pool::within};

/// Gives a message its files, if it is new, and says which it has; nothing if one is not there for it.
pub(super) async fn take(
    connection: &mut SqliteConnection,
    entry: &Append,
    seq: Seq,
    is_new: bool,
) -> Result<Option<Attached>> {
    let room = entry.room.uuid();
    if is_new {
        let ids: Vec<String> = entry.files.iter().map(|file| hex(file.uuid())).collect();
        let ids = Json(ids);
        let taken = sqlx::query(TAKE)
            .bind(&ids)
            .bind(room)
            .bind(entry.user.uuid())
            .bind(seq.to_i64());
        let taken = within(taken.execute(&mut *connection)).await?;
        if taken.rows_affected() < u64::try_from(entry.files.len()).unwrap_or(u64::MAX) {
            return Ok(None);
        }
        let named = sqlx::query(NAME).bind(&ids).bind(room).bind(seq.to_i64());
        within(named.execute(&mut *connection)).await?;
    }
    let files = sqlx::query_scalar(
        "select coalesce(data -> 'files', '[]') from events where room_id = $1 and seq = $2",
    );
    let files = files.bind(room).bind(seq.to_i64());
    within(files.fetch_one(connection)).await.map(Some)
}

const TAKE: &str = "
    update files set seq = $4
    where id in (select unhex(value) from json_each($1)) and room_id = $2 and user_id = $3
        and seq is null and stored_at is not null and dropped_at is null";

const NAME: &str = "
    update events set data = json_set(coalesce(data, '{}'), '$.files', json((
        select json_group_array(json_object(
            'id', lower(hex(f.id)), 'name', f.name, 'mime', f.mime, 'size', f.size,
            'width', f.width, 'height', f.height
        ) order by named.key)
        from json_each($1) named join files f on f.id = unhex(named.value)
    )))
    where room_id = $2 and seq = $3";
