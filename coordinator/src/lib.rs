//! The half of the server that owns rooms and serves sockets. It stores nothing itself, and never
//! sees the other half.
//!
//! Modules are listed in the reading order of one message: from the upgrade over its sender's
//! connection to its room, and from there to every connection.

mod arrivals;
mod upgrade;
mod handshake;

mod connection;

mod rooms;
mod room;
mod log;

mod encoded;
mod burst;
mod delivery;
mod outbox;
mod answers;
mod errand;
mod few;

mod roster;
mod presences;
mod reads;

mod tail;
mod peers;
mod internal;
mod connections;

#[cfg(test)]
mod simulation;

use std::{ops::Deref, sync::Arc};

pub use arrivals::Arrivals;
use axum::Router;
use connections::Connections;
use log::Stored;
use metrics::{Counter, counter};
use peers::{Capacities, Peers, dial::Network};
use presences::Presences;
use protocol::{
    frame::{CloseReason, Goaway, ServerFrame},
    nodes::{NodeState, NodeStatus},
};
use reads::Reads;
use rooms::Rooms;
use shared::{App, hints::Hint};
use tokio::{
    sync::mpsc,
    time::{Duration, Instant, sleep_until, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

/// Rooms and sockets of this node.
pub struct Coordinator {
    node: Node,
}

/// What everything on this node stands on. Cloning gives the same; every socket holds it.
#[derive(Clone)]
struct Node(Arc<Parts>);

struct Parts {
    app: App,
    /// The node's name in the cluster.
    name: Arc<str>,
    rooms: Rooms,
    peers: Peers,
    connections: Connections,
    presences: Presences,
    reads: Reads,
    /// What clients said.
    frames_in: Counter,
    /// Sockets and what they asked for.
    tasks: TaskTracker,
    /// Gateways of other nodes, which stay until the end.
    guests: TaskTracker,
    /// Set when the node is about to go.
    draining: CancellationToken,
    /// Set when it goes.
    cancel: CancellationToken,
}

/// How long a client waits before it comes back, when there is nobody else: about as long as a
/// restart takes.
const RESTART: Duration = Duration::from_secs(1);
/// In which part of the drain time all sockets are told; the rest is for the last of them to move.
const TOLD_WITHIN: f64 = 0.75;
/// How long sockets may take to say goodbye: their last answers, and a little.
const GOODBYES: Duration = Duration::from_millis(3_500);
/// How long a node that goes away waits for the store: it may be away, too.
const STORE_PATIENCE: Duration = Duration::from_millis(500);

impl Coordinator {
    /// Starts to own rooms and to serve sockets, as the node that the settings name. `hints` are what
    /// the other half of this process tells. Everything is spawned on `tasks` and ends with `cancel`;
    /// call [`Coordinator::drain`] before it to lose nobody.
    pub fn start(
        app: App,
        hints: mpsc::Receiver<Hint>,
        tasks: &TaskTracker,
        cancel: &CancellationToken,
    ) -> Self {
        let draining = CancellationToken::new();
        app.live_as_node(tasks, &draining, cancel);
        let log = Arc::new(Stored::new(&app, tasks));
        let limits = app.settings.limits.clone();
        let peers = Peers::new(app.own_node(), Capacities::default());
        let rooms = Rooms::new(
            log.clone(),
            peers.clone(),
            limits,
            tasks.clone(),
            cancel.clone(),
        );
        let node = Node(Arc::new(Parts {
            name: app.settings.node.as_str().into(),
            rooms: rooms.clone(),
            peers: peers.clone(),
            connections: Connections::default(),
            presences: Presences::default(),
            reads: Reads::default(),
            frames_in: counter!("chatx_frames_in_total"),
            tasks: TaskTracker::new(),
            guests: tasks.clone(),
            draining,
            cancel: cancel.clone(),
            app: app.clone(),
        }));
        let (connections, presences) = (node.connections.clone(), node.presences.clone());
        let dial = Arc::new(Network {
            name: node.name.clone(),
            tls: app.internal_tls.clone(),
            secrets: app.secrets.clone(),
        });
        let live = app.cluster.changes();
        tasks.spawn(peers.run(rooms.clone(), dial, live, cancel.clone()));
        let (cluster, ended) = (app.cluster.clone(), cancel.clone());
        tasks.spawn(async move { cluster.watch(ended).await });
        let (cluster, peers, ended) = (app.cluster.clone(), node.peers.clone(), cancel.clone());
        tasks.spawn(async move {
            let reach = cluster.watch_reach(|has_store| {
                info!(has_store, "whether this node reaches the store has changed");
                peers.reach_store(has_store);
            });
            ended.run_until_cancelled(reach).await;
        });
        tasks.spawn(tail::listen(rooms.clone(), hints, cancel.clone()));
        tasks.spawn(tail::watch(rooms.clone(), log, cancel.clone()));
        tasks.spawn(connections.watch(app.revocations.clone(), cancel.clone()));
        let told = node.connections.clone();
        tasks.spawn(told.tell(app.news.clone(), rooms, cancel.clone()));
        tasks.spawn(presences.tell(app.presence.clone(), cancel.clone()));
        let reads = node.reads.clone();
        tasks.spawn(reads.keep(app, cancel.clone()));
        Self { node }
    }

    /// The routes for clients: `GET /v1/socket`.
    pub fn router(&self) -> Router {
        upgrade::routes().with_state(self.node.clone())
    }

    /// Who takes connections that begin by asking for a socket, before anybody speaks HTTP with them.
    pub fn arrivals(&self) -> Arrivals {
        Arrivals::new(self.node.clone())
    }

    /// The routes for the other processes of the cluster: `/internal/…`.
    pub fn internal_router(&self) -> Router {
        internal::routes().with_state(self.node.clone())
    }

    /// Takes no more sockets, tells those there are to connect elsewhere, and closes them when all that
    /// they sent is answered. With other nodes they are told one after the other, so that those are not
    /// overrun, and live until the drain time is over; without, all end at once.
    pub async fn drain(&self) {
        let Parts {
            app,
            peers,
            connections,
            tasks,
            draining,
            reads,
            ..
        } = &*self.node.0;
        draining.cancel();
        peers.drain();
        tasks.close();
        let span = if self.has_others().await {
            app.settings.drain
        } else {
            Duration::ZERO
        };
        info!(
            sockets = connections.all().len(),
            span_ms = whole_ms(span),
            "draining"
        );
        let end = Instant::now() + span;
        self.tell_all(span).await;
        // Who has connected elsewhere closes by itself.
        drop(timeout_at(end, tasks.wait()).await);
        for socket in connections.all() {
            socket.close(CloseReason::NodeGoingAway);
        }
        if timeout(GOODBYES, tasks.wait()).await.is_err() {
            let sockets = connections.all().len();
            warn!(
                sockets,
                "sockets that did not say goodbye in time are dropped"
            );
        }
        drop(timeout(STORE_PATIENCE, reads.store(app)).await);
    }

    /// Whether another node can take the sockets of this one.
    async fn has_others(&self) -> bool {
        let cluster = &self.node.app.cluster;
        let is_other = |name: &str| *name != *self.node.name;
        // What was seen a moment ago may lack the very node that was started to take over.
        if let Ok(Ok(nodes)) = timeout(STORE_PATIENCE, cluster.nodes()).await {
            let takes = |node: &NodeStatus| node.state == NodeState::Live && is_other(&node.name);
            return nodes.iter().any(takes);
        }
        let live = timeout(STORE_PATIENCE, cluster.live()).await;
        let live = live.unwrap_or_default();
        live.iter()
            .any(|node| !node.draining && is_other(&node.name))
    }

    /// Says `goaway` to every socket, spread over most of `span`.
    async fn tell_all(&self, span: Duration) {
        let wait = if span.is_zero() {
            RESTART
        } else {
            Duration::ZERO
        };
        let goaway = ServerFrame::Goaway(Goaway {
            reason: CloseReason::NodeGoingAway.as_str().to_owned(),
            reconnect_after_ms: whole_ms(wait),
            url: None,
        });
        let (begun, sockets) = (Instant::now(), self.node.connections.all());
        let telling = span.mul_f64(TOLD_WITHIN);
        let count = u32::try_from(sockets.len()).unwrap_or(u32::MAX).max(1);
        for (turn, socket) in (0_u32..).zip(sockets) {
            sleep_until(begun + telling * turn / count).await;
            socket.outbox.answer(&goaway);
        }
    }
}

impl Deref for Node {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

fn whole_ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
