//! Sessions: who is logged in where, which refresh token is the valid one, and what was revoked.
//! No token is stored: a token is derived from the session and its generation.

use std::{net::IpAddr, time::Duration};

use protocol::{
    ErrorCode, SessionId, Timestamp, UserId,
    accounts::{Me, Session},
};
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Result, Store,
    accounts::UserRow,
    columns::At,
    pool::{Tx, on},
    totp::{Proof, use_up},
};

/// A session to be made.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// What the client calls the device; may be empty.
    pub device: String,
    /// Where it logs in from.
    pub ip: IpAddr,
    /// When it is made.
    pub at: Timestamp,
    /// When it ends, unless it is refreshed before.
    pub expires_at: Timestamp,
}

/// What a pair of tokens is made from; the same grant gives the same pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Whom it is for.
    pub me: Me,
    /// The session.
    pub session: SessionId,
    /// The generation that its refresh token has.
    pub generation: u64,
    /// When it was made.
    pub issued_at: Timestamp,
}

/// A refresh token that is shown.
#[derive(Clone, Debug)]
pub struct Rotate {
    /// Its session.
    pub session: SessionId,
    /// Its generation.
    pub generation: u64,
    /// Where it comes from.
    pub ip: IpAddr,
    /// When.
    pub at: Timestamp,
    /// When the session ends, unless it is refreshed again before.
    pub expires_at: Timestamp,
}

/// What became of a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// It was the valid one; here is the next pair.
    Fresh(Grant),
    /// It was used a moment ago, by the same client whose answer was lost, or by its other tab: the
    /// same pair again.
    Repeated(Grant),
    /// It was used before, too long ago to be an accident: the session is revoked now.
    Reused {
        /// Whose session it was.
        user: UserId,
        /// The session.
        session: SessionId,
    },
    /// Its session is revoked or expired, or its account closed.
    Gone,
}

/// How long a refresh token may be used again after its first use.
pub const REPEAT_WITHIN: Duration = Duration::from_secs(15);

/// Sessions that were revoked, and up to when they are told of.
#[derive(Clone, Debug)]
pub struct RevokedSince {
    /// The sessions, with when they were revoked.
    pub sessions: Vec<(SessionId, Timestamp)>,
    /// The tokens of bots that stand, but not while their owner is suspended, with since when that is.
    pub barred: Vec<(SessionId, Timestamp)>,
    /// The database's time when it was asked.
    pub asked_at: Timestamp,
}

#[derive(FromRow)]
struct SessionRow {
    id: Uuid,
    device: String,
    ip: String,
    created_at: At,
    rotated_at: At,
}

#[derive(FromRow)]
struct StandingRow {
    user_id: Uuid,
    generation: i64,
    rotated_at: At,
}

impl Store {
    /// Makes a session for who has shown the password of hash `seen`. A change of password that comes
    /// between is waited for, so that no session of the old password outlives it.
    ///
    /// # Errors
    /// `invalid_credentials` if the account was closed, or has another password by now.
    pub async fn create_session(&self, session: &NewSession, seen: &str) -> Result<Me> {
        self.create_guarded_session(session, seen, None).await
    }

    /// The same for who has shown a code, too, if they must: it is used up by this.
    ///
    /// # Errors
    /// As [`Store::create_session`]; `totp_required` without a proof where one is asked for, `wrong_totp` if it was used before.
    pub async fn create_guarded_session(
        &self,
        session: &NewSession,
        seen: &str,
        proof: Option<&Proof>,
    ) -> Result<Me> {
        let mut tx = self.begin().await?;
        // First, because it locks the account's row more strongly than what follows.
        if let Some(proof) = proof {
            use_up(&mut tx, session.user, proof).await?;
        }
        let sql = tx.connection().dialect(
            "select id, username, email, display_name, bio, status, admin, shows_reads, created_at, \
             email_verified_at is not null as email_verified, password_hash is not null as has_password, \
             totp_since is not null as totp from users \
             where id = $1 and password_hash = $2 and suspended_at is null and erased_at is null for share",
            "select id, username, email, display_name, bio, status, admin, shows_reads, created_at, \
             email_verified_at is not null as email_verified, password_hash is not null as has_password, \
             totp_since is not null as totp from users \
             where id = $1 and password_hash = $2 and suspended_at is null and erased_at is null",
        );
        let row: Option<UserRow> = on!(tx.connection(), connection => sqlx::query_as(sql)
            .bind(session.user.uuid())
            .bind(seen)
            .fetch_optional(connection))?;
        let row = row.ok_or(ErrorCode::InvalidCredentials)?;
        if proof.is_none() && row.asks_for_codes() {
            return Err(ErrorCode::TotpRequired.into());
        }
        insert_session(&mut tx, session).await?;
        tx.commit().await?;
        Ok(row.into())
    }

    /// Trades a refresh token for the next one. Of several at once with the same token one is fresh and
    /// the rest are repeated.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn rotate_session(&self, shown: &Rotate) -> Result<Rotation> {
        let mut tx = self.begin().await?;
        let generation = i64::try_from(shown.generation).unwrap_or(i64::MAX);
        let rotated: Option<StandingRow> = on!(tx.connection(), connection => sqlx::query_as(
            "update sessions set generation = generation + 1, rotated_at = $3, expires_at = $4, ip = $5 \
             where id = $1 and generation = $2 and revoked_at is null and expires_at > $3 \
             returning user_id, generation, rotated_at",
        )
        .bind(shown.session.uuid())
        .bind(generation)
        .bind(At(shown.at))
        .bind(At(shown.expires_at))
        .bind(shown.ip.to_string())
        .fetch_optional(connection))?;
        let rotation = match rotated {
            Some(row) => match grant(&mut tx, shown.session, &row).await? {
                Some(grant) => Rotation::Fresh(grant),
                // Dropped without a commit: a closed account's session is left as it was.
                None => return Ok(Rotation::Gone),
            },
            None => used_before(&mut tx, shown, generation).await?,
        };
        tx.commit().await?;
        Ok(rotation)
    }

    /// A user's own sessions that still stand, the one used last first. `current` is the one that asks.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn sessions(
        &self,
        user: UserId,
        current: SessionId,
        now: Timestamp,
    ) -> Result<Vec<Session>> {
        let rows: Vec<SessionRow> = on!(self.reader(), connection => sqlx::query_as(
            "select id, device, ip, created_at, rotated_at from sessions \
             where user_id = $1 and revoked_at is null and expires_at > $2 \
             order by rotated_at desc, id desc",
        )
        .bind(user.uuid())
        .bind(At(now))
        .fetch_all(connection))?;
        let session = |row: SessionRow| Session {
            id: SessionId::from_uuid(row.id),
            device: row.device,
            ip: row.ip,
            created_at: row.created_at.into(),
            last_seen_at: row.rotated_at.into(),
            current: row.id == current.uuid(),
        };
        Ok(rows.into_iter().map(session).collect())
    }

    /// Revokes a session of `user`.
    ///
    /// # Errors
    /// `session_not_found` if it is not theirs, or does not stand any more.
    pub async fn revoke_session(&self, user: UserId, session: SessionId) -> Result<()> {
        let mut tx = self.begin().await?;
        let revoked = revoke_where(&mut tx, Revoke::One(user, session)).await?;
        if revoked.is_empty() {
            return Err(ErrorCode::SessionNotFound.into());
        }
        tx.commit().await
    }

    /// Revokes every session of `user` but `keep`; answers those that it revoked.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn revoke_other_sessions(
        &self,
        user: UserId,
        keep: SessionId,
    ) -> Result<Vec<SessionId>> {
        let mut tx = self.begin().await?;
        let revoked = revoke_sessions(&mut tx, user, keep).await?;
        tx.commit().await?;
        Ok(revoked)
    }

    /// What was revoked, or barred with a bot's owner, at or after `since`; without it, within the last `span`. All by the database's
    /// clock. A revocation shows up when its transaction is committed, a little after its time, so ask
    /// again for the last seconds.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn revocations_since(
        &self,
        since: Option<Timestamp>,
        span: Duration,
    ) -> Result<RevokedSince> {
        let asked_at = self.database_time().await?;
        let since = since.unwrap_or_else(|| asked_at.before(span));
        let rows: Vec<(Uuid, At, bool)> = on!(self.reader(), connection => sqlx::query_as(
            "select id, revoked_at, false from sessions where revoked_at >= $1 \
             union all \
             select s.id, o.suspended_at, true from users o \
             join users b on b.bot_owner_id = o.id \
             join sessions s on s.user_id = b.id and s.revoked_at is null \
             where o.suspended_at >= $1",
        )
        .bind(At(since))
        .fetch_all(connection))?;
        let (barred, revoked): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|(_, _, is_barred)| *is_barred);
        let dated = |(id, at, _): (Uuid, At, bool)| (SessionId::from_uuid(id), at.into());
        Ok(RevokedSince {
            sessions: revoked.into_iter().map(dated).collect(),
            barred: barred.into_iter().map(dated).collect(),
            asked_at,
        })
    }

    /// Forgets sessions that ended before `before`, a thousand at most; answers how many.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn forget_sessions(&self, before: Timestamp) -> Result<usize> {
        let forgotten = on!(self.writer(), connection => sqlx::query_scalar::<_, i32>(
            "delete from sessions where id in (select id from sessions where expires_at < $1 limit 1000) \
             returning 1",
        )
        .bind(At(before))
        .fetch_all(connection))?;
        Ok(forgotten.len())
    }

    async fn database_time(&self) -> Result<Timestamp> {
        let sql = self.reader().dialect(
            "select clock_timestamp()",
            "select cast(unixepoch('subsec') * 1000 as integer)",
        );
        let now: At =
            on!(self.reader(), connection => sqlx::query_scalar(sql).fetch_one(connection))?;
        Ok(now.into())
    }
}

pub(super) async fn insert_session(tx: &mut Tx, session: &NewSession) -> Result<()> {
    on!(tx.connection(), connection => sqlx::query_scalar::<_, i32>(
        "insert into sessions (id, user_id, device, ip, created_at, rotated_at, expires_at) \
         values ($1, $2, $3, $4, $5, $5, $6) returning 1",
    )
    .bind(session.id.uuid())
    .bind(session.user.uuid())
    .bind(&session.device)
    .bind(session.ip.to_string())
    .bind(At(session.at))
    .bind(At(session.expires_at))
    .fetch_one(connection))?;
    Ok(())
}

/// Revokes every session of `user` but `keep`.
pub(super) async fn revoke_sessions(
    tx: &mut Tx,
    user: UserId,
    keep: SessionId,
) -> Result<Vec<SessionId>> {
    revoke_where(tx, Revoke::AllBut(user, keep)).await
}

/// Revokes every session of `user`.
pub(super) async fn revoke_every_session(tx: &mut Tx, user: UserId) -> Result<Vec<SessionId>> {
    revoke_where(tx, Revoke::Every(user)).await
}

#[derive(Clone, Copy)]
enum Revoke {
    One(UserId, SessionId),
    AllBut(UserId, SessionId),
    Every(UserId),
}

/// Revokes by the database's clock: nodes that ask "what since then" compare with no other.
async fn revoke_where(tx: &mut Tx, which: Revoke) -> Result<Vec<SessionId>> {
    let sql = tx.connection().dialect(
        "update sessions set revoked_at = clock_timestamp() \
         where user_id = $1 and (id = $2) = $3 and revoked_at is null returning id",
        "update sessions set revoked_at = cast(unixepoch('subsec') * 1000 as integer) \
         where user_id = $1 and (id = $2) = $3 and revoked_at is null returning id",
    );
    let (user, session, is_that_one) = match which {
        Revoke::One(user, session) => (user, session, true),
        Revoke::AllBut(user, session) => (user, session, false),
        // No session has this id.
        Revoke::Every(user) => (user, SessionId::from_uuid(Uuid::nil()), false),
    };
    let revoked = on!(tx.connection(), connection => sqlx::query_scalar::<_, Uuid>(sql)
        .bind(user.uuid())
        .bind(session.uuid())
        .bind(is_that_one)
        .fetch_all(connection))?;
    Ok(revoked.into_iter().map(SessionId::from_uuid).collect())
}

/// What it means that the token shown is not the valid one.
async fn used_before(tx: &mut Tx, shown: &Rotate, generation: i64) -> Result<Rotation> {
    let standing: Option<StandingRow> = on!(tx.connection(), connection => sqlx::query_as(
        "select user_id, generation, rotated_at from sessions \
         where id = $1 and revoked_at is null and expires_at > $2",
    )
    .bind(shown.session.uuid())
    .bind(At(shown.at))
    .fetch_optional(connection))?;
    // A token of a generation that is still to come is from before a restore from backup.
    let Some(row) = standing.filter(|row| generation < row.generation) else {
        return Ok(Rotation::Gone);
    };
    let is_repeat =
        generation + 1 == row.generation && shown.at.since(row.rotated_at.into()) <= REPEAT_WITHIN;
    if is_repeat {
        let grant = grant(tx, shown.session, &row).await?;
        return Ok(grant.map_or(Rotation::Gone, Rotation::Repeated));
    }
    let user = UserId::from_uuid(row.user_id);
    revoke_where(tx, Revoke::One(user, shown.session)).await?;
    Ok(Rotation::Reused {
        user,
        session: shown.session,
    })
}

async fn grant(tx: &mut Tx, session: SessionId, row: &StandingRow) -> Result<Option<Grant>> {
    let me = open_account(tx, UserId::from_uuid(row.user_id)).await?;
    Ok(me.map(|me| Grant {
        me,
        session,
        generation: u64::try_from(row.generation).unwrap_or(0),
        issued_at: row.rotated_at.into(),
    }))
}

pub(super) async fn open_account(tx: &mut Tx, user: UserId) -> Result<Option<Me>> {
    let row: Option<UserRow> = on!(tx.connection(), connection => sqlx::query_as(
        "select id, username, email, display_name, bio, status, admin, shows_reads, created_at, \
             email_verified_at is not null as email_verified, password_hash is not null as has_password, \
             totp_since is not null as totp from users \
         where id = $1 and suspended_at is null and erased_at is null",
    )
    .bind(user.uuid())
    .fetch_optional(connection))?;
    Ok(row.map(Me::from))
}
