//! The mail that is still to be sent. What a mail says is sealed; the store cannot read it.

use protocol::Timestamp;
use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Result, Store,
    columns::At,
    pool::{Tx, execute, on},
};

/// A mail to be sent.
#[derive(Clone, Debug)]
pub struct NewMail {
    /// Its id.
    pub id: Uuid,
    /// What it is about, sealed.
    pub sealed: Vec<u8>,
    /// When it was asked for.
    pub at: Timestamp,
}

/// A mail that somebody has taken to send it.
#[derive(Clone, Debug)]
pub struct DueMail {
    /// Its id.
    pub id: Uuid,
    /// What it is about, sealed.
    pub sealed: Vec<u8>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// How often it was taken, this time included.
    pub attempts: u32,
}

#[derive(FromRow)]
struct DueRow {
    id: Uuid,
    sealed: Vec<u8>,
    created_at: At,
    attempts: i32,
}

impl Store {
    /// Puts a mail among those to be sent.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn put_mail(&self, mail: &NewMail) -> Result<()> {
        let mut tx = self.begin().await?;
        insert_mail(&mut tx, mail).await?;
        tx.commit().await
    }

    /// Takes mails that are due, the longest waiting first. Until `again_at` nobody else takes them; who dies before they are
    /// sent leaves them to be taken then.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn take_mails(
        &self,
        now: Timestamp,
        again_at: Timestamp,
        at_most: u32,
    ) -> Result<Vec<DueMail>> {
        let sql = self.writer().dialect(
            "update mails set due_at = $2, attempts = attempts + 1 where id in \
             (select id from mails where due_at <= $1 order by due_at limit $3 for update skip locked) \
             returning id, sealed, created_at, attempts",
            "update mails set due_at = $2, attempts = attempts + 1 where id in \
             (select id from mails where due_at <= $1 order by due_at limit $3) \
             returning id, sealed, created_at, attempts",
        );
        let rows: Vec<DueRow> = on!(self.writer(), connection => sqlx::query_as(sql)
            .bind(At(now))
            .bind(At(again_at))
            .bind(i64::from(at_most))
            .fetch_all(connection))?;
        let due = |row: DueRow| DueMail {
            id: row.id,
            sealed: row.sealed,
            created_at: row.created_at.into(),
            attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
        };
        Ok(rows.into_iter().map(due).collect())
    }

    /// Whether a mail is due.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn has_due_mail(&self, now: Timestamp) -> Result<bool> {
        let found: Option<i32> = on!(self.reader(), connection => sqlx::query_scalar(
            "select 1 from mails where due_at <= $1 limit 1",
        )
        .bind(At(now))
        .fetch_optional(connection))?;
        Ok(found.is_some())
    }

    /// Forgets a mail that was sent, or that is of no use any more.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn forget_mail(&self, mail: Uuid) -> Result<()> {
        execute!(
            self.writer(),
            sqlx::query("delete from mails where id = $1").bind(mail)
        )?;
        Ok(())
    }

    /// Notes why a mail could not be sent, and when it is tried again. Without `due_at` it is given up, and what it said is gone.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn put_off_mail(
        &self,
        mail: Uuid,
        due_at: Option<Timestamp>,
        error: &str,
    ) -> Result<()> {
        const NOTHING: &[u8] = &[];
        execute!(
            self.writer(),
            sqlx::query(
                "update mails set due_at = $2, error = $3, \
                 sealed = case when $5 then $4 else sealed end where id = $1",
            )
            .bind(mail)
            .bind(due_at.map(At))
            .bind(error)
            .bind(NOTHING)
            .bind(due_at.is_none())
        )?;
        Ok(())
    }

    /// Forgets mails that were asked for before `before`, and tokens that ended by `now`.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn forget_mails(&self, before: Timestamp, now: Timestamp) -> Result<u64> {
        execute!(
            self.writer(),
            sqlx::query("delete from mailed_tokens where expires_at <= $1").bind(At(now))
        )?;
        execute!(
            self.writer(),
            sqlx::query("delete from mails where created_at < $1").bind(At(before))
        )
    }
}

pub(super) async fn insert_mail(tx: &mut Tx, mail: &NewMail) -> Result<()> {
    execute!(
        tx.connection(),
        sqlx::query("insert into mails (id, sealed, created_at, due_at) values ($1, $2, $3, $3)")
            .bind(mail.id)
            .bind(&mail.sealed)
            .bind(At(mail.at))
    )?;
    Ok(())
}
