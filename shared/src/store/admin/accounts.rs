//! Accounts as server admins see them: found, suspended, and made server admins.

use protocol::{
    ErrorCode, SessionId, Timestamp, UserId,
    admin::{Account, AccountList, ChangeAccount, FindAccounts},
};
use sqlx::FromRow;
use uuid::Uuid;

use crate::store::{
    Result, Store,
    accounts::beginning,
    columns::At,
    cursor,
    events::count,
    pool::{Tx, execute, on},
    sessions::revoke_sessions,
};

/// Selects accounts at the moment `$1`, of which the settings make those named in `$2` server admins: their
/// usernames, each between commas. What follows is given.
macro_rules! select_accounts {
    ($tail:literal) => {
        concat!(
            "select u.id, u.username, u.email, u.display_name, u.bio, u.status, u.created_at, u.admin,
                replace($2, ',' || u.username || ',', '') <> $2 as admin_by_settings,
                u.suspended_at, u.suspended_reason, u.erased_at,
                (
                    select count(*) from sessions s
                    where s.user_id = u.id and s.revoked_at is null and s.expires_at > $1
                ) as sessions,
                (select max(s.rotated_at) from sessions s where s.user_id = u.id) as last_seen_at,
                (
                    select count(*) from members m join rooms r on r.id = m.room_id
                    where m.user_id = u.id and r.deleted_at is null
                ) as rooms,
                (
                    select count(*) from members m join rooms r on r.id = m.room_id
                    where m.user_id = u.id and r.deleted_at is null and m.role = 'owner'
                ) as owned_rooms
             from users u ",
            $tail
        )
    };
}

/// An account that is to be changed.
#[derive(Clone, Debug)]
pub struct AccountChange<'a> {
    /// Whose it is.
    pub user: UserId,
    /// What is to be so.
    pub wish: &'a ChangeAccount,
    /// Who else is server admin, whatever the store says: by username.
    pub admins: &'a [String],
    /// When.
    pub at: Timestamp,
}

impl Store {
    /// Whether the store makes somebody a server admin.
    ///
    /// # Errors
    /// [`crate::store::Error::Unavailable`].
    pub async fn is_admin(&self, user: UserId) -> Result<bool> {
        let admin: Option<bool> = on!(self.reader(), pool => sqlx::query_scalar(
            "select admin from users where id = $1 and suspended_at is null and erased_at is null",
        ).bind(user.uuid()).fetch_optional(pool))?;
        Ok(admin.unwrap_or_default())
    }

    /// A page of accounts, by username, erased ones too. `admins` are those whom the settings make server
    /// admins.
    ///
    /// # Errors
    /// `validation_failed` for a cursor that no page ended with.
    pub async fn accounts(
        &self,
        find: &FindAccounts,
        admins: &[String],
        now: Timestamp,
    ) -> Result<AccountList> {
        let after: Option<Cursor> = find.cursor.as_deref().map(cursor::read).transpose()?;
        let mut rows: Vec<AccountRow> = on!(self.reader(), pool => sqlx::query_as(select_accounts!(
            "where ($3 is null or u.username > $3)
                and (
                    u.username like $4 escape '!' or u.display_name_folded like $4 escape '!'
                    or u.email like $4 escape '!'
                )
                and ($5 is null or (u.suspended_at is not null) = $5)
                and ($6 is null or (u.admin or replace($2, ',' || u.username || ',', '') <> $2) = $6)
             order by u.username limit $7"
        ))
        .bind(At(now))
        .bind(between_commas(admins))
        .bind(after.as_ref().map(|after| after.username.as_str()))
        .bind(beginning(&find.query))
        .bind(find.suspended)
        .bind(find.admin)
        .bind(i64::from(find.limit) + 1)
        .fetch_all(pool))?;
        let next_cursor = cursor::page(&mut rows, find.limit, |row| Cursor {
            username: row.username.clone(),
        });
        Ok(AccountList {
            users: rows.into_iter().map(AccountRow::account).collect(),
            next_cursor,
        })
    }

    /// One account.
    ///
    /// # Errors
    /// `user_not_found`.
    pub async fn account(
        &self,
        user: UserId,
        admins: &[String],
        now: Timestamp,
    ) -> Result<Account> {
        self.account_where(Some(user), "", admins, now).await
    }

    /// The account of a username.
    ///
    /// # Errors
    /// `user_not_found`.
    pub async fn account_named(
        &self,
        username: &str,
        admins: &[String],
        now: Timestamp,
    ) -> Result<Account> {
        self.account_where(None, username, admins, now).await
    }

    async fn account_where(
        &self,
        user: Option<UserId>,
        username: &str,
        admins: &[String],
        now: Timestamp,
    ) -> Result<Account> {
        let row: Option<AccountRow> = on!(self.reader(), pool => sqlx::query_as(select_accounts!(
            "where u.id = $3 or u.username = $4"
        ))
        .bind(At(now))
        .bind(between_commas(admins))
        .bind(user.map(UserId::uuid))
        .bind(username)
        .fetch_optional(pool))?;
        Ok(row.ok_or(ErrorCode::UserNotFound)?.account())
    }

    /// Changes an account, and answers the sessions that were revoked by it: all of who is suspended.
    ///
    /// # Errors
    /// `user_not_found`, or `last_admin` if there would be no server admin any more.
    pub async fn administer_account(&self, change: &AccountChange<'_>) -> Result<Vec<SessionId>> {
        let wish = change.wish;
        let mut tx = self.begin().await?;
        let takes_rights = wish.suspended == Some(true) || wish.admin == Some(false);
        if takes_rights && !others_are_admins(&mut tx, change).await? {
            return Err(ErrorCode::LastAdmin.into());
        }
        let reason = wish.suspended_reason.as_ref();
        let display_name = wish.display_name.as_ref();
        let chosen = display_name
            .and_then(Option::as_ref)
            .map(protocol::text::DisplayName::as_str);
        let changed = execute!(
            tx.connection(),
            sqlx::query(
                "update users set
                    suspended_at = case when $2 then coalesce(suspended_at, $4) when $3 then null else suspended_at end,
                    suspended_reason = case when $3 then null when $5 then $6 else suspended_reason end,
                    admin = coalesce($7, admin),
                    display_name = case when $8 then coalesce($9, username) else display_name end,
                    display_name_folded = case when $8 then coalesce($10, username) else display_name_folded end
                 where id = $1 and erased_at is null",
            )
            .bind(change.user.uuid())
            .bind(wish.suspended == Some(true))
            .bind(wish.suspended == Some(false))
            .bind(At(change.at))
            .bind(reason.is_some())
            .bind(reason.and_then(Option::as_ref).map(protocol::text::Reason::as_str))
            .bind(wish.admin)
            .bind(display_name.is_some())
            .bind(chosen)
            .bind(chosen.map(str::to_lowercase))
        )?;
        if changed == 0 {
            return Err(ErrorCode::UserNotFound.into());
        }
        let revoked = if wish.suspended == Some(true) {
            // No session has this id: all of them are revoked.
            revoke_sessions(&mut tx, change.user, SessionId::from_uuid(Uuid::nil())).await?
        } else {
            Vec::new()
        };
        tx.commit().await?;
        Ok(revoked)
    }
}

/// Whether there is a server admin beside the one who is to be none. Those who are, are locked: of two who take
/// each other's rights at once the second finds nobody left.
async fn others_are_admins(tx: &mut Tx, change: &AccountChange<'_>) -> Result<bool> {
    let sql = tx.connection().dialect(
        "select id from users
         where (admin or replace($1, ',' || username || ',', '') <> $1)
            and suspended_at is null and erased_at is null
         order by id for update",
        "select id from users
         where (admin or replace($1, ',' || username || ',', '') <> $1)
            and suspended_at is null and erased_at is null",
    );
    let admins: Vec<Uuid> = on!(tx.connection(), connection => sqlx::query_scalar(sql)
        .bind(between_commas(change.admins))
        .fetch_all(connection))?;
    // Whose rights come from the settings keeps them.
    let keeps = change.wish.suspended != Some(true);
    let named: Option<Uuid> = on!(tx.connection(), connection => sqlx::query_scalar(
        "select id from users where id = $1 and replace($2, ',' || username || ',', '') <> $2",
    )
    .bind(change.user.uuid())
    .bind(between_commas(change.admins))
    .fetch_optional(connection))?;
    let is_one = admins.contains(&change.user.uuid());
    Ok(!is_one || (keeps && named.is_some()) || admins.len() > 1)
}

/// What a username between commas is looked for in: no username has one.
fn between_commas(usernames: &[String]) -> String {
    format!(",{},", usernames.join(",,"))
}

/// Where a page of accounts ended.
#[derive(serde::Serialize, serde::Deserialize)]
struct Cursor {
    #[serde(deserialize_with = "cursor::name")]
    username: String,
}

#[derive(FromRow)]
struct AccountRow {
    id: Uuid,
    username: String,
    email: Option<String>,
    display_name: String,
    bio: String,
    status: String,
    created_at: At,
    admin: bool,
    admin_by_settings: bool,
    suspended_at: Option<At>,
    suspended_reason: Option<String>,
    erased_at: Option<At>,
    sessions: i64,
    last_seen_at: Option<At>,
    rooms: i64,
    owned_rooms: i64,
}

impl AccountRow {
    fn account(self) -> Account {
        Account {
            id: UserId::from_uuid(self.id),
            username: self.username,
            display_name: self.display_name,
            email: self.email,
            bio: self.bio,
            status: self.status,
            created_at: self.created_at.0,
            admin: self.admin || self.admin_by_settings,
            admin_by_settings: self.admin_by_settings,
            suspended_at: self.suspended_at.map(Timestamp::from),
            suspended_reason: self.suspended_reason,
            erased_at: self.erased_at.map(Timestamp::from),
            sessions: count(self.sessions),
            rooms: count(self.rooms),
            owned_rooms: count(self.owned_rooms),
            last_seen_at: self.last_seen_at.map(Timestamp::from),
        }
    }
}
