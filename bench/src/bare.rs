//! The floor of `append`: the same rows in a table of the same shape, in one statement a batch, with no
//! gate, no look for doubles and no head to move.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use shared::store::Append;
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};
use tokio::sync::Mutex;

use crate::append::{Talk, rate};

/// A bare table, on a connection of its own.
pub(crate) struct Bare(Mutex<Link>);

enum Link {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl Bare {
    pub(crate) async fn prepare(url: &str) -> Result<Self> {
        let link = if url.starts_with("postgres") {
            let mut link = PgConnection::connect(url).await?;
            link.execute(
                "create table bare (room_id uuid, seq bigint, n bigint, id uuid, kind text, user_id uuid,
                    client_id text, body text, at bigint, primary key (room_id, seq),
                    unique (room_id, user_id, client_id))",
            )
            .await?;
            Link::Postgres(link)
        } else {
            let mut link = SqliteConnection::connect(url).await?;
            link.execute("pragma synchronous = full").await?;
            link.execute(
                "create table bare (room_id blob, seq integer, n integer, id blob, kind text, user_id blob,
                    client_id text, body text, at integer, primary key (room_id, seq),
                    unique (room_id, user_id, client_id)) strict, without rowid",
            )
            .await?;
            Link::Sqlite(link)
        };
        Ok(Self(Mutex::new(link)))
    }

    pub(crate) async fn in_batches_of(
        &self,
        talk: &Talk,
        batch: usize,
        span: Duration,
    ) -> Result<f64> {
        let mut link = self.0.lock().await;
        let mut seq = link.last_seq().await?;
        rate(span, batch, async || {
            link.insert(&talk.messages(batch), seq).await?;
            seq += i64::try_from(batch)?;
            Ok(())
        })
        .await
    }
}

impl Link {
    async fn last_seq(&mut self) -> Result<i64> {
        let query = "select coalesce(max(seq), 0) from bare";
        Ok(match self {
            Self::Postgres(link) => sqlx::query_scalar(query).fetch_one(link).await?,
            Self::Sqlite(link) => sqlx::query_scalar(query).fetch_one(link).await?,
        })
    }

    async fn insert(&mut self, messages: &[Append], after: i64) -> Result<()> {
        match self {
            Self::Postgres(link) => {
                sqlx::query(
                    "insert into bare (room_id, seq, n, id, kind, user_id, client_id, body, at)
                     select room_id, $1 + ord, $1 + ord, id, 'message', user_id, client_id, body, at
                     from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::bigint[])
                        with ordinality as e (room_id, id, user_id, client_id, body, at, ord)",
                )
                .bind(after)
                .bind(messages.iter().map(|message| message.room.uuid()).collect::<Vec<_>>())
                .bind(messages.iter().map(|message| message.id.uuid()).collect::<Vec<_>>())
                .bind(messages.iter().map(|message| message.user.uuid()).collect::<Vec<_>>())
                .bind(messages.iter().map(|message| message.client_id.as_str()).collect::<Vec<_>>())
                .bind(messages.iter().map(|message| message.body.as_str()).collect::<Vec<_>>())
                .bind(messages.iter().map(|message| message.at.unix_ms()).collect::<Vec<_>>())
                .execute(link)
                .await?;
            }
            Self::Sqlite(link) => {
                let row = |message: &Append| {
                    json!([
                        message.room,
                        message.id,
                        message.user,
                        message.client_id.as_str(),
                        message.body.as_str(),
                        message.at.unix_ms()
                    ])
                };
                let rows: Vec<_> = messages.iter().map(row).collect();
                sqlx::query(
                    "insert into bare (room_id, seq, n, id, kind, user_id, client_id, body, at)
                     select unhex(value ->> 0, '-'), $1 + key + 1, $1 + key + 1, unhex(value ->> 1, '-'),
                        'message', unhex(value ->> 2, '-'), value ->> 3, value ->> 4, value ->> 5
                     from json_each($2)",
                )
                .bind(after)
                .bind(serde_json::to_string(&rows)?)
                .execute(link)
                .await?;
            }
        }
        Ok(())
    }
}
