//! What the database holds at the end: the rooms of the run and their logs.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use futures_util::TryStreamExt as _;
use protocol::{EventId, RoomId, Seq, UserId};
use sqlx::{Connection as _, FromRow, PgConnection};
use uuid::Uuid;

use crate::diary::Facts;

/// The rooms, as the database holds them.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    /// Each with its log.
    pub(crate) rooms: BTreeMap<RoomId, Log>,
}

/// One room.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    /// Where the room says that it stands.
    pub(crate) head: u64,
    /// How many messages the room says that it has.
    pub(crate) messages: u64,
    /// Its events, by their places.
    pub(crate) events: Vec<Row>,
}

/// One event.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Its place.
    pub(crate) seq: u64,
    /// How many messages there were up to it.
    pub(crate) n: u64,
    /// `message`, `join`, `kick`, …
    pub(crate) kind: String,
    /// Who did it.
    pub(crate) user: UserId,
    /// To whom.
    pub(crate) member: Option<UserId>,
    /// About which message.
    pub(crate) target: Option<Seq>,
    /// The sender's own name for it.
    pub(crate) name: Option<String>,
    /// What deliveries of it must say.
    pub(crate) what: Facts,
    /// Whether its text is no longer the one that was sent.
    pub(crate) is_changed: bool,
    /// When it was made, in milliseconds since the run began, by the clock of its node.
    pub(crate) at_ms: i64,
}

impl Log {
    /// The event at a place, where the log is whole.
    pub(crate) fn at(&self, seq: Seq) -> Option<&Row> {
        let index = self
            .events
            .binary_search_by_key(&seq.0, |row| row.seq)
            .ok()?;
        self.events.get(index)
    }
}

/// Reads it all.
///
/// # Errors
/// When the database cannot be asked.
pub(crate) async fn read(database: &str, rooms: &[RoomId], began_unix_ms: i64) -> Result<Stored> {
    let mut connection = PgConnection::connect(database)
        .await
        .context("cannot read what is stored")?;
    let mut stored = Stored::default();
    for room in rooms {
        let log = read_log(&mut connection, *room, began_unix_ms).await?;
        stored.rooms.insert(*room, log);
    }
    connection.close().await?;
    Ok(stored)
}

/// Where the rooms stand, without their logs.
///
/// # Errors
/// When the database cannot be asked.
pub(crate) async fn heads(database: &str, rooms: &[RoomId]) -> Result<BTreeMap<RoomId, Seq>> {
    let mut connection = PgConnection::connect(database)
        .await
        .context("cannot read where the rooms stand")?;
    let ids: Vec<Uuid> = rooms.iter().map(|room| room.uuid()).collect();
    let rows: Vec<(Uuid, i64)> = sqlx::query_as("select id, head from rooms where id = any ($1)")
        .bind(ids)
        .fetch_all(&mut connection)
        .await?;
    connection.close().await?;
    Ok(rows
        .into_iter()
        .map(|(room, head)| (RoomId::from_uuid(room), Seq::from_i64(head)))
        .collect())
}

/// The database's own time, in milliseconds since 1970.
///
/// # Errors
/// When the database cannot be asked.
pub(crate) async fn unix_ms(database: &str) -> Result<i64> {
    let mut connection = PgConnection::connect(database).await?;
    let (ms,): (i64,) =
        sqlx::query_as("select (extract(epoch from clock_timestamp()) * 1000)::bigint")
            .fetch_one(&mut connection)
            .await?;
    connection.close().await?;
    Ok(ms)
}

#[derive(FromRow)]
struct EventRow {
    seq: i64,
    n: i64,
    id: Uuid,
    kind: String,
    user_id: Uuid,
    client_id: Option<String>,
    target: Option<i64>,
    member_id: Option<Uuid>,
    body: Option<String>,
    at_ms: i64,
    is_changed: bool,
}

async fn read_log(connection: &mut PgConnection, room: RoomId, began_unix_ms: i64) -> Result<Log> {
    let (head, messages): (i64, i64) =
        sqlx::query_as("select head, messages from rooms where id = $1")
            .bind(room.uuid())
            .fetch_one(&mut *connection)
            .await?;
    let mut rows = sqlx::query_as::<_, EventRow>(
        "select seq, n, id, kind, user_id, client_id, target, member_id, body,
            (extract(epoch from at) * 1000)::bigint as at_ms,
            edited_at is not null or deleted_at is not null as is_changed
         from events where room_id = $1 order by seq",
    )
    .bind(room.uuid())
    .fetch(connection);
    let mut events = Vec::new();
    while let Some(row) = rows.try_next().await? {
        events.push(row.into_row(began_unix_ms));
    }
    Ok(Log {
        head: Seq::from_i64(head).0,
        messages: Seq::from_i64(messages).0,
        events,
    })
}

impl EventRow {
    fn into_row(self, began_unix_ms: i64) -> Row {
        let user = UserId::from_uuid(self.user_id);
        let member = self.member_id.map(UserId::from_uuid);
        let target = self.target.map(Seq::from_i64);
        let id = EventId::from_uuid(self.id);
        let body = self.body.as_deref();
        Row {
            seq: Seq::from_i64(self.seq).0,
            n: Seq::from_i64(self.n).0,
            what: Facts::new(id, &self.kind, user, target, member, body),
            kind: self.kind,
            user,
            member,
            target,
            name: self.client_id,
            is_changed: self.is_changed,
            at_ms: self.at_ms - began_unix_ms,
        }
    }
}
