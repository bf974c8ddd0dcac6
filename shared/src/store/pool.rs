//! The connections to either engine, and the one place that knows which of the two it is.

use std::{
    future::Future,
    str::FromStr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{
    Connection, Database, PgConnection, PgPool, Postgres, Sqlite, SqliteConnection, SqlitePool,
    Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{Error, Result, StoreOptions};
use crate::nudges::Nudges;

/// Something that exists for either engine.
#[derive(Clone)]
pub(crate) enum On<P, S> {
    Postgres(P),
    Sqlite(S),
}

impl<P, S> On<P, S> {
    /// Which of two statements that say the same is for this engine.
    pub(crate) const fn dialect(
        &self,
        postgres: &'static str,
        sqlite: &'static str,
    ) -> &'static str {
        match self {
            Self::Postgres(_) => postgres,
            Self::Sqlite(_) => sqlite,
        }
    }
}

/// Writes a statement once for both engines: `on!(self.reader(), connection => query.fetch_one(connection))`
/// awaits the query on the engine at hand, for as long as an answer may take.
macro_rules! on {
    ($engine:expr, $connection:ident => $answer:expr) => {
        match $engine {
            $crate::store::pool::On::Postgres($connection) => {
                $crate::store::pool::within($answer).await
            }
            $crate::store::pool::On::Sqlite($connection) => {
                $crate::store::pool::within($answer).await
            }
        }
    };
}
pub(crate) use on;

/// As `on!`, for a statement that answers nothing but how many rows it changed:
/// `execute!(self.writer(), sqlx::query("…").bind(…))`.
macro_rules! execute {
    ($engine:expr, $statement:expr) => {
        match $engine {
            $crate::store::pool::On::Postgres(connection) => {
                $crate::store::pool::within($statement.execute(connection))
                    .await
                    .map(|done| done.rows_affected())
            }
            $crate::store::pool::On::Sqlite(connection) => {
                $crate::store::pool::within($statement.execute(connection))
                    .await
                    .map(|done| done.rows_affected())
            }
        }
    };
}
pub(crate) use execute;

/// How long the database may take to answer one statement before it counts as away: a stopped
/// server accepts bytes and never answers.
const ANSWER_DEADLINE: Duration = Duration::from_secs(4);

/// When a connection last broke. Those of a process break together, with their server or the way to it: after one
/// the others are asked again, so that not each of them fails a request.
static BROKE_AT: Mutex<Option<Instant>> = Mutex::new(None);

/// The time limits go with `begin`, in the same round trip: behind a transaction pooler what is set on a
/// session belongs to somebody else's session. A caller that freezes must not hold a room: it is put out
/// before those who wait for the room give up.
const BEGIN_POSTGRES: &str = "begin; \
    set local lock_timeout = '3s'; \
    set local statement_timeout = '4s'; \
    set local idle_in_transaction_session_timeout = '2s'";

/// What a reader on SQLite remembers of the file, as `cache_size` takes it: 256 KiB. It forgets all of it whenever
/// somebody writes, and a page of history is six pages; the system's own cache serves all readers.
const READER_CACHE: &str = "-256";

/// Waits for the answer to one statement.
pub(crate) async fn within<T>(answer: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
    match tokio::time::timeout(ANSWER_DEADLINE, answer).await {
        Ok(answer) => answer.map_err(|error| {
            if is_of_connection(&error) {
                *BROKE_AT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            }
            error.into()
        }),
        Err(_) => Err(Error::Unavailable(sqlx::Error::PoolTimedOut)),
    }
}

/// Whether the connection is broken, or the server ended it.
fn is_of_connection(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| code.starts_with("57P") || code.starts_with("08")),
        _ => false,
    }
}

/// Whether no connection broke for so long.
fn are_whole(span: Duration) -> bool {
    let broke_at = *BROKE_AT.lock().unwrap_or_else(PoisonError::into_inner);
    broke_at.is_none_or(|at| at.elapsed() > span)
}

/// The connections to either engine.
#[derive(Clone)]
pub(super) enum Pool {
    Postgres(PgPool),
    /// SQLite takes one writer at a time: waiting for it in a queue is fairer than asking again and
    /// again whether the file is free.
    Sqlite {
        writer: SqlitePool,
        readers: SqlitePool,
    },
}

impl Pool {
    pub(super) async fn connect(url: &str, options: &StoreOptions) -> Result<Self> {
        if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let connect = PgConnectOptions::from_str(url)?.application_name("chatx");
            let trusted_for = options.trusted_for;
            let pool = PgPoolOptions::new()
                .max_connections(options.max_connections)
                .acquire_timeout(options.acquire_timeout)
                .test_before_acquire(false)
                .before_acquire(move |connection, seen| {
                    Box::pin(async move {
                        if seen.idle_for >= trusted_for || !are_whole(trusted_for) {
                            connection.ping().await?;
                        }
                        Ok(true)
                    })
                })
                .connect_lazy_with(connect);
            return Ok(Self::Postgres(pool));
        }
        let connect = SqliteConnectOptions::from_str(url)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(options.acquire_timeout);
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(options.acquire_timeout)
                // It is a thread of this process, and each question to it costs two switches.
                .test_before_acquire(false)
        };
        // SQLite ends a transaction itself when the disk is full or fails. sqlx, which then finds nothing
        // to roll back, counts it as open for ever, and no other can begin on that connection.
        let writer = pool(1)
            .after_release(|connection, _| {
                Box::pin(async move {
                    if connection.is_in_transaction() {
                        // What is still to be rolled back has been when it answers.
                        connection.ping().await?;
                    }
                    Ok(!connection.is_in_transaction())
                })
            })
            .connect_with(connect.clone())
            .await?;
        let read = connect
            .create_if_missing(false)
            .read_only(true)
            .pragma("cache_size", READER_CACHE);
        let readers = pool(options.max_connections).connect_lazy_with(read);
        Ok(Self::Sqlite { writer, readers })
    }

    /// Where a statement that changes nothing goes.
    pub(super) const fn reader(&self) -> On<&PgPool, &SqlitePool> {
        match self {
            Self::Postgres(pool) => On::Postgres(pool),
            Self::Sqlite { readers, .. } => On::Sqlite(readers),
        }
    }

    /// Where a single statement that changes something goes.
    pub(super) const fn writer(&self) -> On<&PgPool, &SqlitePool> {
        match self {
            Self::Postgres(pool) => On::Postgres(pool),
            Self::Sqlite { writer, .. } => On::Sqlite(writer),
        }
    }

    /// Begins a transaction that may write. Dropped before its commit it is rolled back.
    pub(super) async fn begin(&self) -> Result<Tx> {
        match self {
            Self::Postgres(pool) => Ok(Tx::of(On::Postgres(
                begin_apart(pool, BEGIN_POSTGRES).await?,
            ))),
            Self::Sqlite { writer, .. } => Ok(Tx::of(On::Sqlite(begin_immediate(writer).await?))),
        }
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Postgres(pool) => pool.close().await,
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
        }
    }
}

/// Begins a transaction that is the writer from its start: one that reads first and then writes may
/// find that another process has written meanwhile, and fail.
pub(super) async fn begin_immediate(writer: &SqlitePool) -> Result<Transaction<'static, Sqlite>> {
    begin_apart(writer, "begin immediate").await
}

/// Begins in a task of its own, which goes on when the caller is cut off. sqlx knows of a transaction
/// only once it has read the answer to `begin`: a connection that is dropped before goes back into the
/// pool with the transaction open, and what others then store on it is acknowledged and never
/// committed.
async fn begin_apart<D: Database>(
    pool: &sqlx::Pool<D>,
    statement: &'static str,
) -> Result<Transaction<'static, D>> {
    let pool = pool.clone();
    let begun = tokio::spawn(async move { pool.begin_with(statement).await });
    within(async { begun.await.unwrap_or(Err(sqlx::Error::WorkerCrashed)) }).await
}

/// A transaction on either engine; rolled back when it is dropped without a commit.
pub(crate) struct Tx {
    on: Either,
    /// Where is said what was written by it.
    nudges: Nudges,
}

type Either = On<Transaction<'static, Postgres>, Transaction<'static, Sqlite>>;

impl Tx {
    fn of(on: Either) -> Self {
        Self {
            on,
            nudges: Nudges::default(),
        }
    }

    /// The same, which says there what was written by it.
    pub(super) fn nudging(self, nudges: Nudges) -> Self {
        Self { nudges, ..self }
    }

    /// Where is said what was written by it.
    pub(super) const fn nudges(&self) -> &Nudges {
        &self.nudges
    }

    /// Where its next statement goes.
    pub(crate) fn connection(&mut self) -> On<&mut PgConnection, &mut SqliteConnection> {
        match &mut self.on {
            On::Postgres(transaction) => On::Postgres(transaction),
            On::Sqlite(transaction) => On::Sqlite(transaction),
        }
    }

    /// Makes everything that was done in it last.
    pub(crate) async fn commit(self) -> Result<()> {
        on!(self.on, transaction => transaction.commit())
    }
}
