//! Which coordinators there are. Each renews its row every second, and one that has not for five is
//! dead, all by the database's clock. Who owns which room is [`crate::ring`]'s to say.

mod own_row;

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use protocol::{RoomId, nodes::NodeStatus};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

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
    /// The live nodes, as they were seen last.
    nodes: watch::Sender<Arc<[Node]>>,
    /// When that was.
    seen_at: Mutex<Option<Instant>>,
    /// Held while the store is asked, so that one asks for all.
    asking: tokio::sync::Mutex<()>,
    /// What this process knows of its own row.
    own_row: watch::Sender<OwnRow>,
    /// Set when this process is a node that is about to go.
    draining: OnceLock<CancellationToken>,
}

/// A node that has not renewed for so long is dead.
pub(crate) const DEAD_AFTER: Duration = Duration::from_secs(5);
/// How old an answer may be.
const FRESH_FOR: Duration = Duration::from_secs(1);
/// How long whoever wants to know waits for an answer when an older one will do. People who come back
/// at once after a trouble of the store must not wait for it one after the other.
const ASKED_WITHIN: Duration = Duration::from_millis(500);
/// How often who watches asks.
const ASKED_EVERY: Duration = Duration::from_secs(1);

impl Cluster {
    /// The cluster that is written down in `store`.
    pub fn new(store: Store) -> Self {
        Self(Arc::new(Inner {
            store,
            nodes: watch::Sender::default(),
            seen_at: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            own_row: watch::Sender::default(),
            draining: OnceLock::new(),
        }))
    }

    /// The live nodes, by name; at most a second old. While the store is away or slow: those seen last.
    pub async fn live(&self) -> Arc<[Node]> {
        if let Some(nodes) = self.fresh() {
            return nodes;
        }
        let asking = async {
            let _asking = self.0.asking.lock().await;
            if self.fresh().is_none() {
                self.ask().await;
            }
        };
        if self.seen_at().is_none() {
            asking.await;
        } else if tokio::time::timeout(ASKED_WITHIN, asking).await.is_err() {
            // The next ones do not wait as long for the same.
            *self.seen_at() = Some(Instant::now());
        }
        self.seen()
    }

    /// The live nodes, by name, for who wants to know when they change. They do while somebody asks, see
    /// [`Cluster::watch`].
    pub fn changes(&self) -> watch::Receiver<Arc<[Node]>> {
        self.0.nodes.subscribe()
    }

    /// Asks every second who is alive, until `cancel`.
    pub async fn watch(&self, cancel: CancellationToken) {
        let mut tick = interval(ASKED_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Ending comes first.
            tokio::select! {
                biased;
                () = cancel.cancelled() => return,
                _ = tick.tick() => {}
            }
            let _asking = self.0.asking.lock().await;
            self.ask().await;
        }
    }

    /// How many nodes are alive, at least one. Waits no longer than `deadline`, and then goes by those
    /// seen last.
    pub async fn count(&self, deadline: Duration) -> u32 {
        let nodes = match tokio::time::timeout(deadline, self.live()).await {
            Ok(nodes) => nodes,
            Err(_) => self.seen(),
        };
        count(&nodes)
    }

    /// How many nodes were alive when somebody last looked, at least one.
    pub fn count_seen(&self) -> u32 {
        count(&self.seen())
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

    /// Asks the store. One at a time, which the caller holds the lock for.
    async fn ask(&self) {
        match self.0.store.live_nodes(DEAD_AFTER).await {
            Ok(nodes) => {
                self.0.nodes.send_if_modified(|seen| {
                    let is_new = **seen != *nodes;
                    if is_new {
                        *seen = nodes.into();
                    }
                    is_new
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the nodes cannot be read, going on with those seen last");
            }
        }
        *self.seen_at() = Some(Instant::now());
    }

    fn fresh(&self) -> Option<Arc<[Node]>> {
        let is_fresh = self.seen_at().is_some_and(|at| at.elapsed() < FRESH_FOR);
        is_fresh.then(|| self.seen())
    }

    fn seen(&self) -> Arc<[Node]> {
        Arc::clone(&self.0.nodes.borrow())
    }

    fn seen_at(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0
            .seen_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many these are, at least one: the caller is there.
fn count(nodes: &[Node]) -> u32 {
    u32::try_from(nodes.len()).unwrap_or(u32::MAX).max(1)
}
