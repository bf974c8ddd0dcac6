//! What the links of mails prove: that an address is its account's, and that a forgotten password may be replaced.

use protocol::{ErrorCode, SessionId, Timestamp, UserId, accounts::LoginName};
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Error, Result, Store,
    columns::At,
    pool::{Tx, execute, on},
    sessions::revoke_every_session,
};
use crate::token::bearer::BearerHash;

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailedFor {
    /// Showing that mail to the address arrives.
    Verify,
    /// Choosing a new password.
    Reset,
    /// The same, by a link that a server admin hands over: it shows nothing of mail.
    Handed,
}

impl MailedFor {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Reset => "reset",
            Self::Handed => "handed",
        }
    }
}

/// Who is written to.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// The account.
    pub user: UserId,
    /// What it is called.
    pub username: String,
    /// Where mail reaches it.
    pub email: String,
    /// Whether that was shown before.
    pub is_verified: bool,
}

#[derive(FromRow)]
struct RecipientRow {
    id: Uuid,
    username: String,
    email: String,
    is_verified: bool,
}

impl From<RecipientRow> for Recipient {
    fn from(row: RecipientRow) -> Self {
        Self {
            user: UserId::from_uuid(row.id),
            username: row.username,
            email: row.email,
            is_verified: row.is_verified,
        }
    }
}

impl Store {
    /// Who is written to when somebody forgot the password of `login`; nobody, if it is no open account with an address.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn recipient_of(&self, login: &LoginName) -> Result<Option<Recipient>> {
        let (username, email) = match login {
            LoginName::Username(username) => (username.as_str(), ""),
            LoginName::Email(email) => ("", email.as_str()),
            LoginName::Nobody => return Ok(None),
        };
        let row: Option<RecipientRow> = on!(self.reader(), connection => sqlx::query_as(
            "select id, username, email, email_verified_at is not null as is_verified from users \
             where (username = $1 or email = $2) and email is not null \
             and suspended_at is null and erased_at is null and not bot",
        )
        .bind(username)
        .bind(email)
        .fetch_optional(connection))?;
        Ok(row.map(Recipient::from))
    }

    /// How `user` is written to; not at all, if the account is closed or has no address.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn recipient(&self, user: UserId) -> Result<Option<Recipient>> {
        let row: Option<RecipientRow> = on!(self.reader(), connection => sqlx::query_as(
            "select id, username, email, email_verified_at is not null as is_verified from users \
             where id = $1 and email is not null and suspended_at is null and erased_at is null and not bot",
        )
        .bind(user.uuid())
        .fetch_optional(connection))?;
        Ok(row.map(Recipient::from))
    }

    /// Keeps the hash of a token that is about to be mailed. Mailed again, it lives anew.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn keep_mailed_token(
        &self,
        hash: &BearerHash,
        to: &Recipient,
        purpose: MailedFor,
        expires_at: Timestamp,
    ) -> Result<()> {
        execute!(
            self.writer(),
            sqlx::query(
                "insert into mailed_tokens (hash, user_id, purpose, email, expires_at) values ($1, $2, $3, $4, $5) \
                 on conflict (hash) do update set expires_at = excluded.expires_at",
            )
            .bind(hash.as_slice())
            .bind(to.user.uuid())
            .bind(purpose.as_str())
            .bind(&to.email)
            .bind(At(expires_at))
        )?;
        Ok(())
    }

    /// Uses up a token, and marks the address that it was sent to as verified.
    ///
    /// # Errors
    /// `link_not_found` if it is used, expired, or of an address that the account no longer has.
    pub async fn verify_email(&self, token: &BearerHash, now: Timestamp) -> Result<UserId> {
        let mut tx = self.begin().await?;
        let (user, email) = use_up(&mut tx, token, MailedFor::Verify, now).await?;
        let verified: Option<Uuid> = on!(tx.connection(), connection => sqlx::query_scalar(
            "update users set email_verified_at = $3 where id = $1 and email = $2 \
             and suspended_at is null and erased_at is null returning id",
        )
        .bind(user.uuid())
        .bind(&email)
        .bind(At(now))
        .fetch_optional(connection))?;
        verified.ok_or(ErrorCode::LinkNotFound)?;
        forget_tokens(&mut tx, user, Some(MailedFor::Verify)).await?;
        tx.commit().await?;
        Ok(user)
    }

    /// Uses up a token, replaces the password, revokes every session and answers those. If mail arrived, the address is
    /// verified by it.
    ///
    /// # Errors
    /// As [`Store::verify_email`].
    pub async fn reset_password(
        &self,
        token: &BearerHash,
        new_hash: &str,
        now: Timestamp,
    ) -> Result<(UserId, Vec<SessionId>)> {
        let mut tx = self.begin().await?;
        let mailed = use_up(&mut tx, token, MailedFor::Reset, now).await;
        let is_mailed = mailed.is_ok();
        let (user, email) = match mailed {
            Err(Error::Refused(_)) => use_up(&mut tx, token, MailedFor::Handed, now).await?,
            mailed => mailed?,
        };
        let changed: Option<Uuid> = on!(tx.connection(), connection => sqlx::query_scalar(
            "update users set password_hash = $3, \
             email_verified_at = case when $5 then coalesce(email_verified_at, $4) else email_verified_at end \
             where id = $1 and email = $2 and suspended_at is null and erased_at is null returning id",
        )
        .bind(user.uuid())
        .bind(&email)
        .bind(new_hash)
        .bind(At(now))
        .bind(is_mailed)
        .fetch_optional(connection))?;
        changed.ok_or(ErrorCode::LinkNotFound)?;
        forget_tokens(&mut tx, user, None).await?;
        let revoked = revoke_every_session(&mut tx, user).await?;
        tx.commit().await?;
        Ok((user, revoked))
    }

    /// Takes a password away, and keeps the hash of a token by which its owner chooses another: it is handed to them by
    /// who took it. Every session is revoked, and answered.
    ///
    /// # Errors
    /// `user_not_found`, also of who has no address, or is suspended.
    pub async fn take_password(
        &self,
        user: UserId,
        token: &BearerHash,
        expires_at: Timestamp,
    ) -> Result<Vec<SessionId>> {
        let mut tx = self.begin().await?;
        let email: Option<String> = on!(tx.connection(), connection => sqlx::query_scalar(
            "update users set password_hash = null where id = $1 and email is not null \
             and suspended_at is null and erased_at is null returning email",
        )
        .bind(user.uuid())
        .fetch_optional(connection))?;
        let email = email.ok_or(ErrorCode::UserNotFound)?;
        for earlier in [MailedFor::Reset, MailedFor::Handed] {
            forget_tokens(&mut tx, user, Some(earlier)).await?;
        }
        execute!(
            tx.connection(),
            sqlx::query(
                "insert into mailed_tokens (hash, user_id, purpose, email, expires_at) values ($1, $2, $3, $4, $5)",
            )
            .bind(token.as_slice())
            .bind(user.uuid())
            .bind(MailedFor::Handed.as_str())
            .bind(&email)
            .bind(At(expires_at))
        )?;
        let revoked = revoke_every_session(&mut tx, user).await?;
        tx.commit().await?;
        Ok(revoked)
    }
}

async fn use_up(
    tx: &mut Tx,
    token: &BearerHash,
    purpose: MailedFor,
    now: Timestamp,
) -> Result<(UserId, String)> {
    let used: Option<(Uuid, String)> = on!(tx.connection(), connection => sqlx::query_as(
        "delete from mailed_tokens where hash = $1 and purpose = $2 and expires_at > $3 returning user_id, email",
    )
    .bind(token.as_slice())
    .bind(purpose.as_str())
    .bind(At(now))
    .fetch_optional(connection))?;
    let (user, email) = used.ok_or(ErrorCode::LinkNotFound)?;
    Ok((UserId::from_uuid(user), email))
}

/// Forgets what was mailed to `user` for a purpose, or for any.
pub(super) async fn forget_tokens(
    tx: &mut Tx,
    user: UserId,
    purpose: Option<MailedFor>,
) -> Result<()> {
    execute!(
        tx.connection(),
        sqlx::query("delete from mailed_tokens where user_id = $1 and ($2 = '' or purpose = $2)")
            .bind(user.uuid())
            .bind(purpose.map_or("", MailedFor::as_str))
    )?;
    Ok(())
}
