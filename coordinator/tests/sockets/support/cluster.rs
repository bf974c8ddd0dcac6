//! Several nodes on one database, each linked with every other, and what they count.

use std::time::Duration;

use anyhow::{Context, Result};
use metrics::LocalRecorderGuard;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use protocol::RoomId;
use tokio::time::{sleep, timeout};

use super::{Person, TestNode};

/// Nodes that are called `one`, `two` and so on.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<TestNode>,
    pub(crate) counts: Counts,
}

/// What the nodes of one test count. They must run on the test's own thread.
pub(crate) struct Counts {
    handle: PrometheusHandle,
    _counted: LocalRecorderGuard<'static>,
}

const NAMES: [&str; 3] = ["one", "two", "three"];

impl Cluster {
    /// So many nodes, linked.
    pub(crate) async fn start(nodes: usize) -> Result<Self> {
        let counts = Counts::begin();
        let first = TestNode::postgres_named(NAMES[0]).await?;
        let mut cluster = Self {
            nodes: vec![first],
            counts,
        };
        for name in &NAMES[1..nodes] {
            let node = cluster.nodes[0].another(name).await?;
            cluster.nodes.push(node);
        }
        cluster.linked(nodes * (nodes - 1)).await?;
        Ok(cluster)
    }

    /// Waits until there are so many links.
    pub(crate) async fn linked(&self, links: usize) -> Result<()> {
        let linked = async {
            while self.counts.of("chatx_links") != links {
                sleep(Duration::from_millis(10)).await;
            }
        };
        let linked = timeout(Duration::from_secs(30), linked).await;
        linked.with_context(|| format!("{} links", self.counts.of("chatx_links")))
    }

    /// A public room that is with that node.
    pub(crate) async fn room_with(
        &self,
        node: usize,
        owner: &Person,
        members: &[&Person],
    ) -> Result<RoomId> {
        loop {
            let room = self.nodes[0].room(owner, members).await?;
            let with = self.nodes[0].app.cluster.owner(room).await;
            if with.context("nobody is alive")?.name == NAMES[node] {
                return Ok(room);
            }
        }
    }

    /// Ends all that are left.
    pub(crate) async fn stop(self) -> Result<()> {
        for node in &self.nodes {
            node.end().await?;
        }
        Ok(())
    }
}

impl Counts {
    fn begin() -> Self {
        let recorder = Box::leak(Box::new(PrometheusBuilder::new().build_recorder()));
        Self {
            handle: recorder.handle(),
            _counted: metrics::set_default_local_recorder(recorder),
        }
    }

    /// The sum of everything that is counted under a name, or a name and its labels.
    pub(crate) fn of(&self, name: &str) -> usize {
        let rendered = self.handle.render();
        let lines = rendered.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let is_it = rest.starts_with(['{', ' ']);
            let count = rest.rsplit(' ').next().filter(|_| is_it)?;
            count.parse::<usize>().ok()
        });
        lines.sum()
    }
}
