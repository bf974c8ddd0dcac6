//! The half of the server that owns rooms and serves sockets. It stores nothing itself, and never
//! sees the other half.
//!
//! Modules are listed in the reading order of one message: from the upgrade over its sender's
//! connection to its room, and from there to every connection.

mod upgrade;

mod connection;

mod rooms;
mod room;

mod encoded;
mod delivery;
mod outbox;
mod answers;
mod errand;

mod roster;
mod presences;
mod reads;

mod tail;
mod internal;
mod connections;

use std::sync::Arc;

use axum::Router;
use connections::Connections;
use presences::Presences;
use protocol::frame::{CloseReason, Goaway, ServerFrame};
use reads::Reads;
use rooms::Rooms;
use shared::{App, hints::Hint};
use tokio::{
    sync::mpsc,
    time::{Duration, Instant, sleep_until, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

/// Rooms and sockets of this node.
pub struct Coordinator {
    node: Node,
}

/// What everything on this node stands on. Cloning is cheap and gives the same.
#[derive(Clone)]
struct Node {
    app: App,
    /// Its name in the cluster.
    name: Arc<str>,
    rooms: Rooms,
    connections: Connections,
    presences: Presences,
    reads: Reads,
    /// Sockets and what they asked for.
    tasks: TaskTracker,
    /// Set when the node is about to go.
    draining: CancellationToken,
}

/// How long a client waits before it connects elsewhere, when there is nobody else: about as long as
/// a restart takes.
const RECONNECT_AFTER: Duration = Duration::from_secs(1);
/// How long sockets may take to say goodbye: their last answers, and a little.
const GOODBYES: Duration = Duration::from_millis(4_000);

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
        let rooms = Rooms::new(app.clone(), tasks.clone(), cancel.clone());
        let node = Node {
            name: app.settings.node.as_str().into(),
            rooms: rooms.clone(),
            connections: Connections::default(),
            presences: Presences::default(),
            reads: Reads::default(),
            tasks: TaskTracker::new(),
            draining,
            app,
        };
        let Node {
            app,
            connections,
            presences,
            reads,
            ..
        } = node.clone();
        tasks.spawn(tail::listen(rooms.clone(), hints, cancel.clone()));
        tasks.spawn(tail::watch(rooms, app.store.clone(), cancel.clone()));
        tasks.spawn(connections.watch(app.revocations.clone(), cancel.clone()));
        tasks.spawn(presences.tell(app.presence.clone(), cancel.clone()));
        tasks.spawn(reads.keep(app, cancel.clone()));
        Self { node }
    }

    /// The routes for clients: `GET /v1/socket`.
    pub fn router(&self) -> Router {
        upgrade::routes().with_state(self.node.clone())
    }

    /// The routes for the other processes of the cluster: `POST /internal/hint`.
    pub fn internal_router(&self) -> Router {
        internal::routes().with_state(self.node.clone())
    }

    /// Takes no more sockets, tells those there are to connect elsewhere, and closes them when all that
    /// they sent is answered. They are told one after the other over the drain time, so that the
    /// other nodes are not overrun; at once if there are none.
    pub async fn drain(&self) {
        let Node {
            app,
            connections,
            tasks,
            draining,
            reads,
            ..
        } = &self.node;
        draining.cancel();
        let leaving = connections.all();
        let others = app.cluster.live().await;
        let others = others
            .iter()
            .filter(|other| *other.name != *self.node.name && !other.draining);
        let span = if others.count() > 0 {
            app.settings.drain
        } else {
            Duration::ZERO
        };
        info!(
            sockets = leaving.len(),
            span_ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX),
            "draining"
        );
        let reconnect_after = if span.is_zero() {
            RECONNECT_AFTER
        } else {
            Duration::ZERO
        };
        let goaway = ServerFrame::Goaway(Goaway {
            reason: CloseReason::NodeGoingAway.as_str().to_owned(),
            reconnect_after_ms: u64::try_from(reconnect_after.as_millis()).unwrap_or(u64::MAX),
            url: None,
        });
        let begun = Instant::now();
        let count = u32::try_from(leaving.len()).unwrap_or(u32::MAX).max(1);
        for (turn, connection) in (0_u32..).zip(leaving) {
            sleep_until(begun + span * turn / count).await;
            connection.outbox.answer(&goaway);
            connection.close(CloseReason::NodeGoingAway);
        }
        // Some may have come through the door while it closed.
        for connection in connections.all() {
            connection.close(CloseReason::NodeGoingAway);
        }
        tasks.close();
        if timeout(GOODBYES, tasks.wait()).await.is_err() {
            warn!(
                sockets = connections.all().len(),
                "sockets that did not say goodbye in time are dropped"
            );
        }
        reads.store(app).await;
    }
}
