//! Removing people from a room and keeping them out.

use protocol::{
    Act, ErrorCode, Fields, Role, RoomId, Timestamp, UserId, Violation,
    accounts::UserSummary,
    events::{Event, EventKind, Moderated},
    rooms::{Ban, NewBan},
};
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Result, Store,
    change::{Person, RoomChange},
    columns::{At, Word},
    pool::{execute, on},
};
use crate::Refusal;

impl Store {
    /// Removes a member. They may come back.
    ///
    /// # Errors
    /// `member_not_found`, `forbidden`.
    pub async fn kick(
        &self,
        room: RoomId,
        by: UserId,
        user: UserId,
        at: Timestamp,
    ) -> Result<Event> {
        let mut change = self.change_as(room, by, Act::Moderate, at).await?;
        let person = change.person(user).await?;
        let role = person.role().ok_or(ErrorCode::MemberNotFound)?;
        if !change.role()?.may_moderate(role) {
            return Err(ErrorCode::Forbidden.into());
        }
        change.expel(user).await?;
        let event = change.write(EventKind::Kick(done_to(&person))).await?;
        change.commit().await?;
        Ok(event)
    }

    /// Removes somebody, if they are in, and keeps them out. A ban that is there already is replaced.
    ///
    /// # Errors
    /// `user_not_found`, `forbidden`, or `validation_failed` for a ban that is over.
    pub async fn ban(
        &self,
        room: RoomId,
        by: UserId,
        user: UserId,
        ban: &NewBan,
        at: Timestamp,
    ) -> Result<Event> {
        let mut change = self.change_as(room, by, Act::Moderate, at).await?;
        if ban.until.is_some_and(|until| until <= at) {
            return Err(Refusal::from(Fields::one("until", Violation::OutOfRange)).into());
        }
        let person = change.person(user).await?;
        if let Some(role) = person.role() {
            if !change.role()?.may_moderate(role) {
                return Err(ErrorCode::Forbidden.into());
            }
            change.expel(user).await?;
        }
        let reason = ban.reason.as_ref().map(protocol::text::Reason::as_str);
        execute!(
            change.transaction.connection(),
            sqlx::query(
                "insert into bans (room_id, user_id, by_id, reason, until, created_at)
             values ($1, $2, $3, $4, $5, $6)
             on conflict (room_id, user_id) do update set
                by_id = excluded.by_id, reason = excluded.reason, until = excluded.until,
                created_at = excluded.created_at",
            )
            .bind(room.uuid())
            .bind(user.uuid())
            .bind(by.uuid())
            .bind(reason)
            .bind(ban.until.map(At))
            .bind(At(at))
        )?;
        let banned = Moderated {
            reason: reason.map(str::to_owned),
            until: ban.until,
            ..done_to(&person)
        };
        let event = change.write(EventKind::Ban(banned)).await?;
        change.commit().await?;
        Ok(event)
    }

    /// Lets somebody in again.
    ///
    /// # Errors
    /// `ban_not_found`, also for a ban that has ended by itself; `forbidden`.
    pub async fn unban(
        &self,
        room: RoomId,
        by: UserId,
        user: UserId,
        at: Timestamp,
    ) -> Result<Event> {
        let mut change = self.change_as(room, by, Act::Moderate, at).await?;
        if !change.is_banned(user).await? {
            return Err(ErrorCode::BanNotFound.into());
        }
        let person = change.person(user).await?;
        execute!(
            change.transaction.connection(),
            sqlx::query("delete from bans where room_id = $1 and user_id = $2",)
                .bind(room.uuid())
                .bind(user.uuid())
        )?;
        let event = change.write(EventKind::Unban(done_to(&person))).await?;
        change.commit().await?;
        Ok(event)
    }

    /// Who is kept out, the latest first.
    ///
    /// # Errors
    /// As [`Store::access`], and `forbidden`.
    pub async fn bans(&self, room: RoomId, viewer: UserId, at: Timestamp) -> Result<Vec<Ban>> {
        let rows: Vec<BanRow> = on!(self.reader(), pool => sqlx::query_as(
            "select b.user_id, u.username, u.display_name, b.by_id, b.reason, b.until, b.created_at,
                v.role as viewer_role
             from bans b join users u on u.id = b.user_id
             join members v on v.room_id = b.room_id and v.user_id = $3
             join rooms r on r.id = b.room_id and r.deleted_at is null
             where b.room_id = $1 and (b.until is null or b.until > $2)
             order by b.created_at desc, b.user_id",
        ).bind(room.uuid()).bind(At(at)).bind(viewer.uuid()).fetch_all(pool))?;
        let role = match rows.first() {
            Some(row) => row.viewer_role.0,
            // Nobody is kept out, or the viewer is not a member.
            None => self.access(room, viewer).await?.role,
        };
        if !role.may(Act::Moderate) {
            return Err(ErrorCode::Forbidden.into());
        }
        Ok(rows.into_iter().map(BanRow::ban).collect())
    }
}

impl RoomChange {
    /// Whether somebody is kept out now.
    pub(super) async fn is_banned(&mut self, user: UserId) -> Result<bool> {
        let at = At(self.at);
        let banned: Option<Uuid> = on!(self.transaction.connection(), connection => sqlx::query_scalar(
            "select user_id from bans where room_id = $1 and user_id = $2 and (until is null or until > $3)",
        ).bind(self.room.id().uuid()).bind(user.uuid()).bind(at).fetch_optional(connection))?;
        Ok(banned.is_some())
    }
}

fn done_to(person: &Person) -> Moderated {
    Moderated {
        member: person.summary(),
        role: None,
        reason: None,
        until: None,
    }
}

#[derive(FromRow)]
struct BanRow {
    viewer_role: Word<Role>,
    user_id: Uuid,
    username: String,
    display_name: String,
    by_id: Uuid,
    reason: Option<String>,
    until: Option<At>,
    created_at: At,
}

impl BanRow {
    fn ban(self) -> Ban {
        Ban {
            user: UserSummary {
                id: UserId::from_uuid(self.user_id),
                username: self.username,
                display_name: self.display_name,
            },
            by: UserId::from_uuid(self.by_id),
            reason: self.reason,
            until: self.until.map(Timestamp::from),
            created_at: self.created_at.0,
        }
    }
}
