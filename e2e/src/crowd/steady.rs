//! Whether a connection is live all the time.

use anyhow::{Result, bail, ensure};
use client::{Connection, Status};
use tokio::task::JoinHandle;

/// Watches a connection that is live, and wants it to stay so.
pub struct Steady(JoinHandle<Result<Vec<String>>>);

impl Steady {
    pub async fn watch(connection: &Connection) -> Result<Self> {
        connection.ready().await?;
        let mut status = connection.status();
        Ok(Self(tokio::spawn(async move {
            let mut nodes = Vec::new();
            loop {
                match &*status.borrow_and_update() {
                    Status::Live { node, .. } => nodes.push(node.clone()),
                    Status::Ended(client::Ended::Closed) => return Ok(nodes),
                    other => bail!("it was at {nodes:?}, and then {other:?}"),
                }
                if status.changed().await.is_err() {
                    return Ok(nodes);
                }
            }
        })))
    }

    /// The nodes that it was at, one socket after the other; call it once the connection is closed.
    pub async fn nodes(self) -> Result<Vec<String>> {
        let nodes = self.0.await??;
        ensure!(!nodes.is_empty());
        Ok(nodes)
    }
}
