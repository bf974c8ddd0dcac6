//! Servers as the tests need them.

use std::time::Duration;

use anyhow::{Context as _, Result};
use testkit::{Chatx, ChatxSetup, Database};
use tokio::time::{sleep, timeout};

use crate::PATIENCE;

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

/// Waits until a node knows of another, and has a link to it.
///
/// # Errors
/// When that takes too long.
pub async fn until_linked(node: &Chatx) -> Result<()> {
    until_logged(node, "a link is up", 1).await
}

/// Waits until a process has logged a text so many times. What is seen from outside of what it did may
/// be seen before it is logged.
///
/// # Errors
/// When that takes too long.
pub async fn until_logged(process: &Chatx, says: &str, times: usize) -> Result<()> {
    let logged = async {
        while process.log().matches(says).count() < times {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let logged = timeout(PATIENCE, logged).await;
    logged.with_context(|| format!("`{says}` is not logged {times} times"))
}
