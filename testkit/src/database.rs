//! An empty database of its own for each test, on a server that tests share.

use anyhow::{Context, Result};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use uuid::Uuid;

use crate::postgres_url;

/// An empty database, dropped with this value.
pub struct Database {
    server_url: String,
    name: String,
}

impl Database {
    /// A database on the shared server, see [`postgres_url`].
    ///
    /// # Errors
    /// When there is no server or it refuses.
    pub async fn fresh() -> Result<Self> {
        Self::fresh_on(&postgres_url().await?).await
    }

    /// A database on the server of a superuser's url.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn fresh_on(server_url: &str) -> Result<Self> {
        let name = format!("chatx_test_{}", Uuid::new_v4().simple());
        let mut connection = PgConnection::connect(server_url)
            .await
            .context("cannot connect to PostgreSQL")?;
        connection
            .execute(AssertSqlSafe(format!("create database {name}")))
            .await?;
        connection.close().await?;
        Ok(Self {
            server_url: server_url.to_owned(),
            name,
        })
    }

    /// The database's own url.
    pub fn url(&self) -> String {
        let (server, parameters) = self
            .server_url
            .split_once('?')
            .unwrap_or((&self.server_url, ""));
        let separator = if parameters.is_empty() { "" } else { "?" };
        let authority_start = server.find("://").map_or(0, |scheme| scheme + 3);
        let path = server[authority_start..]
            .find('/')
            .map_or(server.len(), |slash| authority_start + slash);
        format!("{}/{}{separator}{parameters}", &server[..path], self.name)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many are connected to it.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn sessions(&self) -> Result<i64> {
        let mut connection = PgConnection::connect(&self.server_url).await?;
        let count = "select count(*) from pg_stat_activity where datname = $1";
        let sessions = sqlx::query_scalar(count)
            .bind(&self.name)
            .fetch_one(&mut connection)
            .await?;
        connection.close().await?;
        Ok(sessions)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let statement = format!("drop database if exists {} with (force)", self.name);
        let server_url = self.server_url.clone();
        // The test's own runtime may be ending. A server that is gone took the database with it.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let mut connection = PgConnection::connect(&server_url).await?;
                connection.execute(AssertSqlSafe(statement)).await?;
                anyhow::Ok(())
            })
        });
        let _ = dropping.join();
    }
}
