//! Which coordinators there are. Each renews its row every second, and one that has not for five is
//! dead, all by the database's clock. Who owns which room is [`crate::ring`]'s to say.

mod own_row;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use protocol::{RoomId, nodes::NodeStatus};
use tokio::{sync::watch, time::Instant};

pub use own_row::NotCounted;
use own_row::OwnRow;

use crate::{
    ring,
    store::{self, Store},
};

/// A coordinator, as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name, unique in the cluster.
    pub name: String,
    /// Where clients connect.
    pub url: String,
    /// Where hints and peers come.
    pub internal_url: String,
    /// Its share of the rooms, against the weights of the others.
    pub weight: u32,
    /// Whether it is about to go: it owns nothing new.
    pub draining: bool,
}

/// The cluster as this process sees it. Cloning gives the same one.
#[derive(Clone)]
pub struct Cluster(Arc<Inner>);

struct Inner {
    store: Store,
    seen: Mutex<Seen>,
    /// Held while the store is asked, so that one asks for all.
    asking: tokio::sync::Mutex<()>,
    /// What this process knows of its own row.
    own_row: watch::Sender<OwnRow>,
}

#[derive(Default)]
struct Seen {
    nodes: Arc<[Node]>,
    at: Option<Instant>,
}

/// A node that has not renewed for so long is dead.
pub(crate) const DEAD_AFTER: Duration = Duration::from_secs(5);
/// How old an answer may be.
const FRESH_FOR: Duration = Duration::from_secs(1);

impl Cluster {
    /// The cluster that is written down in `store`.
    pub fn new(store: Store) -> Self {
        Self(Arc::new(Inner {
            store,
            seen: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            own_row: watch::Sender::default(),
        }))
    }

    /// The live nodes, by name; at most a second old. While the store is away: those seen last.
    pub async fn live(&self) -> Arc<[Node]> {
        if let Some(nodes) = self.fresh() {
            return nodes;
        }
        let _asking = self.0.asking.lock().await;
        if let Some(nodes) = self.fresh() {
            return nodes;
        }
        let asked = self.0.store.live_nodes(DEAD_AFTER).await;
        let mut seen = self.seen();
        match asked {
            Ok(nodes) => seen.nodes = nodes.into(),
            Err(error) => {
                tracing::warn!(%error, "the nodes cannot be read, going on with those seen last");
            }
        }
        seen.at = Some(Instant::now());
        Arc::clone(&seen.nodes)
    }

    /// How many nodes are alive, at least one. Waits no longer than `deadline`, and then goes by those
    /// seen last.
    pub async fn count(&self, deadline: Duration) -> u32 {
        let nodes = match tokio::time::timeout(deadline, self.live()).await {
            Ok(nodes) => nodes,
            Err(_) => Arc::clone(&self.seen().nodes),
        };
        u32::try_from(nodes.len()).unwrap_or(u32::MAX).max(1)
    }

    /// The node that owns `room`; `None` while no coordinator is alive.
    pub async fn owner(&self, room: RoomId) -> Option<Node> {
        ring::owner(room, &self.live().await).cloned()
    }

    /// Every coordinator that the store knows of, by name; dead ones too.
    ///
    /// # Errors
    /// As the store.
    pub async fn nodes(&self) -> store::Result<Vec<NodeStatus>> {
        self.0.store.nodes(DEAD_AFTER).await
    }

    fn fresh(&self) -> Option<Arc<[Node]>> {
        let seen = self.seen();
        let is_fresh = seen.at.is_some_and(|at| at.elapsed() < FRESH_FOR);
        is_fresh.then(|| Arc::clone(&seen.nodes))
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
