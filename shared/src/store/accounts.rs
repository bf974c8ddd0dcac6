//! Accounts: who there is, how they prove it, what they say about themselves.

use protocol::{
    ErrorCode, SessionId, Timestamp, UserId,
    accounts::{ChangeProfile, FindUsers, LoginName, Me, User, UserSummary},
};
use sqlx::FromRow;

use super::{
    MailedFor, NewMail, NewSession, Result, SealedTotp, Store,
    columns::At,
    mailed_tokens::forget_tokens,
    mails::insert_mail,
    pool::{Tx, on},
    sessions::{insert_session, revoke_sessions},
};

/// An account to be made.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Its id.
    pub id: UserId,
    /// Its unique name.
    pub username: String,
    /// Its unique address.
    pub email: String,
    /// What it is shown as.
    pub display_name: String,
    /// A PHC string.
    pub password_hash: String,
    /// When it is made.
    pub at: Timestamp,
}

/// What a login is checked against. Shows no hash when printed.
#[derive(Clone)]
pub struct Credentials {
    /// The account.
    pub user: UserSummary,
    /// A PHC string; `None` for who cannot log in by password.
    pub password_hash: Option<String>,
    /// Whether a server admin keeps them out.
    pub is_suspended: bool,
    /// The authenticator whose codes a login asks for.
    pub totp: Option<SealedTotp>,
}

/// Another address for an account.
#[derive(Clone)]
pub struct ChangeEmail {
    /// The hash that the password was checked against; none if there was no password.
    pub seen: Option<String>,
    /// The address.
    pub email: String,
    /// What is written about it, to whom.
    pub mails: Vec<NewMail>,
}

#[derive(FromRow)]
struct CredentialsRow {
    id: uuid::Uuid,
    username: String,
    display_name: String,
    password_hash: Option<String>,
    is_suspended: bool,
    totp: Option<Vec<u8>>,
}

#[derive(FromRow)]
pub(super) struct UserRow {
    id: uuid::Uuid,
    username: String,
    email: Option<String>,
    display_name: String,
    bio: String,
    status: String,
    admin: bool,
    shows_reads: bool,
    created_at: At,
    /// Read where others see the account.
    #[sqlx(default)]
    bot: bool,
    /// Read, like the next two, where the account is shown to its owner.
    #[sqlx(default)]
    email_verified: bool,
    #[sqlx(default)]
    has_password: bool,
    #[sqlx(default)]
    totp: bool,
}

impl UserRow {
    /// Whether a login by password needs a code, too.
    pub(super) const fn asks_for_codes(&self) -> bool {
        self.totp
    }
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self {
            id: UserId::from_uuid(row.id),
            username: row.username,
            display_name: row.display_name,
            bio: row.bio,
            status: row.status,
            created_at: row.created_at.into(),
            bot: row.bot,
            presence: None,
        }
    }
}

impl From<UserRow> for Me {
    fn from(mut row: UserRow) -> Self {
        let email = row.email.take().unwrap_or_default();
        Self {
            admin: row.admin,
            shows_reads: row.shows_reads,
            email_verified: row.email_verified,
            has_password: row.has_password,
            totp: row.totp,
            email,
            user: row.into(),
        }
    }
}

impl Store {
    /// Makes an account and its first session.
    ///
    /// # Errors
    /// `username_taken` or `email_taken`; nothing is made then.
    pub async fn create_account(&self, account: &NewAccount, session: &NewSession) -> Result<Me> {
        self.create_account_and_write(account, session, None).await
    }

    /// The same, with a mail to its address.
    ///
    /// # Errors
    /// As [`Store::create_account`].
    pub async fn create_account_and_write(
        &self,
        account: &NewAccount,
        session: &NewSession,
        mail: Option<&NewMail>,
    ) -> Result<Me> {
        let mut tx = self.begin().await?;
        let row: UserRow = on!(tx.connection(), connection => sqlx::query_as(
            "insert into users (id, username, email, display_name, display_name_folded, password_hash, created_at) \
             values ($1, $2, $3, $4, $5, $6, $7) \
             returning id, username, email, display_name, bio, status, admin, shows_reads, created_at, \
             email_verified_at is not null as email_verified, password_hash is not null as has_password, \
             totp_since is not null as totp",
        )
        .bind(account.id.uuid())
        .bind(&account.username)
        .bind(&account.email)
        .bind(&account.display_name)
        .bind(account.display_name.to_lowercase())
        .bind(&account.password_hash)
        .bind(At(account.at))
        .fetch_one(connection))
        .map_err(|error| {
            error
                .or_taken("username", ErrorCode::UsernameTaken)
                .or_taken("email", ErrorCode::EmailTaken)
        })?;
        insert_session(&mut tx, session).await?;
        if let Some(mail) = mail {
            insert_mail(&mut tx, mail).await?;
        }
        tx.commit().await?;
        Ok(row.into())
    }

    /// What a login under this name is checked against; `None` if nobody may log in under it.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn credentials(&self, login: &LoginName) -> Result<Option<Credentials>> {
        let (username, email) = match login {
            LoginName::Username(username) => (username.as_str(), ""),
            LoginName::Email(email) => ("", email.as_str()),
            LoginName::Nobody => ("", ""),
        };
        let row: Option<CredentialsRow> = on!(self.reader(), connection => sqlx::query_as(
            "select id, username, display_name, password_hash, suspended_at is not null as is_suspended, \
             case when totp_since is not null then totp_secret end as totp from users \
             where (username = $1 or email = $2) and erased_at is null",
        )
        .bind(username)
        .bind(email)
        .fetch_optional(connection))?;
        Ok(row.map(Credentials::from))
    }

    /// What the password of `user` is checked against.
    ///
    /// # Errors
    /// `user_not_found`.
    pub async fn credentials_of(&self, user: UserId) -> Result<Credentials> {
        let row: Option<CredentialsRow> = on!(self.reader(), connection => sqlx::query_as(
            "select id, username, display_name, password_hash, suspended_at is not null as is_suspended, \
             case when totp_since is not null then totp_secret end as totp from users \
             where id = $1 and suspended_at is null and erased_at is null",
        )
        .bind(user.uuid())
        .fetch_optional(connection))?;
        Ok(row.map(Credentials::from).ok_or(ErrorCode::UserNotFound)?)
    }

    /// A user as they see themselves.
    ///
    /// # Errors
    /// `user_not_found`.
    pub async fn me(&self, user: UserId) -> Result<Me> {
        self.user_row(user).await.map(Me::from)
    }

    /// A user as others see them.
    ///
    /// # Errors
    /// `user_not_found`.
    pub async fn user(&self, user: UserId) -> Result<User> {
        self.user_row(user).await.map(User::from)
    }

    async fn user_row(&self, user: UserId) -> Result<UserRow> {
        let row: Option<UserRow> = on!(self.reader(), connection => sqlx::query_as(
            "select id, username, email, display_name, bio, status, admin, shows_reads, created_at, bot, \
             email_verified_at is not null as email_verified, password_hash is not null as has_password, \
             totp_since is not null as totp \
             from users where id = $1 and erased_at is null",
        )
        .bind(user.uuid())
        .fetch_optional(connection))?;
        Ok(row.ok_or(ErrorCode::UserNotFound)?)
    }

    /// Everybody who is in a room with `user`, of those rooms that have at most so many members; ten thousand people
    /// at most.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn acquaintances(&self, user: UserId, most_members: u32) -> Result<Vec<UserId>> {
        let people: Vec<uuid::Uuid> = on!(self.reader(), connection => sqlx::query_scalar(
            "select distinct m.user_id \
             from members own \
             join rooms r on r.id = own.room_id and r.member_count <= $2 and r.deleted_at is null \
             join members m on m.room_id = r.id \
             where own.user_id = $1 limit 10000",
        )
        .bind(user.uuid())
        .bind(i64::from(most_members))
        .fetch_all(connection))?;
        Ok(people.into_iter().map(UserId::from_uuid).collect())
    }

    /// The users whose username or display name begins so, by username.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn find_users(&self, find: &FindUsers) -> Result<Vec<User>> {
        let rows: Vec<UserRow> = on!(self.reader(), connection => sqlx::query_as(
            "select id, username, email, display_name, bio, status, admin, shows_reads, created_at, bot from users \
             where (username like $1 escape '!' or display_name_folded like $1 escape '!') \
             and suspended_at is null and erased_at is null \
             order by username limit $2",
        )
        .bind(beginning(&find.query))
        .bind(i64::from(find.limit))
        .fetch_all(connection))?;
        Ok(rows.into_iter().map(User::from).collect())
    }

    /// Changes what a user says about themselves; what is `None` stays.
    ///
    /// # Errors
    /// `user_not_found`.
    pub async fn change_profile(&self, user: UserId, change: &ChangeProfile) -> Result<Me> {
        self.change_account(user, change, None).await
    }

    /// The same, and another address with it.
    ///
    /// # Errors
    /// `user_not_found`; `email_taken`; `conflict` if the password is no longer the one that was checked.
    pub async fn change_account(
        &self,
        user: UserId,
        change: &ChangeProfile,
        email: Option<&ChangeEmail>,
    ) -> Result<Me> {
        let mut tx = self.begin().await?;
        if let Some(email) = email {
            change_email(&mut tx, user, email).await?;
        }
        let display_name = change.display_name.as_ref();
        let chosen = display_name
            .and_then(Option::as_ref)
            .map(protocol::text::DisplayName::as_str);
        let row: Option<UserRow> = on!(tx.connection(), connection => sqlx::query_as(
            "update users set \
             display_name = case when $2 then coalesce($3, username) else display_name end, \
             display_name_folded = case when $2 then coalesce($4, username) else display_name_folded end, \
             bio = coalesce($5, bio), status = coalesce($6, status), \
             shows_reads = coalesce($7, shows_reads) \
             where id = $1 and erased_at is null \
             returning id, username, email, display_name, bio, status, admin, shows_reads, created_at, \
             email_verified_at is not null as email_verified, password_hash is not null as has_password, \
             totp_since is not null as totp",
        )
        .bind(user.uuid())
        .bind(display_name.is_some())
        .bind(chosen)
        .bind(chosen.map(str::to_lowercase))
        .bind(change.bio.as_deref())
        .bind(change.status.as_deref())
        .bind(change.shows_reads)
        .fetch_optional(connection))?;
        let row = row.ok_or(ErrorCode::UserNotFound)?;
        tx.commit().await?;
        Ok(row.into())
    }

    /// Changes a password and revokes every session but `keep`; answers those that it revoked.
    /// `seen` is the hash that the old password was checked against: if another change came between,
    /// this one is refused.
    ///
    /// # Errors
    /// `conflict` if the password is no longer the one that was checked.
    pub async fn change_password(
        &self,
        user: UserId,
        seen: &str,
        new_hash: &str,
        keep: SessionId,
    ) -> Result<Vec<SessionId>> {
        let mut tx = self.begin().await?;
        let changed = on!(tx.connection(), connection => sqlx::query_scalar::<_, uuid::Uuid>(
            "update users set password_hash = $3 where id = $1 and password_hash = $2 and erased_at is null \
             returning id",
        )
        .bind(user.uuid())
        .bind(seen)
        .bind(new_hash)
        .fetch_optional(connection))?;
        if changed.is_none() {
            return Err(ErrorCode::Conflict.into());
        }
        forget_tokens(&mut tx, user, Some(MailedFor::Reset)).await?;
        let revoked = revoke_sessions(&mut tx, user, keep).await?;
        tx.commit().await?;
        Ok(revoked)
    }
}

/// Whoever has the old address gets no more by it.
async fn change_email(tx: &mut Tx, user: UserId, change: &ChangeEmail) -> Result<()> {
    let changed = on!(tx.connection(), connection => sqlx::query_scalar::<_, uuid::Uuid>(
        "update users set email = $3, email_verified_at = null \
         where id = $1 and (password_hash = $2 or (password_hash is null and $2 is null)) and erased_at is null \
         returning id",
    )
    .bind(user.uuid())
    .bind(change.seen.as_deref())
    .bind(&change.email)
    .fetch_optional(connection))
    .map_err(|error| error.or_taken("email", ErrorCode::EmailTaken))?;
    if changed.is_none() {
        return Err(ErrorCode::Conflict.into());
    }
    forget_tokens(tx, user, None).await?;
    for mail in &change.mails {
        insert_mail(tx, mail).await?;
    }
    Ok(())
}

impl From<CredentialsRow> for Credentials {
    fn from(row: CredentialsRow) -> Self {
        let user = UserSummary {
            id: UserId::from_uuid(row.id),
            username: row.username,
            display_name: row.display_name,
        };
        Self {
            user,
            password_hash: row.password_hash,
            is_suspended: row.is_suspended,
            totp: row.totp.map(|sealed| SealedTotp {
                sealed,
                is_on: true,
            }),
        }
    }
}

/// What matches text that begins with `query`, its own wildcards taken as they are.
pub(super) fn beginning(query: &str) -> String {
    let mut pattern = String::with_capacity(query.len() + 1);
    for character in query.chars() {
        if matches!(character, '!' | '%' | '_') {
            pattern.push('!');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}
