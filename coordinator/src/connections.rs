//! The live sockets of this node, by what ends them: their session, or the node itself.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard},
};

use protocol::{ConnectionId, SessionId, frame::CloseReason};
use shared::revocations::Revocations;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::connection::Connection;

/// Every live socket. Cloning gives the same.
#[derive(Clone, Default)]
pub(crate) struct Connections(Arc<Mutex<Live>>);

#[derive(Default)]
struct Live {
    connections: HashMap<ConnectionId, Arc<Connection>>,
    of_session: HashMap<SessionId, HashSet<ConnectionId>>,
}

/// Takes a socket out when it is dropped.
pub(crate) struct Registered {
    connections: Connections,
    id: ConnectionId,
    session: SessionId,
}

impl Connections {
    /// Adds a socket, for as long as the answer lives.
    pub(crate) fn add(&self, connection: Arc<Connection>) -> Registered {
        let (id, session) = (connection.id, connection.session);
        let mut live = self.live();
        live.of_session.entry(session).or_default().insert(id);
        live.connections.insert(id, connection);
        Registered {
            connections: self.clone(),
            id,
            session,
        }
    }

    /// Every socket.
    pub(crate) fn all(&self) -> Vec<Arc<Connection>> {
        self.live().connections.values().cloned().collect()
    }

    /// Closes the sockets of sessions that are revoked, until `cancel`.
    pub(crate) async fn watch(self, revocations: Revocations, cancel: CancellationToken) {
        let mut revoked = revocations.subscribe();
        loop {
            // Ending comes first: it is rare, and revocations may come without a pause.
            let session = tokio::select! {
                biased;
                () = cancel.cancelled() => return,
                session = revoked.recv() => session,
            };
            match session {
                Ok(session) => self.close(session),
                Err(RecvError::Lagged(_)) => self.close_revoked(&revocations).await,
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn close(&self, session: SessionId) {
        let live = self.live();
        let of_session = live.of_session.get(&session).into_iter().flatten();
        for connection in of_session.filter_map(|id| live.connections.get(id)) {
            connection.close(CloseReason::SessionEnded);
        }
    }

    /// Asks about every session, when too many were revoked to hear of each.
    async fn close_revoked(&self, revocations: &Revocations) {
        let sessions: Vec<_> = self.live().of_session.keys().copied().collect();
        for session in sessions {
            if revocations.is_revoked(session).await.unwrap_or(false) {
                self.close(session);
            }
        }
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.0
            .lock()
            .expect("nothing panics while it holds the sockets")
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut live = self.connections.live();
        live.connections.remove(&self.id);
        if let Some(of_session) = live.of_session.get_mut(&self.session) {
            of_session.remove(&self.id);
            if of_session.is_empty() {
                live.of_session.remove(&self.session);
            }
        }
    }
}
