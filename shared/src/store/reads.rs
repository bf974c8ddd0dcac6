//! How far people have read. Marks only move forward and are no events.

use protocol::{RoomId, Seq, Timestamp, UserId};
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

use super::{
    Result, Store,
    columns::At,
    pool::{On, on, within},
};

/// How far somebody has read a room since a moment ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadMark {
    /// The room.
    pub room: RoomId,
    /// Who.
    pub user: UserId,
    /// Up to where.
    pub seq: Seq,
    /// Whether others may know it.
    pub is_shown: bool,
}

impl Store {
    /// Marks a room as read up to a place, or to its head if that is less. Where the mark is now, if it moved.
    ///
    /// # Errors
    /// As [`Store::access`].
    pub async fn mark_read(
        &self,
        room: RoomId,
        user: UserId,
        seq: Seq,
        at: Timestamp,
    ) -> Result<Option<ReadMark>> {
        let moved: Option<MarkRow> = on!(self.writer(), pool => sqlx::query_as(
            "update members set read_seq = e.seq, read_n = e.n, read_at = $4
             from rooms r, events e
             where members.room_id = $1 and members.user_id = $2
                and r.id = $1 and r.deleted_at is null
                and e.room_id = $1 and e.seq = case when r.head < $3 then r.head else $3 end
                and members.read_seq < e.seq
             returning members.room_id, members.user_id, members.read_seq,
                (select u.shows_reads from users u where u.id = members.user_id) as is_shown",
        )
        .bind(room.uuid())
        .bind(user.uuid())
        .bind(seq.to_i64())
        .bind(At(at))
        .fetch_optional(pool))?;
        if moved.is_none() {
            self.access(room, user).await?;
        }
        Ok(moved.map(ReadMark::from))
    }

    /// As [`Store::mark_read`] for many at once. Marks of people who are no members are passed over.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn mark_reads(
        &self,
        marks: &[(RoomId, UserId, Seq)],
        at: Timestamp,
    ) -> Result<Vec<ReadMark>> {
        let moved: Vec<MarkRow> = match self.writer() {
            On::Postgres(pool) => {
                let rooms: Vec<_> = marks.iter().map(|(room, _, _)| room.uuid()).collect();
                let users: Vec<_> = marks.iter().map(|(_, user, _)| user.uuid()).collect();
                let places: Vec<_> = marks.iter().map(|(_, _, seq)| seq.to_i64()).collect();
                let marked = sqlx::query_as(
                    "update members set read_seq = e.seq, read_n = e.n, read_at = $4
                     from (
                        select room_id, user_id, max(seq) as seq
                        from unnest($1, $2, $3) as mark (room_id, user_id, seq) group by 1, 2
                     ) mark, rooms r, events e
                     where members.room_id = mark.room_id and members.user_id = mark.user_id
                        and r.id = mark.room_id and r.deleted_at is null
                        and e.room_id = mark.room_id and e.seq = least(r.head, mark.seq)
                        and members.read_seq < e.seq
                     returning members.room_id, members.user_id, members.read_seq,
                        (select u.shows_reads from users u where u.id = members.user_id) as is_shown",
                )
                .bind(rooms)
                .bind(users)
                .bind(places)
                .bind(At(at));
                within(marked.fetch_all(pool)).await?
            }
            On::Sqlite(pool) => {
                let rows: Vec<_> = marks
                    .iter()
                    .map(|(room, user, seq)| (room.to_string(), user.to_string(), seq.to_i64()))
                    .collect();
                let marked = sqlx::query_as(
                    "update members set read_seq = e.seq, read_n = e.n, read_at = $2
                     from (
                        select unhex(value ->> 0, '-') as room_id, unhex(value ->> 1, '-') as user_id,
                            max(value ->> 2) as seq
                        from json_each($1) group by 1, 2
                     ) mark, rooms r, events e
                     where members.room_id = mark.room_id and members.user_id = mark.user_id
                        and r.id = mark.room_id and r.deleted_at is null
                        and e.room_id = mark.room_id and e.seq = min(r.head, mark.seq)
                        and members.read_seq < e.seq
                     returning members.room_id, members.user_id, members.read_seq,
                        (select u.shows_reads from users u where u.id = members.user_id) as is_shown",
                )
                .bind(Json(rows))
                .bind(At(at));
                within(marked.fetch_all(pool)).await?
            }
        };
        Ok(moved.into_iter().map(ReadMark::from).collect())
    }
}

#[derive(FromRow)]
struct MarkRow {
    room_id: Uuid,
    user_id: Uuid,
    read_seq: i64,
    is_shown: bool,
}

impl From<MarkRow> for ReadMark {
    fn from(row: MarkRow) -> Self {
        Self {
            room: RoomId::from_uuid(row.room_id),
            user: UserId::from_uuid(row.user_id),
            seq: Seq::from_i64(row.read_seq),
            is_shown: row.is_shown,
        }
    }
}
