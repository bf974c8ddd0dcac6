//! Rooms that were deleted: brought back within their time, and after it erased for good, a piece at a time.

use protocol::{
    Act, ErrorCode, RoomId, Timestamp, UserId,
    rooms::{DeletedRoom, Visibility},
};
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Result, Store,
    change::RoomChange,
    columns::At,
    pool::{Tx, execute, on},
    room_row::RoomRow,
    search,
};

/// Who deletes a room, or brings it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum As {
    /// Its owner.
    Owner,
    /// A server admin.
    ServerAdmin,
}

impl Store {
    /// Deletes a room for everybody. Until `restorable_until` it keeps its name and can be restored; without it,
    /// it is erased as soon as somebody comes to it.
    ///
    /// # Errors
    /// `forbidden`, and `conflict` for a conversation of named people: it is nobody's to delete.
    pub async fn delete_room(
        &self,
        room: RoomId,
        (by, role): (UserId, As),
        restorable_until: Option<Timestamp>,
        at: Timestamp,
    ) -> Result<()> {
        let mut change = self.change(room, by, at).await?;
        let may = match role {
            As::Owner => change.role()?.may(Act::DeleteRoom),
            As::ServerAdmin => true,
        };
        // Nobody has a conversation, so it is not the role of who asks that stands in the way.
        if change.room.visibility() == Visibility::Direct {
            return Err(ErrorCode::Conflict.into());
        }
        if !may {
            return Err(ErrorCode::Forbidden.into());
        }
        let owner = (role == As::Owner).then_some(by);
        change.mark_deleted(owner, restorable_until).await?;
        change.commit().await?;
        Ok(())
    }

    /// The rooms that somebody deleted and can bring back, the latest first.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn deleted_rooms(&self, by: UserId, now: Timestamp) -> Result<Vec<DeletedRoom>> {
        let rows: Vec<DeletedRow> = on!(self.reader(), pool => sqlx::query_as(
            "select id, name, topic, visibility, password_hash, owner_id, max_members, history, slow_mode_s,
                head, messages, member_count, created_at, archived_at, deleted_at, restorable_until
             from rooms
             where deleted_at is not null and deleted_by = $1 and owner_id = $1 and restorable_until > $2
             order by deleted_at desc, id",
        ).bind(by.uuid()).bind(At(now)).fetch_all(pool))?;
        Ok(rows.into_iter().map(DeletedRow::room).collect())
    }

    /// Brings a deleted room back, as it was. Its owner may if it was them who deleted it.
    ///
    /// # Errors
    /// `room_not_found` if there is nothing that can be brought back by who asks.
    pub async fn restore_room(
        &self,
        room: RoomId,
        (by, role): (UserId, As),
        at: Timestamp,
    ) -> Result<()> {
        let restored = execute!(
            self.writer(),
            sqlx::query(
                "update rooms set deleted_at = null, deleted_by = null, restorable_until = null
                 where id = $1 and deleted_at is not null and restorable_until > $2
                    and ($4 or (deleted_by = $3 and owner_id = $3))",
            )
            .bind(room.uuid())
            .bind(At(at))
            .bind(by.uuid())
            .bind(role == As::ServerAdmin)
        )?;
        if restored == 0 {
            return Err(ErrorCode::RoomNotFound.into());
        }
        Ok(())
    }

    /// Whether a room that `by` deleted keeps this name, which another wants.
    pub(super) async fn keeps_name(&self, by: UserId, name_key: &str) -> Result<bool> {
        let kept: Option<Uuid> = on!(self.reader(), pool => sqlx::query_scalar(
            "select id from rooms
             where name_key = $1 and visibility in ('public', 'private')
                and deleted_at is not null and restorable_until is not null and deleted_by = $2",
        ).bind(name_key).bind(by.uuid()).fetch_optional(pool))?;
        Ok(kept.is_some())
    }

    /// The members of a room, at most so many, those who were in first.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn member_ids(&self, room: RoomId, most: u32) -> Result<Vec<UserId>> {
        let ids: Vec<Uuid> = on!(self.reader(), pool => sqlx::query_scalar(
            "select user_id from members where room_id = $1 order by joined_at limit $2",
        ).bind(room.uuid()).bind(i64::from(most)).fetch_all(pool))?;
        Ok(ids.into_iter().map(UserId::from_uuid).collect())
    }

    /// Rooms that are to be erased, at most so many: those whose time is over. From here on nobody brings
    /// them back, and their names are free.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn rooms_to_erase(&self, now: Timestamp, most: u32) -> Result<Vec<RoomId>> {
        let due: Vec<Uuid> = on!(self.reader(), pool => sqlx::query_scalar(
            "select id from rooms
             where deleted_at is not null and (restorable_until is null or restorable_until <= $1)
             order by deleted_at limit $2",
        ).bind(At(now)).bind(i64::from(most)).fetch_all(pool))?;
        for room in &due {
            execute!(
                self.writer(),
                sqlx::query(
                    "update rooms set restorable_until = null
                     where id = $1 and deleted_at is not null and restorable_until <= $2",
                )
                .bind(room)
                .bind(At(now))
            )?;
        }
        Ok(due.into_iter().map(RoomId::from_uuid).collect())
    }

    /// Erases at most so many places of a room's log, with all that is about them; once there are none left,
    /// the room itself. Whether nothing is left. Several may do it at once.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn erase_room(&self, room: RoomId, places: u32, at: Timestamp) -> Result<bool> {
        let mut tx = self.begin().await?;
        let locked: Option<Uuid> = on!(tx.connection(), connection => sqlx::query_scalar(
            "update rooms set head = head
             where id = $1 and deleted_at is not null and restorable_until is null
             returning id",
        ).bind(room.uuid()).fetch_optional(connection))?;
        if locked.is_none() {
            return Ok(true);
        }
        let first: Option<i64> = on!(tx.connection(), connection => sqlx::query_scalar(
            "select min(seq) from events where room_id = $1",
        ).bind(room.uuid()).fetch_one(connection))?;
        let is_over = match first {
            Some(first) => {
                erase_before(&mut tx, room, first + i64::from(places)).await?;
                false
            }
            None => {
                erase_rest(&mut tx, room, at).await?;
                true
            }
        };
        tx.commit().await?;
        Ok(is_over)
    }
}

impl RoomChange {
    /// `by` can bring it back.
    async fn mark_deleted(&mut self, by: Option<UserId>, until: Option<Timestamp>) -> Result<()> {
        execute!(
            self.transaction.connection(),
            sqlx::query(
                "update rooms set deleted_at = $2, deleted_by = $3, restorable_until = $4 where id = $1",
            )
            .bind(self.room.id)
            .bind(At(self.at))
            .bind(by.map(UserId::uuid))
            .bind(until.map(At))
        )?;
        Ok(())
    }
}

/// Erases what stands before a place.
async fn erase_before(tx: &mut Tx, room: RoomId, seq: i64) -> Result<()> {
    for sql in [
        "delete from reports where room_id = $1 and seq < $2",
        "delete from originals where room_id = $1 and seq < $2",
        "delete from mentions where room_id = $1 and seq < $2",
        "delete from reactions where room_id = $1 and seq < $2",
        "delete from pins where room_id = $1 and seq < $2",
        "delete from events where room_id = $1 and seq < $2",
    ] {
        execute!(
            tx.connection(),
            sqlx::query(sql).bind(room.uuid()).bind(seq)
        )?;
    }
    search::forget_before(tx, room, seq).await
}

/// Erases a room whose log is erased. Members, bans and invites go with its row; the content of its files is
/// taken away by who sweeps.
async fn erase_rest(tx: &mut Tx, room: RoomId, at: Timestamp) -> Result<()> {
    execute!(
        tx.connection(),
        sqlx::query("update files set dropped_at = $2 where room_id = $1 and dropped_at is null")
            .bind(room.uuid())
            .bind(At(at))
    )?;
    search::forget_before(tx, room, i64::MAX).await?;
    for sql in [
        "delete from search_progress where room_id = $1",
        "delete from conversations where room_id = $1",
        "delete from reports where room_id = $1",
        "delete from rooms where id = $1",
    ] {
        execute!(tx.connection(), sqlx::query(sql).bind(room.uuid()))?;
    }
    Ok(())
}

#[derive(FromRow)]
struct DeletedRow {
    #[sqlx(flatten)]
    room: RoomRow,
    deleted_at: At,
    restorable_until: At,
}

impl DeletedRow {
    fn room(self) -> DeletedRoom {
        DeletedRoom {
            room: self.room.whole(),
            deleted_at: self.deleted_at.0,
            restorable_until: self.restorable_until.0,
        }
    }
}
