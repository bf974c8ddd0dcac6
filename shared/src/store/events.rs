//! The log of a room as it is read in order: where rooms stand, and what a client missed. What people
//! page through is `history`.

use std::collections::HashMap;

use protocol::{
    ErrorCode, EventId, Limits, Role, RoomId, Seq, UserId, events::Event, rooms::Visibility,
};
use sqlx::{FromRow, types::Json};
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

/// What a client needs to follow a room from where it left off.
#[derive(Clone, Debug)]
pub struct Resume {
    /// The place of the room's latest event.
    pub head: Seq,
    /// How many messages the room has had.
    pub n: u64,
    /// The lowest place that this member may read.
    pub first: Seq,
    /// Whether the client must forget what it had.
    pub reset: bool,
    /// What it missed, in order, up to `head`.
    pub events: Vec<Event>,
    /// What the member is.
    pub role: Role,
    /// How many members the room has.
    pub member_count: u32,
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
        let rows: Vec<EventRow> = on!(self.reader(), pool => sqlx::query_as(select_events!(
            "where e.room_id = $1 and e.seq > $2 and e.seq <= $3 order by e.seq limit $4"
        ))
        .bind(room.uuid()).bind(after.to_i64()).bind(last.to_i64()).bind(i64::from(limit))
        .fetch_all(pool))?;
        rows.into_iter().map(EventRow::event).collect()
    }

    /// What `user` missed of `room` after a place: everything, or the latest events and `reset` when
    /// that is too much, or when what the client has is not what is stored. Without `after`, the
    /// latest `limit`.
    ///
    /// # Errors
    /// As [`Store::access`], and `archived`: there is nothing to follow in an archived room.
    pub async fn resume(
        &self,
        room: RoomId,
        user: UserId,
        after: Option<Seq>,
        after_id: Option<EventId>,
        limit: u32,
        limits: &Limits,
    ) -> Result<Resume> {
        let access = self.access(room, user).await?;
        if access.archived {
            return Err(ErrorCode::Archived.into());
        }
        let reset = match after {
            Some(after) => {
                !self
                    .can_continue(room, &access, after, after_id, limits)
                    .await?
            }
            None => false,
        };
        let latest = if reset { limits.page_default } else { limit };
        let from = after
            .filter(|_| !reset)
            .unwrap_or(Seq(access.head.0.saturating_sub(u64::from(latest))));
        let from = from.max(access.first.previous());
        let events = self
            .events_between(
                room,
                from,
                access.head,
                limits.resume_max_events.max(latest),
            )
            .await?;
        Ok(Resume {
            head: access.head,
            n: access.n,
            first: access.first,
            reset,
            events,
            role: access.role,
            member_count: access.member_count,
        })
    }

    /// Whether what a client has up to `after` is what is stored, and what follows is not too much.
    async fn can_continue(
        &self,
        room: RoomId,
        access: &Access,
        after: Seq,
        after_id: Option<EventId>,
        limits: &Limits,
    ) -> Result<bool> {
        // Between what somebody read before they left and what they may read now there can be a hole.
        let has_hole = after > Seq::ZERO && after.next() < access.first;
        let missed = access
            .head
            .0
            .saturating_sub(after.max(access.first.previous()).0);
        if after > access.head || has_hole || missed > u64::from(limits.resume_max_events) {
            return Ok(false);
        }
        let Some(after_id) = after_id.filter(|_| after > Seq::ZERO) else {
            return Ok(true);
        };
        let stored: Option<Uuid> = on!(self.reader(), pool => sqlx::query_scalar(
            "select id from events where room_id = $1 and seq = $2",
        ).bind(room.uuid()).bind(after.to_i64()).fetch_optional(pool))?;
        Ok(stored == Some(after_id.uuid()))
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
        let head = |room: &RoomId| match found.get(&room.uuid()) {
            Some(row) => Head {
                room: *room,
                seq: Seq::from_i64(row.head),
                n: Seq::from_i64(row.messages).0,
                gone: false,
            },
            None => Head {
                room: *room,
                seq: Seq::ZERO,
                n: 0,
                gone: true,
            },
        };
        Ok(rooms.iter().map(head).collect())
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

#[derive(FromRow)]
struct HeadRow {
    id: Uuid,
    head: i64,
    messages: i64,
}
