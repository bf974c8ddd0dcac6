//! Hooks: the ways into a room for tools that can only post. Each is spoken through by a bot of its
//! own, which comes and goes with it.

use protocol::{
    Act, ErrorCode, HookId, RoomId, Timestamp, UserId,
    accounts::UserSummary,
    events::{Event, EventKind},
    hooks::Hook,
};
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Result, Store,
    bots::close_account,
    change::RoomChange,
    columns::At,
    pool::{execute, on},
};
use crate::token::BearerHash;

/// A hook to be made.
#[derive(Clone, Debug)]
pub struct NewHookRow {
    /// Its id.
    pub id: HookId,
    /// Where it leads.
    pub room: RoomId,
    /// What it is called.
    pub name: String,
    /// Who makes it.
    pub by: UserId,
    /// The bot that will speak through it.
    pub user: UserSummary,
    /// What is stored of its token.
    pub hash: BearerHash,
    /// When.
    pub at: Timestamp,
}

/// Who speaks through a hook, and where.
#[derive(Clone, Debug)]
pub struct HookSpeaker {
    /// The hook.
    pub id: HookId,
    /// Its bot.
    pub user: UserSummary,
    /// Its room.
    pub room: RoomId,
}

/// How many hooks a room may have.
const HOOKS_MAX: i64 = 50;

#[derive(FromRow)]
struct HookRow {
    id: Uuid,
    room_id: Uuid,
    name: String,
    user_id: Uuid,
    username: String,
    display_name: String,
    by_id: Uuid,
    created_at: At,
}

impl HookRow {
    fn speaker(&self) -> UserSummary {
        UserSummary {
            id: UserId::from_uuid(self.user_id),
            username: self.username.clone(),
            display_name: self.display_name.clone(),
        }
    }

    fn hook(self) -> Hook {
        Hook {
            id: HookId::from_uuid(self.id),
            room: RoomId::from_uuid(self.room_id),
            user: self.speaker(),
            name: self.name,
            by: UserId::from_uuid(self.by_id),
            created_at: self.created_at.into(),
        }
    }
}

impl Store {
    /// Makes a hook, and its bot a member of the room.
    ///
    /// # Errors
    /// `forbidden`, `archived`, `room_full`, `not_a_member`, `room_not_found`, or `conflict` if the room has
    /// as many as one may have.
    pub async fn create_hook(&self, new: &NewHookRow) -> Result<(Hook, Event)> {
        let mut tx = self.begin().await?;
        execute!(
            tx.connection(),
            sqlx::query(
                "insert into users
                    (id, username, display_name, display_name_folded, created_at, bot)
                 values ($1, $2, $3, $4, $5, $6)",
            )
            .bind(new.user.id.uuid())
            .bind(&new.user.username)
            .bind(&new.user.display_name)
            .bind(new.user.display_name.to_lowercase())
            .bind(At(new.at))
            .bind(true)
        )?;
        let mut change = RoomChange::within(tx, new.room, new.user.id, new.at).await?;
        change.must_arrange(new.by).await?;
        let standing: i64 = on!(change.transaction.connection(), connection => sqlx::query_scalar(
            "select count(*) from hooks where room_id = $1",
        )
        .bind(new.room.uuid())
        .fetch_one(connection))?;
        if standing >= HOOKS_MAX {
            return Err(ErrorCode::Conflict.into());
        }
        execute!(
            change.transaction.connection(),
            sqlx::query(
                "insert into hooks (id, room_id, user_id, by_id, name, hash, created_at)
                 values ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(new.id.uuid())
            .bind(new.room.uuid())
            .bind(new.user.id.uuid())
            .bind(new.by.uuid())
            .bind(&new.name)
            .bind(new.hash.as_slice())
            .bind(At(new.at))
        )?;
        let joined = change.admit_newcomer(new.user.id).await?;
        let hook = Hook {
            id: new.id,
            room: new.room,
            name: new.name.clone(),
            user: new.user.clone(),
            by: new.by,
            created_at: new.at,
        };
        Ok((hook, joined.event.ok_or(ErrorCode::Internal)?))
    }

    /// The hooks of a room, the newest first, for who may arrange it.
    ///
    /// # Errors
    /// `forbidden`, `not_a_member`, `room_not_found`.
    pub async fn hooks(&self, room: RoomId, viewer: UserId) -> Result<Vec<Hook>> {
        if !self.access(room, viewer).await?.role.may(Act::ChangeRoom) {
            return Err(ErrorCode::Forbidden.into());
        }
        let rows: Vec<HookRow> = on!(self.reader(), pool => sqlx::query_as(
            "select h.id, h.room_id, h.name, h.user_id, u.username, u.display_name, h.by_id, h.created_at
             from hooks h join users u on u.id = h.user_id
             where h.room_id = $1 order by h.id desc",
        )
        .bind(room.uuid())
        .fetch_all(pool))?;
        Ok(rows.into_iter().map(HookRow::hook).collect())
    }

    /// Takes a hook away, and its bot out of the room; answers the leaving, if it was still there.
    ///
    /// # Errors
    /// As [`Store::hooks`], and `hook_not_found`.
    pub async fn delete_hook(
        &self,
        room: RoomId,
        by: UserId,
        hook: HookId,
        at: Timestamp,
    ) -> Result<Option<Event>> {
        let mut change = self.change_as(room, by, Act::ChangeRoom, at).await?;
        let user: Option<Uuid> = on!(change.transaction.connection(), connection => sqlx::query_scalar(
            "delete from hooks where id = $1 and room_id = $2 returning user_id",
        )
        .bind(hook.uuid())
        .bind(room.uuid())
        .fetch_optional(connection))?;
        let user = UserId::from_uuid(user.ok_or(ErrorCode::HookNotFound)?);
        close_account(&mut change.transaction, user, at).await?;
        let speaker = change.person(user).await?;
        let mut event = None;
        if speaker.role().is_some() {
            change.expel(user).await?;
            event = Some(change.write_by(speaker.summary(), EventKind::Leave).await?);
        }
        change.commit().await?;
        Ok(event)
    }

    /// Who speaks through the hook of which this is stored; nothing if there is none.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn speaker_of_hook(&self, hash: &BearerHash) -> Result<Option<HookSpeaker>> {
        let row: Option<HookRow> = on!(self.reader(), pool => sqlx::query_as(
            "select h.id, h.room_id, h.name, h.user_id, u.username, u.display_name, h.by_id, h.created_at
             from hooks h join users u on u.id = h.user_id
             where h.hash = $1 and u.suspended_at is null and u.erased_at is null",
        )
        .bind(hash.as_slice())
        .fetch_optional(pool))?;
        Ok(row.map(|row| HookSpeaker {
            id: HookId::from_uuid(row.id),
            user: row.speaker(),
            room: RoomId::from_uuid(row.room_id),
        }))
    }
}

impl RoomChange {
    /// Refuses who may not arrange the room, where somebody else makes the change.
    async fn must_arrange(&mut self, user: UserId) -> Result<()> {
        let visibility = self.room.visibility();
        let role = self
            .person(user)
            .await?
            .role()
            .ok_or_else(|| super::room_row::refuse_stranger(visibility))?;
        if role.may(Act::ChangeRoom) {
            Ok(())
        } else {
            Err(ErrorCode::Forbidden.into())
        }
    }
}
