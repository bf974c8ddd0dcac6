//! Codes at login: the sealed secret of an authenticator, the latest code that was shown, and the recovery codes that are left.

use protocol::{ErrorCode, Timestamp, UserId};
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Result, Store,
    columns::At,
    pool::{Tx, execute, on},
};

/// The authenticator of an account.
#[derive(Clone)]
pub struct SealedTotp {
    /// The secret, sealed.
    pub sealed: Vec<u8>,
    /// Whether logins ask for its codes.
    pub is_on: bool,
}

/// What was shown beside a password; good once.
#[derive(Clone)]
pub enum Proof {
    /// A code of this half minute.
    Step(i64),
    /// The recovery code of this hash.
    Recovery(Vec<u8>),
}

#[derive(FromRow)]
struct TotpRow {
    totp_secret: Option<Vec<u8>>,
    is_on: bool,
}

impl Store {
    /// The authenticator of `user`, if there is one.
    ///
    /// # Errors
    /// `user_not_found`.
    pub async fn totp(&self, user: UserId) -> Result<Option<SealedTotp>> {
        let row: Option<TotpRow> = on!(self.reader(), connection => sqlx::query_as(
            "select totp_secret, totp_since is not null as is_on from users where id = $1 and erased_at is null",
        )
        .bind(user.uuid())
        .fetch_optional(connection))?;
        let row = row.ok_or(ErrorCode::UserNotFound)?;
        let is_on = row.is_on;
        Ok(row.totp_secret.map(|sealed| SealedTotp { sealed, is_on }))
    }

    /// Keeps the secret of an authenticator that is being set up, in the place of any before it.
    ///
    /// # Errors
    /// `conflict` if codes are on.
    pub async fn begin_totp(&self, user: UserId, sealed: &[u8]) -> Result<()> {
        let kept = execute!(
            self.writer(),
            sqlx::query("update users set totp_secret = $2 where id = $1 and totp_since is null")
                .bind(user.uuid())
                .bind(sealed)
        )?;
        if kept == 0 {
            return Err(ErrorCode::Conflict.into());
        }
        Ok(())
    }

    /// Turns codes on, for who has shown that of `step` from the secret `sealed`.
    ///
    /// # Errors
    /// `conflict` if codes are on, or another secret was begun since.
    pub async fn confirm_totp(
        &self,
        user: UserId,
        sealed: &[u8],
        step: i64,
        recovery: &[Vec<u8>],
        now: Timestamp,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let confirmed = execute!(
            tx.connection(),
            sqlx::query(
                "update users set totp_since = $4, totp_step = $3 \
                 where id = $1 and totp_secret = $2 and totp_since is null",
            )
            .bind(user.uuid())
            .bind(sealed)
            .bind(step)
            .bind(At(now))
        )?;
        if confirmed == 0 {
            return Err(ErrorCode::Conflict.into());
        }
        replace_codes(&mut tx, user, recovery).await?;
        tx.commit().await
    }

    /// Turns codes off.
    ///
    /// # Errors
    /// `wrong_totp` if what was shown was used before, or codes are off by now.
    pub async fn end_totp(&self, user: UserId, proof: &Proof) -> Result<()> {
        let mut tx = self.begin().await?;
        use_up(&mut tx, user, proof).await?;
        execute!(
            tx.connection(),
            sqlx::query("update users set totp_secret = null, totp_since = null where id = $1")
                .bind(user.uuid())
        )?;
        replace_codes(&mut tx, user, &[]).await?;
        tx.commit().await
    }

    /// Puts new recovery codes in the place of those that are left.
    ///
    /// # Errors
    /// As [`Store::end_totp`].
    pub async fn renew_recovery_codes(
        &self,
        user: UserId,
        proof: &Proof,
        recovery: &[Vec<u8>],
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        use_up(&mut tx, user, proof).await?;
        replace_codes(&mut tx, user, recovery).await?;
        tx.commit().await
    }
}

/// Takes what was shown, so that it is good no second time.
pub(super) async fn use_up(tx: &mut Tx, user: UserId, proof: &Proof) -> Result<()> {
    let used: Option<Uuid> = match proof {
        Proof::Step(step) => on!(tx.connection(), connection => sqlx::query_scalar(
            "update users set totp_step = $2 where id = $1 and totp_step < $2 and totp_since is not null returning id",
        )
        .bind(user.uuid())
        .bind(*step)
        .fetch_optional(connection))?,
        Proof::Recovery(hash) => on!(tx.connection(), connection => sqlx::query_scalar(
            "delete from recovery_codes where user_id = $1 and hash = $2 returning user_id",
        )
        .bind(user.uuid())
        .bind(hash)
        .fetch_optional(connection))?,
    };
    used.ok_or(ErrorCode::WrongTotp)?;
    Ok(())
}

async fn replace_codes(tx: &mut Tx, user: UserId, hashes: &[Vec<u8>]) -> Result<()> {
    execute!(
        tx.connection(),
        sqlx::query("delete from recovery_codes where user_id = $1").bind(user.uuid())
    )?;
    for hash in hashes {
        execute!(
            tx.connection(),
            sqlx::query("insert into recovery_codes (user_id, hash) values ($1, $2)")
                .bind(user.uuid())
                .bind(hash)
        )?;
    }
    Ok(())
}
