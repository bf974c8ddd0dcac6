//! Bots' tokens: sessions that nobody refreshes, found by the hash of what is shown, and revoked like
//! any session.

use std::time::Duration;

use protocol::{
    ErrorCode, SessionId, Timestamp, UserId,
    accounts::UserSummary,
    bots::{BotToken, NewBotToken, Scopes},
};
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    NewSession, Result, Store,
    columns::At,
    pool::{Tx, execute, on},
    sessions::{insert_session, revoke_sessions},
};
use crate::token::BearerHash;

/// A token to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Its session.
    pub session: NewSession,
    /// What is asked for.
    pub wish: NewBotToken,
    /// What is stored of it.
    pub hash: BearerHash,
}

/// Whose a token is, and what it opens.
#[derive(Clone, Debug)]
pub struct TokenOwner {
    /// The bot.
    pub user: UserSummary,
    /// The token.
    pub session: SessionId,
    /// What it opens.
    pub scopes: Scopes,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl NewToken {
    /// How long the session of a token lives that nobody gave an end: longer than any server.
    pub const FOR_GOOD: Duration = Duration::from_secs(100 * 365 * 86_400);
}

/// How many tokens one bot may have.
const TOKENS_MAX: i64 = 50;

#[derive(FromRow)]
struct TokenRow {
    id: Uuid,
    name: String,
    scopes: String,
    created_at: At,
    expires_at: Option<At>,
}

#[derive(FromRow)]
struct OwnerRow {
    id: Uuid,
    username: String,
    display_name: String,
    session_id: Uuid,
    scopes: String,
    expires_at: At,
}

impl From<TokenRow> for BotToken {
    fn from(row: TokenRow) -> Self {
        Self {
            id: SessionId::from_uuid(row.id),
            name: row.name,
            scopes: row.scopes.parse().unwrap_or_default(),
            created_at: row.created_at.into(),
            expires_at: row.expires_at.map(Timestamp::from),
        }
    }
}

impl Store {
    /// Makes a token.
    ///
    /// # Errors
    /// `conflict` if the bot has as many as one may have.
    pub async fn create_token(&self, new: &NewToken) -> Result<BotToken> {
        let mut tx = self.begin().await?;
        let standing: i64 = on!(tx.connection(), connection => sqlx::query_scalar(
            "select count(*) from bot_tokens t join sessions s on s.id = t.session_id
             where s.user_id = $1 and s.revoked_at is null and s.expires_at > $2",
        )
        .bind(new.session.user.uuid())
        .bind(At(new.session.at))
        .fetch_one(connection))?;
        if standing >= TOKENS_MAX {
            return Err(ErrorCode::Conflict.into());
        }
        insert_session(&mut tx, &new.session).await?;
        let expires_at = new.wish.expires_in_s.map(|_| new.session.expires_at);
        execute!(
            tx.connection(),
            sqlx::query(
                "insert into bot_tokens (session_id, hash, name, scopes, expires_at)
                 values ($1, $2, $3, $4, $5)",
            )
            .bind(new.session.id.uuid())
            .bind(new.hash.as_slice())
            .bind(new.wish.name.as_str())
            .bind(new.wish.scopes.to_string())
            .bind(expires_at.map(At))
        )?;
        tx.commit().await?;
        Ok(BotToken {
            id: new.session.id,
            name: new.wish.name.as_str().to_owned(),
            scopes: new.wish.scopes,
            created_at: new.session.at,
            expires_at,
        })
    }

    /// The tokens of a bot that are good, the newest first.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn tokens(&self, bot: UserId, at: Timestamp) -> Result<Vec<BotToken>> {
        let rows: Vec<TokenRow> = on!(self.reader(), pool => sqlx::query_as(
            "select s.id, t.name, t.scopes, s.created_at, t.expires_at
             from bot_tokens t join sessions s on s.id = t.session_id
             where s.user_id = $1 and s.revoked_at is null and s.expires_at > $2
             order by s.id desc",
        )
        .bind(bot.uuid())
        .bind(At(at))
        .fetch_all(pool))?;
        Ok(rows.into_iter().map(BotToken::from).collect())
    }

    /// Whose token it is of which this is stored; nothing if it is none, was revoked, has ended, or if
    /// neither bot nor owner may act.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn owner_of_token(
        &self,
        hash: &BearerHash,
        at: Timestamp,
    ) -> Result<Option<TokenOwner>> {
        let row: Option<OwnerRow> = on!(self.reader(), pool => sqlx::query_as(
            "select u.id, u.username, u.display_name, t.session_id, t.scopes, s.expires_at
             from bot_tokens t
             join sessions s on s.id = t.session_id
             join users u on u.id = s.user_id
             join users o on o.id = u.bot_owner_id
             where t.hash = $1 and s.revoked_at is null and s.expires_at > $2
                and u.suspended_at is null and u.erased_at is null
                and o.suspended_at is null and o.erased_at is null",
        )
        .bind(hash.as_slice())
        .bind(At(at))
        .fetch_optional(pool))?;
        Ok(row.map(|row| TokenOwner {
            user: UserSummary {
                id: UserId::from_uuid(row.id),
                username: row.username,
                display_name: row.display_name,
            },
            session: SessionId::from_uuid(row.session_id),
            scopes: row.scopes.parse().unwrap_or_default(),
            expires_at: row.expires_at.into(),
        }))
    }

    /// Revokes a token of `bot`.
    ///
    /// # Errors
    /// `token_not_found`.
    pub async fn revoke_token(&self, bot: UserId, token: SessionId, at: Timestamp) -> Result<()> {
        match self.revoke_session(bot, token).await {
            Err(super::Error::Refused(_)) => Err(ErrorCode::TokenNotFound.into()),
            Err(error) => Err(error),
            Ok(()) => {
                let mut tx = self.begin().await?;
                end_revoked(&mut tx, bot, at).await?;
                tx.commit().await
            }
        }
    }

    /// Revokes every token of `bot`.
    pub(super) async fn revoke_tokens(&self, bot: UserId, at: Timestamp) -> Result<Vec<SessionId>> {
        let mut tx = self.begin().await?;
        let nothing = SessionId::from_uuid(Uuid::nil());
        let revoked = revoke_sessions(&mut tx, bot, nothing).await?;
        end_revoked(&mut tx, bot, at).await?;
        tx.commit().await?;
        Ok(revoked)
    }
}

/// Lets what was revoked be forgotten in time, and not with the end that nobody will see.
async fn end_revoked(tx: &mut Tx, bot: UserId, at: Timestamp) -> Result<()> {
    execute!(
        tx.connection(),
        sqlx::query(
            "update sessions set expires_at = $2
             where user_id = $1 and revoked_at is not null and expires_at > $2",
        )
        .bind(bot.uuid())
        .bind(At(at))
    )?;
    Ok(())
}
