//! Servers as the tests need them.

use anyhow::{Context as _, Result};
use testkit::{Chatx, ChatxSetup, Database};

/// `chatx serve` without rate limits, which tests would only meet by chance.
pub fn unlimited() -> ChatxSetup {
    Chatx::serve().set("CHATX_RATE_LIMITS", "off")
}

/// Runs `check` against a server on SQLite, then against one on PostgreSQL.
///
/// # Errors
/// The first failure, with the engine's name.
pub async fn on_each_engine(check: impl AsyncFn(&mut Chatx) -> Result<()>) -> Result<()> {
    let mut on_sqlite = unlimited().start().await?;
    check(&mut on_sqlite).await.context("on SQLite")?;
    drop(on_sqlite);
    let database = Database::fresh().await?;
    let mut on_postgres = unlimited()
        .set("DATABASE_URL", database.url())
        .start()
        .await?;
    check(&mut on_postgres).await.context("on PostgreSQL")
}
