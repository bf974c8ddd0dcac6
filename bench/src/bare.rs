//! The floor of `append`: the same rows in a table of the same keys, in one statement a batch, committed
//! as durably, with no gate, no look for doubles and no head to move.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::future::try_join_all;
use shared::store::Append;
use sqlx::{Connection, Executor, PgConnection, QueryBuilder, Sqlite, SqliteConnection};
use tokio::sync::Mutex;

use crate::append::{Talk, rate};

/// A bare table, and connections that write into it.
pub(crate) struct Bare(Vec<Mutex<Writer>>);

/// A connection that numbers its rows itself, apart from those of the others.
struct Writer {
    link: Link,
    seq: i64,
}

enum Link {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl Bare {
    pub(crate) async fn prepare(url: &str, connections: usize) -> Result<Self> {
        let mut writers = Vec::new();
        for number in 0..connections {
            let link = Link::open(url).await?;
            let seq = i64::try_from(number)? << 40;
            writers.push(Mutex::new(Writer { link, seq }));
        }
        Ok(Self(writers))
    }

    /// Rows a second on one connection.
    pub(crate) async fn in_batches_of(
        &self,
        talk: &Talk,
        batch: usize,
        span: Duration,
    ) -> Result<f64> {
        let mut writer = self.0[0].lock().await;
        rate(span, batch, async || {
            writer.insert(&talk.messages(batch)).await
        })
        .await
    }

    /// Rows a second on all connections at once, which share commits where the engine can.
    pub(crate) async fn at_once(&self, talk: &Talk, batch: usize, span: Duration) -> Result<f64> {
        let each = self.0.iter().map(async |writer| {
            let mut writer = writer.lock().await;
            rate(span, batch, async || {
                writer.insert(&talk.messages(batch)).await
            })
            .await
        });
        Ok(try_join_all(each).await?.into_iter().sum())
    }

    /// How long one row takes to be stored.
    pub(crate) async fn one(&self, talk: &Talk) -> Result<Duration> {
        let mut writer = self.0[0].lock().await;
        let row = talk.messages(1);
        let begun = Instant::now();
        writer.insert(&row).await?;
        Ok(begun.elapsed())
    }
}

impl Writer {
    async fn insert(&mut self, messages: &[Append]) -> Result<()> {
        let after = self.seq;
        self.seq += i64::try_from(messages.len())?;
        match &mut self.link {
            Link::Postgres(link) => insert_into_postgres(link, messages, after).await,
            Link::Sqlite(link) => insert_into_sqlite(link, messages, after).await,
        }
    }
}

impl Link {
    async fn open(url: &str) -> Result<Self> {
        if url.starts_with("postgres") {
            let mut link = PgConnection::connect(url).await?;
            link.execute(
                "create table if not exists bare (room_id uuid, seq bigint, n bigint, id uuid, kind text,
                    user_id uuid, client_id text, body text, at timestamptz, primary key (room_id, seq),
                    unique (room_id, user_id, client_id))",
            )
            .await?;
            return Ok(Self::Postgres(link));
        }
        let mut link = SqliteConnection::connect(url).await?;
        link.execute("pragma synchronous = full").await?;
        link.execute(
            "create table if not exists bare (room_id blob, seq integer, n integer, id blob, kind text,
                user_id blob, client_id text, body text, at integer, primary key (room_id, seq),
                unique (room_id, user_id, client_id)) strict, without rowid",
        )
        .await?;
        Ok(Self::Sqlite(link))
    }
}

async fn insert_into_postgres(
    link: &mut PgConnection,
    messages: &[Append],
    after: i64,
) -> Result<()> {
    sqlx::query(
        "insert into bare (room_id, seq, n, id, kind, user_id, client_id, body, at)
         select room_id, $1 + ord, $1 + ord, id, 'message', user_id, client_id, body, to_timestamp(at / 1000.0)
         from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::bigint[])
            with ordinality as e (room_id, id, user_id, client_id, body, at, ord)",
    )
    .bind(after)
    .bind(column(messages, |message| message.room.uuid()))
    .bind(column(messages, |message| message.id.uuid()))
    .bind(column(messages, |message| message.user.uuid()))
    .bind(column(messages, |message| message.client_id.as_str()))
    .bind(column(messages, |message| message.body.as_str()))
    .bind(column(messages, |message| message.at.unix_ms()))
    .execute(link)
    .await?;
    Ok(())
}

fn column<'a, T>(messages: &'a [Append], of: impl Fn(&'a Append) -> T) -> Vec<T> {
    messages.iter().map(of).collect()
}

async fn insert_into_sqlite(
    link: &mut SqliteConnection,
    messages: &[Append],
    after: i64,
) -> Result<()> {
    let mut insert = QueryBuilder::<Sqlite>::new(
        "insert into bare (room_id, seq, n, id, kind, user_id, client_id, body, at) ",
    );
    insert.push_values((after + 1..).zip(messages), |mut row, (seq, message)| {
        row.push_bind(message.room.uuid())
            .push_bind(seq)
            .push_bind(seq)
            .push_bind(message.id.uuid())
            .push("'message'")
            .push_bind(message.user.uuid())
            .push_bind(message.client_id.as_str())
            .push_bind(message.body.as_str())
            .push_bind(message.at.unix_ms());
    });
    insert.build().execute(link).await?;
    Ok(())
}
