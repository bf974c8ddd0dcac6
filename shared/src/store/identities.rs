//! Who is known elsewhere as whom: accounts that are found, linked or made for people whom a provider vouches for.

use protocol::{
    ErrorCode, IdentityId, Timestamp, UserId,
    accounts::Me,
    text::{DisplayName, EmailAddress, Username},
};
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Error, NewMail, NewSession, Result, Store,
    columns::At,
    mails::insert_mail,
    pool::{Tx, execute, on},
    sessions::{insert_session, open_account},
};

/// Somebody for whom a provider vouches, just now.
#[derive(Clone)]
pub struct Vouched {
    /// What the identity is named by here, should it be new.
    pub id: IdentityId,
    /// The provider's url.
    pub issuer: String,
    /// What it calls them, for ever.
    pub subject: String,
    /// What they are called there, for themselves to read.
    pub label: String,
    /// Where it says mail reaches them.
    pub email: Option<EmailAddress>,
    /// Whether it has seen that it does.
    pub is_email_verified: bool,
    /// What they are shown as, if they get an account.
    pub display_name: Option<DisplayName>,
    /// What such an account may be called, the best first.
    pub usernames: Vec<Username>,
}

/// How somebody came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entered {
    /// They were known.
    Known,
    /// Their address was that of an account, which is theirs by that.
    Linked,
    /// They got an account.
    New,
}

/// An identity as it is kept.
#[derive(Clone)]
pub struct KeptIdentity {
    /// Names it.
    pub id: IdentityId,
    /// The provider's url.
    pub issuer: String,
    /// What they were called there the last time.
    pub label: String,
    /// Since when.
    pub created_at: Timestamp,
    /// When they last came by it.
    pub used_at: Timestamp,
}

/// Most identities of one account.
const IDENTITIES_MAX: i64 = 20;

impl Store {
    /// Makes a session for whom a provider vouches for: of the account that they had before, of that which has their
    /// address, or of a new one, to whose unverified address `mail` goes. The session's user is that of a new account.
    ///
    /// # Errors
    /// `email_taken` if the address is that of an account, and not verified on both sides, or the account asks for codes;
    /// `suspended`; `username_taken` if every name is.
    pub async fn enter_by_identity(
        &self,
        vouched: &Vouched,
        session: &NewSession,
        mail: Option<&NewMail>,
    ) -> Result<(Me, NewSession, Entered)> {
        match self.enter_once(vouched, session, mail).await {
            // Another request of the same person may have been faster: then they are known now.
            Err(Error::Refused(refusal))
                if matches!(
                    refusal.code,
                    ErrorCode::IdentityTaken | ErrorCode::EmailTaken
                ) =>
            {
                self.enter_once(vouched, session, mail).await
            }
            entered => entered,
        }
    }

    async fn enter_once(
        &self,
        vouched: &Vouched,
        session: &NewSession,
        mail: Option<&NewMail>,
    ) -> Result<(Me, NewSession, Entered)> {
        let mut session = session.clone();
        let mut tx = self.begin().await?;
        let entered = if let Some(user) = used(&mut tx, vouched, session.at).await? {
            session.user = user;
            Entered::Known
        } else if let Some(user) = owner_of_address(&mut tx, vouched).await? {
            session.user = user;
            Entered::Linked
        } else {
            make(&mut tx, vouched, &session).await?;
            if let Some(mail) = mail {
                insert_mail(&mut tx, mail).await?;
            }
            Entered::New
        };
        if entered != Entered::Known {
            insert(&mut tx, vouched, session.user, session.at).await?;
        }
        let me = open_account(&mut tx, session.user).await?;
        // A closed account has no identities.
        let me = me.ok_or(ErrorCode::Suspended)?;
        insert_session(&mut tx, &session).await?;
        tx.commit().await?;
        Ok((me, session, entered))
    }

    /// Links an identity with the account of `user`; nothing is changed if it is.
    ///
    /// # Errors
    /// `identity_taken` if it is another's, `conflict` for one too many, `user_not_found` if the account is closed.
    pub async fn link_identity(
        &self,
        vouched: &Vouched,
        user: UserId,
        at: Timestamp,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        match used(&mut tx, vouched, at).await? {
            Some(known) if known == user => {}
            Some(_) => return Err(ErrorCode::IdentityTaken.into()),
            None => {
                lock_account(&mut tx, user).await?;
                if identities_of(&mut tx, user).await? >= IDENTITIES_MAX {
                    return Err(ErrorCode::Conflict.into());
                }
                insert(&mut tx, vouched, user, at).await?;
            }
        }
        tx.commit().await
    }

    /// The identities of `user`, the oldest first.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn identities(&self, user: UserId) -> Result<Vec<KeptIdentity>> {
        let rows: Vec<IdentityRow> = on!(self.reader(), pool => sqlx::query_as(
            "select id, issuer, label, created_at, used_at from identities where user_id = $1 order by created_at, id",
        )
        .bind(user.uuid())
        .fetch_all(pool))?;
        Ok(rows.into_iter().map(IdentityRow::kept).collect())
    }

    /// Forgets an identity of `user`, and answers whose word it was. Without a password, another identity of one of
    /// `issuers` must be left.
    ///
    /// # Errors
    /// `identity_not_found`; `last_way_in`.
    pub async fn unlink_identity(
        &self,
        user: UserId,
        id: IdentityId,
        issuers: &[String],
    ) -> Result<String> {
        let mut tx = self.begin().await?;
        let issuer: Option<String> = on!(tx.connection(), connection => sqlx::query_scalar(
            "delete from identities where id = $1 and user_id = $2 returning issuer",
        )
        .bind(id.uuid())
        .bind(user.uuid())
        .fetch_optional(connection))?;
        let issuer = issuer.ok_or(ErrorCode::IdentityNotFound)?;
        // Of two that are taken away at once the second finds out that it is the last.
        if !lock_account(&mut tx, user).await? {
            let left: Vec<String> = on!(tx.connection(), connection => sqlx::query_scalar(
                "select issuer from identities where user_id = $1",
            )
            .bind(user.uuid())
            .fetch_all(connection))?;
            if !left.iter().any(|left| issuers.contains(left)) {
                return Err(ErrorCode::LastWayIn.into());
            }
        }
        tx.commit().await?;
        Ok(issuer)
    }
}

/// Whose this identity is, if it is known; it is used by that.
async fn used(tx: &mut Tx, vouched: &Vouched, at: Timestamp) -> Result<Option<UserId>> {
    let user: Option<Uuid> = on!(tx.connection(), connection => sqlx::query_scalar(
        "update identities set used_at = $3, label = $4 where issuer = $1 and subject = $2 returning user_id",
    )
    .bind(&vouched.issuer)
    .bind(&vouched.subject)
    .bind(At(at))
    .bind(&vouched.label)
    .fetch_optional(connection))?;
    Ok(user.map(UserId::from_uuid))
}

#[derive(FromRow)]
struct OwnerRow {
    id: Uuid,
    is_verified: bool,
    is_suspended: bool,
    asks_for_codes: bool,
}

/// The account that has the address of whom the provider vouches for.
///
/// # Errors
/// `email_taken` if that does not show that it is theirs: either side may have taken an address on trust. Nor does it of an
/// account that asks for codes, for whoever reads the mail would come in without one.
async fn owner_of_address(tx: &mut Tx, vouched: &Vouched) -> Result<Option<UserId>> {
    let Some(email) = &vouched.email else {
        return Ok(None);
    };
    let sql = tx.connection().dialect(
        "select id, email_verified_at is not null as is_verified, suspended_at is not null as is_suspended, \
         totp_since is not null as asks_for_codes from users where email = $1 and erased_at is null for no key update",
        "select id, email_verified_at is not null as is_verified, suspended_at is not null as is_suspended, \
         totp_since is not null as asks_for_codes from users where email = $1 and erased_at is null",
    );
    let owner: Option<OwnerRow> = on!(tx.connection(), connection => sqlx::query_as(sql)
        .bind(email.as_str())
        .fetch_optional(connection))?;
    let Some(owner) = owner else { return Ok(None) };
    if !(owner.is_verified && vouched.is_email_verified) || owner.asks_for_codes {
        return Err(ErrorCode::EmailTaken.into());
    }
    if owner.is_suspended {
        return Err(ErrorCode::Suspended.into());
    }
    Ok(Some(UserId::from_uuid(owner.id)))
}

/// Makes an account without a password under the first name that nobody has.
async fn make(tx: &mut Tx, vouched: &Vouched, session: &NewSession) -> Result<()> {
    let verified_at = vouched.is_email_verified.then_some(At(session.at));
    for username in &vouched.usernames {
        let shown = vouched
            .display_name
            .as_ref()
            .map_or(username.as_str(), |name| name.as_str());
        let made = execute!(
            tx.connection(),
            sqlx::query(
                "insert into users (id, username, email, email_verified_at, display_name, display_name_folded, created_at) \
                 values ($1, $2, $3, $4, $5, $6, $7) on conflict (username) do nothing",
            )
            .bind(session.user.uuid())
            .bind(username.as_str())
            .bind(vouched.email.as_ref().map(EmailAddress::as_str))
            .bind(verified_at)
            .bind(shown)
            .bind(shown.to_lowercase())
            .bind(At(session.at))
        )
        .map_err(|error| error.or_taken("email", ErrorCode::EmailTaken))?;
        if made > 0 {
            return Ok(());
        }
    }
    Err(ErrorCode::UsernameTaken.into())
}

async fn insert(tx: &mut Tx, vouched: &Vouched, user: UserId, at: Timestamp) -> Result<()> {
    execute!(
        tx.connection(),
        sqlx::query(
            "insert into identities (id, issuer, subject, user_id, label, created_at, used_at) \
             values ($1, $2, $3, $4, $5, $6, $6)",
        )
        .bind(vouched.id.uuid())
        .bind(&vouched.issuer)
        .bind(&vouched.subject)
        .bind(user.uuid())
        .bind(&vouched.label)
        .bind(At(at))
    )
    .map_err(|error| error.or_taken("subject", ErrorCode::IdentityTaken))?;
    Ok(())
}

/// Lets nobody else change how `user` comes in, until the transaction ends; answers whether they have a password. Identities
/// are locked before it, by everybody.
async fn lock_account(tx: &mut Tx, user: UserId) -> Result<bool> {
    let sql = tx.connection().dialect(
        "select password_hash is not null from users \
         where id = $1 and suspended_at is null and erased_at is null for no key update",
        "select password_hash is not null from users \
         where id = $1 and suspended_at is null and erased_at is null",
    );
    let has_password: Option<bool> = on!(tx.connection(), connection => sqlx::query_scalar(sql)
        .bind(user.uuid())
        .fetch_optional(connection))?;
    Ok(has_password.ok_or(ErrorCode::UserNotFound)?)
}

async fn identities_of(tx: &mut Tx, user: UserId) -> Result<i64> {
    on!(tx.connection(), connection => sqlx::query_scalar(
        "select count(*) from identities where user_id = $1",
    )
    .bind(user.uuid())
    .fetch_one(connection))
}

#[derive(FromRow)]
struct IdentityRow {
    id: Uuid,
    issuer: String,
    label: String,
    created_at: At,
    used_at: At,
}

impl IdentityRow {
    fn kept(self) -> KeptIdentity {
        KeptIdentity {
            id: IdentityId::from_uuid(self.id),
            issuer: self.issuer,
            label: self.label,
            created_at: self.created_at.into(),
            used_at: self.used_at.into(),
        }
    }
}
