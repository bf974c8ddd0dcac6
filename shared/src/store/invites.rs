//! Codes that let people in.

use std::time::Duration;

use protocol::{
    Act, ErrorCode, Role, RoomId, Timestamp, UserId,
    rooms::{Invite, NewInvite, Visibility},
};
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Result, Store,
    change::RoomChange,
    columns::{At, Word},
    events::count,
    pool::{execute, on},
};

impl Store {
    /// Makes an invite.
    ///
    /// # Errors
    /// `forbidden`, `archived`.
    pub async fn create_invite(
        &self,
        room: RoomId,
        by: UserId,
        code: &str,
        new: &NewInvite,
        at: Timestamp,
    ) -> Result<Invite> {
        let access = self.access(room, by).await?;
        if !access.role.may(inviting_to(access.visibility)) {
            return Err(ErrorCode::Forbidden.into());
        }
        if access.archived {
            return Err(ErrorCode::Archived.into());
        }
        let expires_at = at.after(Duration::from_secs(new.expires_in_s));
        execute!(
            self.writer(),
            sqlx::query(
                "insert into invites (code, room_id, by_id, max_uses, created_at, expires_at)
             values ($1, $2, $3, $4, $5, $6)",
            )
            .bind(code)
            .bind(room.uuid())
            .bind(by.uuid())
            .bind(new.max_uses.map(i64::from))
            .bind(At(at))
            .bind(At(expires_at))
        )?;
        Ok(Invite {
            code: code.to_owned(),
            room,
            by,
            max_uses: new.max_uses,
            uses: 0,
            created_at: at,
            expires_at,
        })
    }

    /// The invites that still let somebody in: one's own, and for moderators everybody's.
    ///
    /// # Errors
    /// As [`Store::access`].
    pub async fn invites(
        &self,
        room: RoomId,
        viewer: UserId,
        at: Timestamp,
    ) -> Result<Vec<Invite>> {
        let rows: Vec<SeenInvite> = on!(self.reader(), pool => sqlx::query_as(
            "select i.code, i.room_id, i.by_id, i.max_uses, i.uses, i.created_at, i.expires_at,
                v.role as viewer_role
             from invites i join members v on v.room_id = i.room_id and v.user_id = $3
             join rooms r on r.id = i.room_id and r.deleted_at is null
             where i.room_id = $1 and i.expires_at > $2 and (i.max_uses is null or i.uses < i.max_uses)
             order by i.created_at desc, i.code",
        )
        .bind(room.uuid())
        .bind(At(at))
        .bind(viewer.uuid())
        .fetch_all(pool))?;
        if rows.is_empty() {
            // There are none, or the viewer is not a member.
            self.access(room, viewer).await?;
        }
        let seen =
            |row: &SeenInvite| sees_all(row.viewer_role.0) || row.invite.by_id == viewer.uuid();
        let rows = rows.into_iter().filter(seen);
        Ok(rows.map(|row| row.invite.invite()).collect())
    }

    /// Takes an invite back: one's own, and for moderators anybody's.
    ///
    /// # Errors
    /// As [`Store::access`], and `invite_not_found`.
    pub async fn delete_invite(&self, room: RoomId, by: UserId, code: &str) -> Result<()> {
        let role = self.access(room, by).await?.role;
        let deleted: Option<Uuid> = on!(self.writer(), pool => sqlx::query_scalar(
            "delete from invites where room_id = $1 and code = $2 and ($3 or by_id = $4) returning room_id",
        )
        .bind(room.uuid())
        .bind(code)
        .bind(sees_all(role))
        .bind(by.uuid())
        .fetch_optional(pool))?;
        if deleted.is_some() {
            Ok(())
        } else {
            Err(ErrorCode::InviteNotFound.into())
        }
    }
}

impl RoomChange {
    /// Counts one use of an invite; whether there is one that still lets somebody in.
    pub(super) async fn use_invite(&mut self, code: &str) -> Result<bool> {
        let at = At(self.at);
        let used: Option<Uuid> = on!(self.transaction.connection(), connection => sqlx::query_scalar(
            "update invites set uses = uses + 1
             where code = $1 and room_id = $2 and expires_at > $3 and (max_uses is null or uses < max_uses)
             returning room_id",
        ).bind(code).bind(self.room.id().uuid()).bind(at).fetch_optional(connection))?;
        Ok(used.is_some())
    }
}

pub(super) const fn inviting_to(visibility: Visibility) -> Act {
    match visibility {
        Visibility::Public => Act::InviteToPublic,
        Visibility::Private | Visibility::Secret | Visibility::Direct => Act::InviteToAny,
    }
}

fn sees_all(role: Role) -> bool {
    role.may(Act::InviteToAny)
}

#[derive(FromRow)]
struct InviteRow {
    code: String,
    room_id: Uuid,
    by_id: Uuid,
    max_uses: Option<i64>,
    uses: i64,
    created_at: At,
    expires_at: At,
}

/// An invite, and what the viewer is in its room.
#[derive(FromRow)]
struct SeenInvite {
    #[sqlx(flatten)]
    invite: InviteRow,
    viewer_role: Word<Role>,
}

impl InviteRow {
    fn invite(self) -> Invite {
        Invite {
            code: self.code,
            room: RoomId::from_uuid(self.room_id),
            by: UserId::from_uuid(self.by_id),
            max_uses: self.max_uses.map(count),
            uses: count(self.uses),
            created_at: self.created_at.0,
            expires_at: self.expires_at.0,
        }
    }
}
