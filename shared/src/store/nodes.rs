//! The rows by which coordinators know of each other, by the database's clock.

use std::time::Duration;

use protocol::nodes::{NodeState, NodeStatus};
use sqlx::FromRow;
use uuid::Uuid;

use super::{Result, Store, columns::At, pool::on};
use crate::cluster::Node;

#[derive(FromRow)]
struct NodeRow {
    name: String,
    url: String,
    internal_url: String,
    weight: i32,
    draining: bool,
}

#[derive(FromRow)]
struct StatusRow {
    name: String,
    url: String,
    internal_url: String,
    weight: i32,
    draining: bool,
    live: bool,
    started_at: At,
    renewed_at: At,
}

// A row is of a living node if it was renewed within the span. One that was renewed after now is of
// before the database's clock was set back: who lives has renewed it since.
impl Store {
    /// Writes a node's row, if its name is free: nobody else has renewed it for `free_after`. With no
    /// time at all the name is taken from whoever has it. Answers whether the row is there now.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn register_node(
        &self,
        node: &Node,
        incarnation: Uuid,
        free_after: Duration,
    ) -> Result<bool> {
        let sql = self.writer().dialect(
            "insert into nodes (name, incarnation, url, internal_url, weight, draining, started_at, renewed_at) \
             values ($1, $2, $3, $4, $5, $6, clock_timestamp(), clock_timestamp()) \
             on conflict (name) do update set incarnation = excluded.incarnation, url = excluded.url, \
             internal_url = excluded.internal_url, weight = excluded.weight, draining = excluded.draining, \
             started_at = excluded.started_at, renewed_at = excluded.renewed_at \
             where nodes.incarnation = excluded.incarnation \
             or abs(extract(epoch from excluded.renewed_at - nodes.renewed_at)) * 1000 >= $7 returning 1",
            "insert into nodes (name, incarnation, url, internal_url, weight, draining, started_at, renewed_at) \
             select $1, $2, $3, $4, $5, $6, now_ms, now_ms \
             from (select cast(unixepoch('subsec') * 1000 as integer) as now_ms) where true \
             on conflict (name) do update set incarnation = excluded.incarnation, url = excluded.url, \
             internal_url = excluded.internal_url, weight = excluded.weight, draining = excluded.draining, \
             started_at = excluded.started_at, renewed_at = excluded.renewed_at \
             where nodes.incarnation = excluded.incarnation \
             or abs(excluded.renewed_at - nodes.renewed_at) >= $7 returning 1",
        );
        let written = on!(self.writer(), connection => sqlx::query_scalar::<_, i32>(sql)
            .bind(&node.name)
            .bind(incarnation)
            .bind(&node.url)
            .bind(&node.internal_url)
            .bind(i32::try_from(node.weight).unwrap_or(i32::MAX))
            .bind(node.draining)
            .bind(whole_ms(free_after))
            .fetch_optional(connection))?;
        Ok(written.is_some())
    }

    /// Renews a node's row; `false` if it is not there any more, or of another incarnation.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn renew_node(&self, name: &str, incarnation: Uuid, draining: bool) -> Result<bool> {
        let sql = self.writer().dialect(
            "update nodes set renewed_at = clock_timestamp(), draining = $3 \
             where name = $1 and incarnation = $2 returning 1",
            "update nodes set renewed_at = cast(unixepoch('subsec') * 1000 as integer), draining = $3 \
             where name = $1 and incarnation = $2 returning 1",
        );
        let renewed = on!(self.writer(), connection => sqlx::query_scalar::<_, i32>(sql)
            .bind(name)
            .bind(incarnation)
            .bind(draining)
            .fetch_optional(connection))?;
        Ok(renewed.is_some())
    }

    /// Takes a node out, if it is still this incarnation.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn remove_node(&self, name: &str, incarnation: Uuid) -> Result<()> {
        on!(self.writer(), connection => sqlx::query_scalar::<_, i32>(
            "delete from nodes where name = $1 and incarnation = $2 returning 1",
        )
        .bind(name)
        .bind(incarnation)
        .fetch_optional(connection))?;
        Ok(())
    }

    /// Takes out nodes that have not renewed their row for `span`; answers how many.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn forget_nodes(&self, span: Duration) -> Result<usize> {
        let sql = self.writer().dialect(
            "delete from nodes where renewed_at < clock_timestamp() - $1 * interval '1 millisecond' returning 1",
            "delete from nodes where renewed_at < cast(unixepoch('subsec') * 1000 as integer) - $1 returning 1",
        );
        let forgotten = on!(self.writer(), connection => sqlx::query_scalar::<_, i32>(sql)
            .bind(whole_ms(span))
            .fetch_all(connection))?;
        Ok(forgotten.len())
    }

    /// The nodes that renewed their row within `span`, by name.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn live_nodes(&self, span: Duration) -> Result<Vec<Node>> {
        let sql = self.reader().dialect(
            "select name, url, internal_url, weight, draining from nodes \
             where abs(extract(epoch from clock_timestamp() - renewed_at)) * 1000 < $1 order by name",
            "select name, url, internal_url, weight, draining from nodes \
             where abs(cast(unixepoch('subsec') * 1000 as integer) - renewed_at) < $1 order by name",
        );
        let rows = on!(self.reader(), connection => sqlx::query_as::<_, NodeRow>(sql)
            .bind(whole_ms(span))
            .fetch_all(connection))?;
        Ok(rows.into_iter().map(Node::from).collect())
    }

    /// Every node that is written down, by name; dead if it has not renewed its row within `span`.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn nodes(&self, span: Duration) -> Result<Vec<NodeStatus>> {
        let sql = self.reader().dialect(
            "select name, url, internal_url, weight, draining, started_at, renewed_at, \
             abs(extract(epoch from clock_timestamp() - renewed_at)) * 1000 < $1 as live \
             from nodes order by name",
            "select name, url, internal_url, weight, draining, started_at, renewed_at, \
             abs(cast(unixepoch('subsec') * 1000 as integer) - renewed_at) < $1 as live \
             from nodes order by name",
        );
        let rows = on!(self.reader(), connection => sqlx::query_as::<_, StatusRow>(sql)
            .bind(whole_ms(span))
            .fetch_all(connection))?;
        Ok(rows.into_iter().map(NodeStatus::from).collect())
    }
}

fn whole_ms(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
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

impl From<StatusRow> for NodeStatus {
    fn from(row: StatusRow) -> Self {
        let state = match (row.live, row.draining) {
            (false, _) => NodeState::Dead,
            (true, true) => NodeState::Draining,
            (true, false) => NodeState::Live,
        };
        Self {
            internal_url: (row.internal_url != row.url).then_some(row.internal_url),
            name: row.name,
            public_url: row.url,
            weight: u32::try_from(row.weight).unwrap_or(1),
            state,
            started_at: row.started_at.0,
            seen_at: row.renewed_at.0,
        }
    }
}
