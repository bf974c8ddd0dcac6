//! The rows by which coordinators know of each other, by the database's clock.

use std::time::Duration;

use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Result, Store,
    pool::{On, within},
};
use crate::cluster::Node;

#[derive(FromRow)]
struct NodeRow {
    name: String,
    url: String,
    internal_url: String,
    weight: i32,
    draining: bool,
}

impl Store {
    /// Writes a node's row. An earlier incarnation of the same name is no more.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn register_node(&self, node: &Node, incarnation: Uuid) -> Result<()> {
        const POSTGRES: &str = "insert into nodes \
            (name, incarnation, url, internal_url, weight, draining, started_at, renewed_at) \
            values ($1, $2, $3, $4, $5, $6, clock_timestamp(), clock_timestamp()) \
            on conflict (name) do update set incarnation = excluded.incarnation, url = excluded.url, \
            internal_url = excluded.internal_url, weight = excluded.weight, draining = excluded.draining, \
            started_at = excluded.started_at, renewed_at = excluded.renewed_at";
        const SQLITE: &str = "insert into nodes \
            (name, incarnation, url, internal_url, weight, draining, started_at, renewed_at) \
            values ($1, $2, $3, $4, $5, $6, \
            cast(unixepoch('subsec') * 1000 as integer), cast(unixepoch('subsec') * 1000 as integer)) \
            on conflict (name) do update set incarnation = excluded.incarnation, url = excluded.url, \
            internal_url = excluded.internal_url, weight = excluded.weight, draining = excluded.draining, \
            started_at = excluded.started_at, renewed_at = excluded.renewed_at";
        let weight = i32::try_from(node.weight).unwrap_or(i32::MAX);
        macro_rules! register {
            ($sql:expr, $pool:expr) => {
                within(
                    sqlx::query($sql)
                        .bind(&node.name)
                        .bind(incarnation)
                        .bind(&node.url)
                        .bind(&node.internal_url)
                        .bind(weight)
                        .bind(node.draining)
                        .execute($pool),
                )
                .await
                .map(|_| ())
            };
        }
        match self.writer() {
            On::Postgres(pool) => register!(POSTGRES, pool),
            On::Sqlite(pool) => register!(SQLITE, pool),
        }
    }

    /// Renews a node's row; `false` if it is not there any more, or of another incarnation.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn renew_node(&self, name: &str, incarnation: Uuid, draining: bool) -> Result<bool> {
        const POSTGRES: &str = "update nodes set renewed_at = clock_timestamp(), draining = $3 \
            where name = $1 and incarnation = $2 returning 1";
        const SQLITE: &str = "update nodes set renewed_at = cast(unixepoch('subsec') * 1000 as integer), \
            draining = $3 where name = $1 and incarnation = $2 returning 1";
        let renewed: Option<i32> = match self.writer() {
            On::Postgres(pool) => {
                let query = sqlx::query_scalar(POSTGRES)
                    .bind(name)
                    .bind(incarnation)
                    .bind(draining);
                within(query.fetch_optional(pool)).await?
            }
            On::Sqlite(pool) => {
                let query = sqlx::query_scalar(SQLITE)
                    .bind(name)
                    .bind(incarnation)
                    .bind(draining);
                within(query.fetch_optional(pool)).await?
            }
        };
        Ok(renewed.is_some())
    }

    /// Takes a node out, if it is still this incarnation.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn remove_node(&self, name: &str, incarnation: Uuid) -> Result<()> {
        const REMOVE: &str = "delete from nodes where name = $1 and incarnation = $2";
        match self.writer() {
            On::Postgres(pool) => {
                within(
                    sqlx::query(REMOVE)
                        .bind(name)
                        .bind(incarnation)
                        .execute(pool),
                )
                .await?;
            }
            On::Sqlite(pool) => {
                within(
                    sqlx::query(REMOVE)
                        .bind(name)
                        .bind(incarnation)
                        .execute(pool),
                )
                .await?;
            }
        }
        Ok(())
    }

    /// The nodes that renewed their row within `within_span`, by name.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn live_nodes(&self, within_span: Duration) -> Result<Vec<Node>> {
        let span_ms = i64::try_from(within_span.as_millis()).unwrap_or(i64::MAX);
        let rows: Vec<NodeRow> = match self.reader() {
            On::Postgres(pool) => {
                let query = sqlx::query_as(
                    "select name, url, internal_url, weight, draining from nodes \
                     where renewed_at > clock_timestamp() - $1 * interval '1 millisecond' order by name",
                );
                within(query.bind(span_ms).fetch_all(pool)).await?
            }
            On::Sqlite(pool) => {
                let query = sqlx::query_as(
                    "select name, url, internal_url, weight, draining from nodes \
                     where renewed_at > cast(unixepoch('subsec') * 1000 as integer) - $1 order by name",
                );
                within(query.bind(span_ms).fetch_all(pool)).await?
            }
        };
        Ok(rows.into_iter().map(Node::from).collect())
    }
}

impl From<NodeRow> for Node {
    fn from(row: NodeRow) -> Self {
        Self {
            name: row.name,
            url: row.url,
            internal_url: row.internal_url,
            weight: u32::try_from(row.weight).unwrap_or(1),
            draining: row.draining,
        }
    }
}
