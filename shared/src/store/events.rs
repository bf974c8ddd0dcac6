//! The log of a room as it is read in order, and where rooms stand. What clients missed is `resume`'s, what
//! people page through `history`'s.

use std::collections::HashMap;

use protocol::{ErrorCode, Role, RoomId, Seq, UserId, events::Event, rooms::Visibility};
use sqlx::{ColumnIndex, Decode, FromRow, Row, Type, types::Json};
use uuid::Uuid;

use super::{
    Result, Store,
    columns::{At, Word},
    event_row::{EventRow, select_events},
    pool::{On, on, within},
    room_row::refuse_stranger,
};

/// What somebody may do with a room's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// What they are there.
    pub role: Role,
    /// The lowest place that they may read.
    pub first: Seq,
    /// The place of the room's latest event.
    pub head: Seq,
    /// How many messages the room has had.
    pub n: u64,
    /// How many members it has.
    pub member_count: u32,
    /// Whether it can only be read.
    pub archived: bool,
    /// Who finds it.
    pub visibility: Visibility,
}

/// Where a room stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The room.
    pub room: RoomId,
    /// The place of its latest event.
    pub seq: Seq,
    /// How many messages it has had.
    pub n: u64,
    /// Whether it is deleted, or never was.
    pub gone: bool,
}

impl Head {
    /// Of a room that stands there and has had so many messages, or is gone.
    fn of(room: RoomId, stands: Option<(i64, i64)>) -> Self {
        let (seq, n) = stands.unwrap_or_default();
        Self {
            room,
            seq: Seq::from_i64(seq),
            n: Seq::from_i64(n).0,
            gone: stands.is_none(),
        }
    }
}

/// Events of the room `$1` between two places, in order.
pub(super) const BETWEEN: &str =
    select_events!("where e.room_id = $1 and e.seq > $2 and e.seq <= $3 order by e.seq limit $4");

/// Events of the room `$1` after a place that `$2` may read, in order, each beside where the room stands; if there are none, that
/// alone, and nothing of it for strangers.
pub(super) const NEWS: &str = concat!(
    "with page as (",
    select_events!(
        "where e.room_id = $1 and e.seq > $3
            and e.seq >= (select m.first_seq from members m where m.room_id = $1 and m.user_id = $2)
            and e.seq <= (select r.head from rooms r where r.id = $1 and r.deleted_at is null)
         order by e.seq limit $4"
    ),
    ") select (
        select r.head from rooms r join members m on m.room_id = r.id and m.user_id = $2
        where r.id = $1 and r.deleted_at is null
    ) as head, page.* from (select 1 as one) o left join page on true order by page.seq"
);

impl Store {
    /// What `user` may do with the log of `room`.
    ///
    /// # Errors
    /// `room_not_found` of what strangers may not know of, else `not_a_member`.
    pub async fn access(&self, room: RoomId, user: UserId) -> Result<Access> {
        let row: Option<AccessRow> = on!(self.reader(), pool => sqlx::query_as(
            "select r.head, r.messages, r.member_count, r.archived_at, r.visibility, m.role, m.first_seq
             from rooms r left join members m on m.room_id = r.id and m.user_id = $2
             where r.id = $1 and r.deleted_at is null",
        ).bind(room.uuid()).bind(user.uuid()).fetch_optional(pool))?;
        let row = row.ok_or(ErrorCode::RoomNotFound)?;
        let (Some(role), Some(first)) = (row.role, row.first_seq) else {
            return Err(refuse_stranger(row.visibility.0).into());
        };
        Ok(Access {
            role: role.0,
            first: Seq::from_i64(first),
            head: Seq::from_i64(row.head),
            n: Seq::from_i64(row.messages).0,
            member_count: count(row.member_count),
            archived: row.archived_at.is_some(),
            visibility: row.visibility.0,
        })
    }

    /// At most `limit` events after a place, of every kind, in order.
    ///
    /// # Errors
    /// When the store cannot answer. A room that is not there has no events.
    pub async fn events(&self, room: RoomId, after: Seq, limit: u32) -> Result<Vec<Event>> {
        self.events_between(room, after, Seq(u64::MAX), limit).await
    }

    /// As [`Store::events`], none of them after `last`: what [`Store::access`] allowed holds only up to the
    /// head that it saw.
    ///
    /// # Errors
    /// As [`Store::events`].
    pub async fn events_between(
        &self,
        room: RoomId,
        after: Seq,
        last: Seq,
        limit: u32,
    ) -> Result<Vec<Event>> {
        metrics::counter!("chatx_log_reads_total").increment(1);
        let rows: Vec<EventRow> = on!(self.reader(), pool => sqlx::query_as(BETWEEN)
        .bind(room.uuid()).bind(after.to_i64()).bind(last.to_i64()).bind(i64::from(limit))
        .fetch_all(pool))?;
        rows.into_iter().map(EventRow::event).collect()
    }

    /// At most `limit` events of every kind that `user` may read after a place, in order, and where the room stands.
    ///
    /// # Errors
    /// As [`Store::access`].
    pub async fn news(
        &self,
        room: RoomId,
        user: UserId,
        after: Seq,
        limit: u32,
    ) -> Result<(Vec<Event>, Seq)> {
        let rows: Vec<NewsRow> = on!(self.reader(), pool => sqlx::query_as(NEWS)
            .bind(room.uuid())
            .bind(user.uuid())
            .bind(after.to_i64())
            .bind(i64::from(limit))
            .fetch_all(pool))?;
        let head = match rows.first().and_then(|row| row.head) {
            Some(head) => Seq::from_i64(head),
            None => self.access(room, user).await?.head,
        };
        let events = rows.into_iter().filter_map(|row| row.event);
        metrics::counter!("chatx_log_reads_total").increment(1);
        Ok((events.map(EventRow::event).collect::<Result<_>>()?, head))
    }

    /// Where each of these rooms stands.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn heads(&self, rooms: &[RoomId]) -> Result<Vec<Head>> {
        let ids: Vec<Uuid> = rooms.iter().map(|room| room.uuid()).collect();
        let rows: Vec<HeadRow> = match self.reader() {
            On::Postgres(pool) => within(
                sqlx::query_as("select id, head, messages from rooms where id = any ($1) and deleted_at is null")
                    .bind(ids)
                    .fetch_all(pool),
            )
            .await?,
            On::Sqlite(pool) => within(
                sqlx::query_as(
                    "select id, head, messages from rooms
                     where id in (select unhex(value, '-') from json_each($1)) and deleted_at is null",
                )
                .bind(Json(ids))
                .fetch_all(pool),
            )
            .await?,
        };
        let found: HashMap<Uuid, HeadRow> = rows.into_iter().map(|row| (row.id, row)).collect();
        let head = |room: &RoomId| {
            let stands = found.get(&room.uuid()).map(|row| (row.head, row.messages));
            Head::of(*room, stands)
        };
        Ok(rooms.iter().map(head).collect())
    }

    /// Where those of these rooms stand that do not stand where they are known to. Of many rooms few have moved at
    /// any time, so that next to nothing is answered.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn moved(&self, known: &[(RoomId, Seq)]) -> Result<Vec<Head>> {
        let known = known.iter().map(|(room, seq)| (room.uuid(), seq.to_i64()));
        let rows: Vec<MovedRow> = match self.reader() {
            On::Postgres(pool) => {
                let (ids, seqs): (Vec<Uuid>, Vec<i64>) = known.unzip();
                let moved = sqlx::query_as(
                    "select w.id, r.head, r.messages
                     from unnest($1, $2) w (id, seq)
                     left join rooms r on r.id = w.id and r.deleted_at is null
                     where r.head is distinct from w.seq",
                );
                within(moved.bind(ids).bind(seqs).fetch_all(pool)).await?
            }
            On::Sqlite(pool) => {
                let moved = sqlx::query_as(
                    "select w.id, r.head, r.messages
                     from (
                        select unhex(value ->> 0, '-') as id, value ->> 1 as seq from json_each($1)
                     ) w
                     left join rooms r on r.id = w.id and r.deleted_at is null
                     where r.head is not w.seq",
                );
                within(moved.bind(Json(known.collect::<Vec<_>>())).fetch_all(pool)).await?
            }
        };
        let head = |row: MovedRow| Head::of(RoomId::from_uuid(row.id), row.head.zip(row.messages));
        Ok(rows.into_iter().map(head).collect())
    }
}

/// A number of people as the protocol counts them.
pub(super) fn count(people: i64) -> u32 {
    u32::try_from(people).unwrap_or(u32::MAX)
}

#[derive(FromRow)]
struct AccessRow {
    head: i64,
    messages: i64,
    member_count: i64,
    archived_at: Option<At>,
    visibility: Word<Visibility>,
    role: Option<Word<Role>>,
    first_seq: Option<i64>,
}

/// An event, if there is one, and where its room stands.
struct NewsRow {
    head: Option<i64>,
    event: Option<EventRow>,
}

impl<'r, R: Row> FromRow<'r, R> for NewsRow
where
    EventRow: FromRow<'r, R>,
    Option<i64>: Decode<'r, R::Database> + Type<R::Database>,
    &'static str: ColumnIndex<R>,
{
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        let seq: Option<i64> = row.try_get("seq")?;
        Ok(Self {
            head: row.try_get("head")?,
            event: seq.map(|_| EventRow::from_row(row)).transpose()?,
        })
    }
}

#[derive(FromRow)]
struct HeadRow {
    id: Uuid,
    head: i64,
    messages: i64,
}

#[derive(FromRow)]
struct MovedRow {
    id: Uuid,
    head: Option<i64>,
    messages: Option<i64>,
}
