//! The append on PostgreSQL: one call of the function `append_messages`, or of `append_calling` where
//! somebody is called (see `0005_conversation.sql`), or of `append_attaching` (`0006_files.sql`), so that
//! no row is held across a round trip and a caller that freezes holds no room.

use protocol::Seq;
use sqlx::{FromRow, PgConnection, PgPool, types::Json};

use super::{
    Append, Appended, Verdict,
    batch::{Batch, Stood},
    calls::{self, Called, Calls},
    files::{self, Attached, attached, unattached},
};
use crate::store::{Error, Result, columns::At, pool::within};

pub(super) async fn append(pool: &PgPool, entries: &[&Append]) -> Result<Vec<Appended>> {
    let batch = Batch::of(entries);
    // To ask first whether a connection is alive is one more round trip. A dead one is found out by its
    // error, and the same batch may be handed in twice.
    if let Some(mut connection) = pool.try_acquire() {
        match call(&mut connection, &batch).await {
            Err(Error::Unavailable(error)) if is_cut(&error) => {}
            answer => return answer,
        }
    }
    let mut connection = within(pool.acquire()).await?;
    call(&mut connection, &batch).await
}

fn is_cut(error: &sqlx::Error) -> bool {
    const ADMIN_SHUTDOWN: &str = "57P01";
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code == ADMIN_SHUTDOWN),
        _ => false,
    }
}

async fn call(connection: &mut PgConnection, batch: &Batch<'_>) -> Result<Vec<Appended>> {
    let entries = batch.entries;
    // Most batches answer nothing, and say so by leaving the columns out.
    let answering = if batch.is_answering() { entries } else { &[] };
    let calls = Calls::of(entries);
    let files = attached(entries);
    let statement = match (&calls, files) {
        (None, []) => {
            "select heads, totals, others, null::jsonb as calls, null::jsonb as files
             from append_messages($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
        }
        (Some(_), []) => {
            "select heads, totals, others, calls, null::jsonb as files
             from append_calling($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
        }
        _ => {
            "select heads, totals, others, calls, files
             from append_attaching($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
        }
    };
    let mut query = sqlx::query_as(statement)
        .bind(&batch.rooms)
        .bind(&batch.counts)
        .bind(&batch.room_of)
        .bind(&batch.numbers)
        .bind(column(entries, |entry| entry.id.uuid()))
        .bind(column(entries, |entry| entry.user.uuid()))
        .bind(column(entries, |entry| entry.client_id.as_str()))
        .bind(column(entries, |entry| entry.body.as_str()))
        .bind(column(answering, |entry| entry.reply_to.map(Seq::to_i64)))
        .bind(column(answering, |entry| entry.thread.map(Seq::to_i64)))
        .bind(column(entries, |entry| At(entry.at)));
    if calls.is_some() || !files.is_empty() {
        let calls = calls.unwrap_or_default();
        query = query.bind(calls.by).bind(calls.names);
    }
    if !files.is_empty() {
        query = query.bind(files.iter().map(|file| file.uuid()).collect::<Vec<_>>());
    }
    let answer: Answer = match within(query.fetch_one(connection)).await {
        Err(error) if is_not_attachable(&error) => return Ok(vec![unattached()]),
        answer => answer?,
    };
    let stood = answer.stood();
    let verdicts = answer.others.map_or_else(Vec::new, |others| others.0);
    let mut answers = batch.answers(&stood, verdicts)?;
    if let Some(called) = answer.calls {
        calls::note(called, &mut answers);
    }
    if let Some(files) = answer.files {
        files::note(files, &mut answers);
    }
    Ok(answers)
}

/// Whether the statement was undone because a file is not there to be attached.
fn is_not_attachable(error: &Error) -> bool {
    const NOT_ATTACHABLE: &str = "CXF01";
    let Error::Broken(sqlx::Error::Database(error)) = error else {
        return false;
    };
    error.code().is_some_and(|code| code == NOT_ATTACHABLE)
}

fn column<'a, T>(entries: &[&'a Append], of: impl Fn(&'a Append) -> T) -> Vec<T> {
    entries.iter().copied().map(of).collect()
}

/// Where the plain rooms stood, and the verdicts on the entries of the others.
#[derive(FromRow)]
struct Answer {
    heads: Vec<Option<i64>>,
    /// Of the rooms that are there: nothing, if none of them is.
    totals: Option<Vec<Option<i64>>>,
    others: Option<Json<Vec<Verdict>>>,
    calls: Option<Called>,
    files: Option<Attached>,
}

impl Answer {
    fn stood(&self) -> Vec<Option<Stood>> {
        let totals = self.totals.as_deref().unwrap_or_default();
        let stood = |(place, head): (usize, &Option<i64>)| {
            Some(Stood {
                head: (*head)?,
                messages: (*totals.get(place)?)?,
            })
        };
        self.heads.iter().enumerate().map(stood).collect()
    }
}
