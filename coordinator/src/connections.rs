//! The live sockets of this node, by what ends them: their session, or the node itself.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use protocol::{ConnectionId, SessionId, frame::CloseReason};
use shared::revocations::Revocations;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::connection::Connection;

/// Every live socket. Cloning gives the same.
#[derive(Clone, Default)]
pub(crate) struct Connections(Arc<Mutex<Live>>);

type Live = BTreeMap<(SessionId, ConnectionId), Arc<Connection>>;

/// A socket that is live until this is dropped.
pub(crate) struct Registered {
    connections: Connections,
    /// The socket.
    pub(crate) connection: Arc<Connection>,
}

impl Connections {
    /// Adds a socket, for as long as the answer lives.
    pub(crate) fn add(&self, connection: Arc<Connection>) -> Registered {
        let key = (connection.session, connection.id);
        self.live().insert(key, Arc::clone(&connection));
        Registered {
            connections: self.clone(),
            connection,
        }
    }

    /// Every socket.
    pub(crate) fn all(&self) -> Vec<Arc<Connection>> {
        self.live().values().cloned().collect()
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
        let id = |uuid| ConnectionId::from_uuid(uuid);
        let all = (session, id(Uuid::nil()))..=(session, id(Uuid::max()));
        for connection in self.live().range(all).map(|(_, connection)| connection) {
            connection.close(CloseReason::SessionEnded);
        }
    }

    /// Asks about every session, when too many were revoked to hear of each.
    async fn close_revoked(&self, revocations: &Revocations) {
        let mut sessions: Vec<_> = self.live().keys().map(|(session, _)| *session).collect();
        sessions.dedup();
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
        let key = (self.connection.session, self.connection.id);
        let gone = self.connections.live().remove(&key);
        // Not while the sockets are held.
        drop(gone);
    }
}
