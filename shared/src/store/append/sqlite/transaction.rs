//! The transaction of a batch. It begins with its first statement and may end with its last: whatever is handed
//! to SQLite's thread and answered by it costs two switches of threads and more.

use sqlx::{Sqlite, SqliteConnection, SqlitePool, pool::PoolConnection};

use crate::store::{Result, pool::within};

/// What may go behind the last statement, in the same text.
pub(super) const COMMIT: &str = "; commit";

/// A transaction of which sqlx knows nothing. Dropped before it has ended it takes its connection along,
/// which rolls back.
pub(super) struct Transaction {
    writer: PoolConnection<Sqlite>,
    has_ended: bool,
}

impl Transaction {
    /// Takes the only writer. The first statement is to bring `begin immediate`: one that read first and then
    /// wrote might find that another process has written meanwhile, and fail.
    pub(super) async fn of(writer: &SqlitePool) -> Result<Self> {
        Ok(Self {
            writer: within(writer.acquire()).await?,
            has_ended: false,
        })
    }

    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.writer
    }

    /// Begins, after a statement ended what was begun before.
    pub(super) async fn begin(&mut self) -> Result<()> {
        self.execute("begin immediate").await
    }

    pub(super) async fn commit(mut self) -> Result<()> {
        self.execute("commit").await?;
        self.ended();
        Ok(())
    }

    pub(super) async fn rollback(mut self) -> Result<()> {
        self.execute("rollback").await?;
        self.ended();
        Ok(())
    }

    /// Gives the writer back, because the last statement brought [`COMMIT`].
    pub(super) fn ended(mut self) {
        self.has_ended = true;
    }

    async fn execute(&mut self, statement: &'static str) -> Result<()> {
        within(sqlx::query(statement).execute(&mut *self.writer)).await?;
        Ok(())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if !self.has_ended {
            self.writer.close_on_drop();
        }
    }
}
