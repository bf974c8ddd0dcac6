//! What must survive: accounts, rooms and the log of each room, on PostgreSQL or SQLite. It is the
//! only module that speaks SQL; it decides nothing about passwords, rates or who is online.
//!
//! One method is one intent and one transaction. A statement that serves both engines is written once
//! with `on!`; where the dialects differ the two stand side by side in one file.

pub(crate) mod columns;
pub(crate) mod pool;

mod accounts;
mod admin;
mod append;
mod audit;
mod belongings;
mod blocks;
mod bot_tokens;
mod bots;
mod change;
mod cursor;
mod deliveries;
mod deleted;
mod direct;
mod edits;
mod event_row;
mod events;
mod files;
mod history;
mod hooks;
mod identities;
mod invites;
mod keys;
mod leaving;
mod listing;
mod mailed_tokens;
mod mails;
mod members;
mod mentions;
mod message_row;
mod moderation;
mod nodes;
mod pins;
mod reactions;
mod reads;
mod resume;
mod receipts;
mod reports;
mod room_row;
mod rooms;
mod search;
mod sessions;
mod webhooks;
mod totp;

#[cfg(test)]
mod plans;

use std::time::Duration;

use protocol::ErrorCode;
use sqlx::{
    PgPool, SqlitePool,
    migrate::{MigrateError, Migrator},
};

use crate::{Refusal, nudges::Nudges};
use pool::{On, Pool, Tx, on};

pub use accounts::{ChangeEmail, Credentials, NewAccount};
pub use admin::AccountChange;
pub use append::{Append, Appended, Place};
pub use audit::NewAuditEntry;
pub use belongings::{OwnFile, Reaction, Walk};
pub use bot_tokens::{NewToken, TokenOwner};
pub use bots::NewBotAccount;
pub use deleted::As;
pub use deliveries::{Lease, Pending, Step};
pub use direct::{Direct, NewDirect};
pub use events::{Access, Head};
pub use files::{NewFile, ReadableFile};
pub use hooks::{HookSpeaker, NewHookRow};
pub use identities::{Entered, KeptIdentity, Vouched};
pub use leaving::Leaving;
pub use mailed_tokens::{MailedFor, Recipient};
pub use mails::{DueMail, NewMail};
pub use members::{Door, Entry, Joined, Members};
pub use reactions::Marked;
pub use reads::ReadMark;
pub use reports::{OpenReports, Reporting};
pub use resume::{Resume, ResumeFrom};
pub use rooms::NewRoom;
pub use sessions::{Grant, NewSession, REPEAT_WITHIN, RevokedSince, Rotate, Rotation};
pub use totp::{Proof, SealedTotp};
pub use webhooks::{NewWebhookRow, WebhookChanges, Webhooks};

/// What must survive. Cloning gives the same store.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    nudges: Nudges,
}

/// How a store is reached.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Most connections at once; of SQLite, most readers beside the one writer.
    pub max_connections: u32,
    /// How long a statement waits for a free connection.
    pub acquire_timeout: Duration,
    /// How long a connection that worked is taken to work: to ask it first is a round trip before each statement.
    /// One that broke meanwhile fails what is asked of it.
    pub trusted_for: Duration,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            max_connections: 16,
            acquire_timeout: Duration::from_secs(3),
            trusted_for: Duration::from_millis(500),
        }
    }
}

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// PostgreSQL 15 or later.
    Postgres,
    /// SQLite, in a file of this process.
    Sqlite,
}

static POSTGRES: Migrator = sqlx::migrate!("../migrations/postgres");
static SQLITE: Migrator = sqlx::migrate!("../migrations/sqlite");

impl Store {
    /// Opens `url`: a `sqlite:` file is created if it is not there; of `postgres:` nothing is asked
    /// before the first statement.
    ///
    /// # Errors
    /// When the url cannot be read or the file cannot be opened.
    pub async fn connect(url: &str, options: &StoreOptions) -> Result<Self> {
        Ok(Self {
            pool: Pool::connect(url, options).await?,
            nudges: Nudges::default(),
        })
    }

    /// Brings the schema up to date. Several nodes may do it at once: they wait for each other.
    ///
    /// # Errors
    /// When the database cannot be reached, or has a schema of a later version.
    pub async fn migrate(&self) -> Result<(), MigrateError> {
        match self.writer() {
            On::Postgres(pool) => POSTGRES.run(pool).await,
            On::Sqlite(pool) => SQLITE.run(pool).await,
        }
    }

    /// Asks for a sign of life.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn check(&self) -> Result<()> {
        on!(self.writer(), pool => sqlx::query_scalar::<_, i32>("select 1").fetch_one(pool))?;
        Ok(())
    }

    /// Which database it is.
    pub const fn engine(&self) -> Engine {
        match self.pool {
            Pool::Postgres(_) => Engine::Postgres,
            Pool::Sqlite { .. } => Engine::Sqlite,
        }
    }

    /// Where is heard that something was written through this store.
    pub const fn nudges(&self) -> &Nudges {
        &self.nudges
    }

    /// Lets statements under way end, and takes no more.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Where a statement that changes nothing goes.
    const fn reader(&self) -> On<&PgPool, &SqlitePool> {
        self.pool.reader()
    }

    /// Where a single statement that changes something goes.
    const fn writer(&self) -> On<&PgPool, &SqlitePool> {
        self.pool.writer()
    }

    /// Begins a transaction that may write. Dropped before its commit it is rolled back.
    async fn begin(&self) -> Result<Tx> {
        Ok(self.pool.begin().await?.nudging(self.nudges.clone()))
    }
}

/// What a store answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a store did not do something. Nothing was changed then, with one exception: when the
/// connection breaks during a commit, nobody knows.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It may not be done, or does not go together with what is stored.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The database cannot be reached, or does not answer in time.
    #[error("the database is away")]
    Unavailable(#[source] sqlx::Error),
    /// The database answers, but not with what this code expects.
    #[error("the database refuses a statement")]
    Broken(#[source] sqlx::Error),
}

impl From<ErrorCode> for Error {
    fn from(code: ErrorCode) -> Self {
        Self::Refused(code.into())
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if is_away(&error) {
            Self::Unavailable(error)
        } else {
            Self::Broken(error)
        }
    }
}

impl Error {
    /// Whether a row that somebody else has locked was waited for in vain.
    pub(crate) fn is_lock(&self) -> bool {
        const LOCK_NOT_AVAILABLE: &str = "55P03";
        let Self::Unavailable(sqlx::Error::Database(error)) = self else {
            return false;
        };
        error.code().is_some_and(|code| code == LOCK_NOT_AVAILABLE)
    }

    /// Answers `code` if what broke is that another row has the same `column`.
    pub(crate) fn or_taken(self, column: &str, code: ErrorCode) -> Self {
        match &self {
            Self::Broken(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                let constraint = error.constraint().unwrap_or_else(|| error.message());
                if constraint.contains(column) {
                    code.into()
                } else {
                    self
                }
            }
            _ => self,
        }
    }
}

/// What a client is told. What is not its own doing is logged here, once.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => refusal,
            Error::Unavailable(source) => {
                tracing::warn!(error = %source, "the database is away");
                Self::from(ErrorCode::Unavailable).retry_after(Duration::from_secs(1))
            }
            Error::Broken(source) => {
                tracing::error!(error = %source, "the database refuses a statement");
                ErrorCode::Internal.into()
            }
        }
    }
}

/// Whether the same statement may go through later, as it is.
fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| is_passing(&code)),
        _ => false,
    }
}

/// Whether a database's error code speaks of the moment and not of the statement. PostgreSQL's have
/// five characters, SQLite's are numbers whose lowest byte says what it is.
fn is_passing(code: &str) -> bool {
    const SQLITE_BUSY_LOCKED_IO_FULL_OPEN: [u32; 5] = [5, 6, 10, 13, 14];
    if code.len() == 5 {
        // Lost connections, lack of resources, shutdowns and cancelled statements; then deadlocks and
        // conflicts, locks that are not free, a time limit that ended a transaction, a standby.
        ["08", "53", "57"]
            .iter()
            .any(|class| code.starts_with(class))
            || ["40001", "40P01", "55P03", "25P03", "25006"].contains(&code)
    } else {
        code.parse::<u32>()
            .is_ok_and(|code| SQLITE_BUSY_LOCKED_IO_FULL_OPEN.contains(&(code & 0xff)))
    }
}
