//! Leaving for good: an account is closed in one transaction, and what its person is and said is taken away
//! afterwards, a little in each. Every step finds by itself what is left, so any number of nodes may do it at
//! once, and one that dies leaves nothing half done.

use protocol::{
    ErrorCode, Role, RoomId, Seq, SessionId, Timestamp, UserId,
    events::{Event, EventKind},
    marks::React,
    text::Emoji,
};
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Result, Store,
    change::RoomChange,
    columns::At,
    pool::{Tx, execute, on},
    sessions::revoke_sessions,
};

/// Somebody who has left, and of whom something may be left.
#[derive(Clone, Debug)]
pub struct Leaving {
    /// Who.
    pub user: UserId,
    /// Up to which room nothing of theirs is left.
    pub upto: Option<RoomId>,
}

/// What they are called from then on.
const DISPLAY_NAME: &str = "Deleted user";
/// How much of what they said one transaction takes away: others who write into the room wait for it.
const AT_ONCE: i64 = 50;

/// What the user `$2` says in the room `$1`.
pub(super) const SAID: &str = "select seq from events
    where room_id = $1 and user_id = $2 and kind = 'message' and deleted_at is null
    limit $3";

impl Store {
    /// Closes an account, and those of the bots that its person answers for: nobody can use them from now on,
    /// and nothing in them says whose they were. `seen` is the hash that their password was checked against.
    /// Answers the sessions that end.
    ///
    /// # Errors
    /// `conflict` if the password is no longer the one that was checked.
    pub async fn close_for_good(
        &self,
        user: UserId,
        seen: Option<&str>,
        at: Timestamp,
    ) -> Result<Vec<SessionId>> {
        let mut tx = self.begin().await?;
        let closed = execute!(
            tx.connection(),
            sqlx::query(
                "update users set erased_at = $3 where id = $1 and erased_at is null
                    and (password_hash = $2 or (password_hash is null and $2 is null))",
            )
            .bind(user.uuid())
            .bind(seen)
            .bind(At(at))
        )?;
        if closed == 0 {
            return Err(ErrorCode::Conflict.into());
        }
        let bots: Vec<Uuid> = on!(tx.connection(), connection => sqlx::query_scalar(
            "select id from users where bot_owner_id = $1 and erased_at is null",
        ).bind(user.uuid()).fetch_all(connection))?;
        let mut revoked = Vec::new();
        for user in std::iter::once(user).chain(bots.into_iter().map(UserId::from_uuid)) {
            revoked.extend(blank(&mut tx, user, at).await?);
        }
        tx.commit().await?;
        Ok(revoked)
    }

    /// Those of whom something may be left, who left first at the front.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn leavings(&self) -> Result<Vec<Leaving>> {
        let rows: Vec<LeavingRow> = on!(self.reader(), pool => sqlx::query_as(
            "select user_id, upto from leavings order by at limit 100",
        ).fetch_all(pool))?;
        Ok(rows.into_iter().map(LeavingRow::leaving).collect())
    }

    /// Takes somebody who left out of one of their rooms, and answers what is written there; nothing when they
    /// are in none. The room of an owner goes to the member of the highest role who joined first.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn leave_next_room(&self, user: UserId, at: Timestamp) -> Result<Option<Event>> {
        loop {
            let room: Option<Uuid> = on!(self.writer(), pool => sqlx::query_scalar(
                "select room_id from members where user_id = $1 limit 1",
            ).bind(user.uuid()).fetch_optional(pool))?;
            let Some(room) = room.map(RoomId::from_uuid) else {
                return Ok(None);
            };
            let mut change = RoomChange::anywhere(self.begin().await?, room, user, at).await?;
            // Another node may have been faster.
            let Ok(role) = change.role() else { continue };
            if role == Role::Owner {
                change.hand_over().await?;
            }
            change.expel(user).await?;
            change.forget_person(user).await?;
            let event = change.write(EventKind::Leave).await?;
            change.commit().await?;
            return Ok(Some(event));
        }
    }

    /// Takes back some of what somebody who left has said in a room, and answers the last place of what is
    /// written there; nothing when all is gone.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn take_back_some(
        &self,
        room: RoomId,
        user: UserId,
        at: Timestamp,
    ) -> Result<Option<Seq>> {
        let mut change = RoomChange::anywhere(self.begin().await?, room, user, at).await?;
        let said: Vec<i64> = on!(change.transaction.connection(), connection => sqlx::query_scalar(SAID)
            .bind(room.uuid()).bind(user.uuid()).bind(AT_ONCE).fetch_all(connection))?;
        let mut last = None;
        for seq in said {
            last = Some(change.take_back(Seq::from_i64(seq)).await?.seq);
        }
        change.commit().await?;
        Ok(last)
    }

    /// Takes back some of the reactions of somebody who left, of one room, and answers where and up to which
    /// place; nothing when all are gone.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn unreact_some(&self, user: UserId, at: Timestamp) -> Result<Option<(RoomId, Seq)>> {
        let room: Option<Uuid> = on!(self.writer(), pool => sqlx::query_scalar(
            "select room_id from reactions where user_id = $1 limit 1",
        ).bind(user.uuid()).fetch_optional(pool))?;
        let Some(room) = room.map(RoomId::from_uuid) else {
            return Ok(None);
        };
        let mut change = RoomChange::anywhere(self.begin().await?, room, user, at).await?;
        let rows: Vec<ReactionRow> = on!(change.transaction.connection(), connection => sqlx::query_as(
            "select seq, emoji from reactions where user_id = $1 and room_id = $2 limit $3",
        ).bind(user.uuid()).bind(room.uuid()).bind(AT_ONCE).fetch_all(connection))?;
        for row in rows {
            change.withdraw(row).await?;
        }
        let last = Seq::from_i64(change.room.head);
        change.commit().await?;
        Ok(Some((room, last)))
    }

    /// Notes that up to a room, it included, nothing of somebody who left is left.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn note_left(&self, user: UserId, upto: RoomId) -> Result<()> {
        execute!(
            self.writer(),
            sqlx::query(
                "update leavings set upto = $2 where user_id = $1 and (upto is null or upto < $2)"
            )
            .bind(user.uuid())
            .bind(upto.uuid())
        )?;
        Ok(())
    }

    /// Forgets that somebody left: nothing of theirs is left.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn forget_leaving(&self, user: UserId) -> Result<()> {
        execute!(
            self.writer(),
            sqlx::query("delete from leavings where user_id = $1").bind(user.uuid())
        )?;
        Ok(())
    }
}

/// Takes everything out of an account that says whose it was, and notes that its person has left.
async fn blank(tx: &mut Tx, user: UserId, at: Timestamp) -> Result<Vec<SessionId>> {
    let simple = user.uuid().simple().to_string();
    let username = format!("deleted-{}", &simple[8..]);
    execute!(
        tx.connection(),
        sqlx::query(
            "update users set username = $2, email = null, display_name = $3, display_name_folded = lower($3),
                bio = '', status = '', password_hash = null, admin = $4, erased_at = $5,
                email_verified_at = null, totp_secret = null, totp_since = null
             where id = $1",
        )
        .bind(user.uuid())
        .bind(username)
        .bind(DISPLAY_NAME)
        .bind(false)
        .bind(At(at))
    )?;
    let revoked = revoke_sessions(tx, user, SessionId::from_uuid(Uuid::nil())).await?;
    for statement in [
        "update sessions set device = '', ip = '' where user_id = $1",
        "delete from blocks where user_id = $1 or blocked_id = $1",
        "delete from webhooks where user_id = $1",
        "delete from hooks where user_id = $1",
        "delete from recovery_codes where user_id = $1",
        "delete from identities where user_id = $1",
        "delete from mailed_tokens where user_id = $1",
    ] {
        execute!(tx.connection(), sqlx::query(statement).bind(user.uuid()))?;
    }
    for statement in [
        "update files set dropped_at = $2 where user_id = $1 and seq is null and dropped_at is null",
        "insert into leavings (user_id, at) values ($1, $2)",
    ] {
        execute!(
            tx.connection(),
            sqlx::query(statement).bind(user.uuid()).bind(At(at))
        )?;
    }
    Ok(revoked)
}

impl RoomChange {
    /// Gives the room of an owner who leaves to who is next, or to nobody.
    async fn hand_over(&mut self) -> Result<()> {
        let (room, owner) = (self.room.id, self.by.user().uuid());
        let heir: Option<Uuid> = on!(self.transaction.connection(), connection => sqlx::query_scalar(
            "select m.user_id from members m join users u on u.id = m.user_id
             where m.room_id = $1 and m.user_id <> $2 and not u.bot
                and u.erased_at is null and u.suspended_at is null
             order by case m.role when 'admin' then 0 when 'moderator' then 1 else 2 end,
                m.joined_at, m.user_id
             limit 1",
        ).bind(room).bind(owner).fetch_optional(connection))?;
        self.room.owner_id = heir;
        if let Some(heir) = heir {
            let mut heir = self.person(UserId::from_uuid(heir)).await?;
            self.give_role(&mut heir, Role::Owner).await?;
        }
        Ok(())
    }

    /// Forgets what of a room only held for somebody who is not coming back.
    async fn forget_person(&mut self, user: UserId) -> Result<()> {
        for statement in [
            "delete from absences where room_id = $1 and user_id = $2",
            "delete from mentions where room_id = $1 and user_id = $2",
            "delete from invites where room_id = $1 and by_id = $2",
        ] {
            execute!(
                self.transaction.connection(),
                sqlx::query(statement).bind(self.room.id).bind(user.uuid())
            )?;
        }
        Ok(())
    }

    /// Takes a reaction back, of whatever emoji.
    async fn withdraw(&mut self, row: ReactionRow) -> Result<()> {
        execute!(
            self.transaction.connection(),
            sqlx::query(
                "delete from reactions where room_id = $1 and seq = $2 and emoji = $3 and user_id = $4"
            )
            .bind(self.room.id)
            .bind(row.seq)
            .bind(&row.emoji)
            .bind(self.by.user().uuid())
        )?;
        // What is no emoji to this version was never told as one.
        if let Ok(emoji) = Emoji::parse(&row.emoji) {
            let react = React {
                seq: Seq::from_i64(row.seq),
                emoji,
            };
            self.write(EventKind::Unreact((&react).into())).await?;
        }
        Ok(())
    }
}

#[derive(FromRow)]
struct LeavingRow {
    user_id: Uuid,
    upto: Option<Uuid>,
}

impl LeavingRow {
    fn leaving(self) -> Leaving {
        Leaving {
            user: UserId::from_uuid(self.user_id),
            upto: self.upto.map(RoomId::from_uuid),
        }
    }
}

#[derive(FromRow)]
struct ReactionRow {
    seq: i64,
    emoji: String,
}
