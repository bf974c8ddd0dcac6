//! One change of a room: its row locked, its event written, its head moved, all in one transaction.
//! What the change is, and who may make it, is decided by the module of that noun.

use protocol::{
    Act, ErrorCode, Role, RoomId, Seq, Timestamp, UserId,
    accounts::UserSummary,
    events::{Event, EventKind},
    rooms::Member,
};
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Result, Store,
    columns::{At, Word},
    event_row::KindColumns,
    pool::{Tx, execute, on},
    room_row::{RoomRow, refuse_stranger},
};
use crate::Clock;

/// A change of a room under way. Dropped before its commit, nothing has happened.
pub(super) struct RoomChange {
    pub(super) transaction: Tx,
    /// The room, locked: nobody else appends to it or changes it meanwhile.
    pub(super) room: RoomRow,
    /// Who makes the change.
    pub(super) by: Person,
    /// When.
    pub(super) at: Timestamp,
}

/// Somebody and what they are in the room.
#[derive(Clone, FromRow)]
pub(super) struct Person {
    id: Uuid,
    username: String,
    display_name: String,
    status: String,
    role: Option<Word<Role>>,
    joined_at: Option<At>,
    first_seq: Option<i64>,
    muted_until: Option<At>,
}

impl Store {
    /// Locks `room` so that `by` may change it.
    pub(super) async fn change(
        &self,
        room: RoomId,
        by: UserId,
        at: Timestamp,
    ) -> Result<RoomChange> {
        RoomChange::within(self.begin().await?, room, by, at).await
    }

    /// As [`Store::change`], by a member who may do `act`.
    pub(super) async fn change_as(
        &self,
        room: RoomId,
        by: UserId,
        act: Act,
        at: Timestamp,
    ) -> Result<RoomChange> {
        let change = self.change(room, by, at).await?;
        if change.role()?.may(act) {
            Ok(change)
        } else {
            Err(ErrorCode::Forbidden.into())
        }
    }
}

impl RoomChange {
    /// Locks `room` in a transaction that is under way already.
    pub(super) async fn within(
        mut transaction: Tx,
        room: RoomId,
        by: UserId,
        at: Timestamp,
    ) -> Result<Self> {
        // The same lock that an append takes, in words that both engines know.
        let room: Option<RoomRow> = on!(transaction.connection(), connection => sqlx::query_as(
            "update rooms set head = head where id = $1 and deleted_at is null
             returning id, name, topic, visibility, password_hash, owner_id, max_members, history,
                slow_mode_s, head, messages, member_count, created_at, archived_at",
        ).bind(room.uuid()).fetch_optional(connection))?;
        Self::of(transaction, room, by, at).await
    }

    /// As [`RoomChange::within`], of a room that may be deleted.
    pub(super) async fn anywhere(
        mut transaction: Tx,
        room: RoomId,
        by: UserId,
        at: Timestamp,
    ) -> Result<Self> {
        let room: Option<RoomRow> = on!(transaction.connection(), connection => sqlx::query_as(
            "update rooms set head = head where id = $1
             returning id, name, topic, visibility, password_hash, owner_id, max_members, history,
                slow_mode_s, head, messages, member_count, created_at, archived_at",
        ).bind(room.uuid()).fetch_optional(connection))?;
        Self::of(transaction, room, by, at).await
    }

    async fn of(
        mut transaction: Tx,
        room: Option<RoomRow>,
        by: UserId,
        at: Timestamp,
    ) -> Result<Self> {
        let room = room.ok_or(ErrorCode::RoomNotFound)?;
        let by = person(&mut transaction, room.id(), by).await?;
        Ok(Self {
            transaction,
            room,
            by,
            at,
        })
    }

    /// What the one who makes the change is in the room.
    pub(super) fn role(&self) -> Result<Role> {
        self.by
            .role()
            .ok_or_else(|| refuse_stranger(self.room.visibility()).into())
    }

    /// Refuses what would add to an archived room.
    pub(super) fn must_be_writable(&self) -> Result<()> {
        if self.room.is_archived() {
            Err(ErrorCode::Archived.into())
        } else {
            Ok(())
        }
    }

    /// Somebody, member or not.
    pub(super) async fn person(&mut self, user: UserId) -> Result<Person> {
        person(&mut self.transaction, self.room.id(), user).await
    }

    /// Writes the next event of the room.
    pub(super) async fn write(&mut self, kind: EventKind) -> Result<Event> {
        self.write_by(self.by.summary(), kind).await
    }

    /// Writes the next event of the room.
    pub(super) async fn write_by(&mut self, user: UserSummary, kind: EventKind) -> Result<Event> {
        self.room.head += 1;
        let event = Event {
            room: self.room.id(),
            seq: Seq::from_i64(self.room.head),
            id: Clock::manual(self.at).id(),
            n: Seq::from_i64(self.room.messages).0,
            at: self.at,
            user,
            kind,
        };
        let columns = KindColumns::from(&event.kind);
        execute!(self.transaction.connection(), sqlx::query(
            "insert into events (room_id, seq, n, id, kind, user_id, target, member_id, body, data, at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(event.room.uuid())
        .bind(self.room.head)
        .bind(self.room.messages)
        .bind(event.id.uuid())
        .bind(event.kind.as_str())
        .bind(event.user.id.uuid())
        .bind(columns.target)
        .bind(columns.member_id)
        .bind(columns.body)
        .bind(columns.data)
        .bind(At(event.at)))?;
        Ok(event)
    }

    /// Makes it last, and gives the room as it is now.
    pub(super) async fn commit(mut self) -> Result<RoomRow> {
        execute!(
            self.transaction.connection(),
            sqlx::query(
                "update rooms set head = $2, member_count = $3, owner_id = $4 where id = $1",
            )
            .bind(self.room.id().uuid())
            .bind(self.room.head)
            .bind(self.room.member_count)
            .bind(self.room.owner_id)
        )?;
        let nudges = self.transaction.nudges().clone();
        self.transaction.commit().await?;
        nudges.wrote(self.room.id());
        Ok(self.room)
    }
}

impl Person {
    pub(super) fn summary(&self) -> UserSummary {
        UserSummary {
            id: UserId::from_uuid(self.id),
            username: self.username.clone(),
            display_name: self.display_name.clone(),
        }
    }

    pub(super) fn user(&self) -> UserId {
        UserId::from_uuid(self.id)
    }

    pub(super) fn role(&self) -> Option<Role> {
        self.role.map(|word| word.0)
    }

    pub(super) fn set_role(&mut self, role: Role) {
        self.role = Some(Word(role));
    }

    pub(super) fn set_muted_until(&mut self, until: Option<Timestamp>) {
        self.muted_until = until.map(At);
    }

    pub(super) fn is_muted(&self, at: Timestamp) -> bool {
        self.muted_until.is_some_and(|until| until.0 > at)
    }

    /// The lowest place that they may read.
    pub(super) fn first(&self) -> Seq {
        self.first_seq.map_or(Seq::ZERO, Seq::from_i64)
    }

    /// Their membership of `room`, if they have one.
    pub(super) fn member(&self, room: RoomId) -> Option<Member> {
        Some(Member {
            room,
            user: self.summary(),
            role: self.role()?,
            joined_at: self.joined_at?.0,
            muted_until: self.muted_until.map(Timestamp::from),
            status: self.status.clone(),
            presence: None,
        })
    }
}

async fn person(transaction: &mut Tx, room: RoomId, user: UserId) -> Result<Person> {
    let person: Option<Person> = on!(transaction.connection(), connection => sqlx::query_as(
        "select u.id, u.username, u.display_name, u.status, m.role, m.joined_at, m.first_seq, m.muted_until
         from users u left join members m on m.room_id = $1 and m.user_id = u.id
         where u.id = $2",
    ).bind(room.uuid()).bind(user.uuid()).fetch_optional(connection))?;
    person.ok_or_else(|| ErrorCode::UserNotFound.into())
}
