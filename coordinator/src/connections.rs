//! The live sockets of this node, by what ends them, their session, and by whose they are: what concerns
//! somebody on all of their devices is told here.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use metrics::counter;
use protocol::{
    ConnectionId, SessionId, UserId,
    frame::{CloseReason, ReportsFrame, RoomAdded, RoomRemoved, ServerFrame, UserFrame},
};
use shared::{
    news::{News, Told, Word},
    revocations::Revocations,
};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{connection::Connection, encoded::Encoded};

/// Every live socket. Cloning gives the same.
#[derive(Clone, Default)]
pub(crate) struct Connections(Arc<Mutex<Live>>);

#[derive(Default)]
struct Live {
    by_session: BTreeMap<(SessionId, ConnectionId), Arc<Connection>>,
    by_user: BTreeSet<(UserId, SessionId, ConnectionId)>,
}

/// A socket that is live until this is dropped.
pub(crate) struct Registered {
    connections: Connections,
    /// The socket.
    pub(crate) connection: Arc<Connection>,
}

impl Connections {
    /// Adds a socket, for as long as the answer lives.
    pub(crate) fn add(&self, connection: Arc<Connection>) -> Registered {
        let (user, session, id) = (connection.user.id, connection.session, connection.id);
        let mut live = self.live();
        live.by_session
            .insert((session, id), Arc::clone(&connection));
        live.by_user.insert((user, session, id));
        drop(live);
        Registered {
            connections: self.clone(),
            connection,
        }
    }

    /// Every socket.
    pub(crate) fn all(&self) -> Vec<Arc<Connection>> {
        self.live().by_session.values().cloned().collect()
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

    /// Tells people what concerns all of their devices, until `cancel`.
    pub(crate) async fn tell(self, news: News, cancel: CancellationToken) {
        let mut told = news.subscribe();
        loop {
            // Ending comes first. What was lost because too much came is found when the client connects again.
            let told = tokio::select! {
                biased;
                () = cancel.cancelled() => return,
                told = told.recv() => told,
            };
            match told {
                Ok(told) => self.pass(&told),
                Err(RecvError::Lagged(lost)) => {
                    counter!("chatx_news_lost_total").increment(lost);
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn pass(&self, told: &Told) {
        let frame = Encoded::of(&match told.word.clone() {
            Word::RoomAdded { room } => ServerFrame::RoomAdded(RoomAdded { room }),
            Word::RoomRemoved { room, reason } => {
                ServerFrame::RoomRemoved(RoomRemoved { room, reason })
            }
            Word::User { user, status } => ServerFrame::User(UserFrame { user, status }),
            Word::Reports { room, open } => ServerFrame::Reports(ReportsFrame { room, open }),
        });
        for connection in self.of(&told.users) {
            connection.outbox.pass(&frame);
        }
    }

    /// The sockets of these people.
    fn of(&self, users: &[UserId]) -> Vec<Arc<Connection>> {
        let (nil, max) = (Uuid::nil(), Uuid::max());
        let live = self.live();
        let sockets = users.iter().flat_map(|user| {
            let first = (
                *user,
                SessionId::from_uuid(nil),
                ConnectionId::from_uuid(nil),
            );
            let last = (
                *user,
                SessionId::from_uuid(max),
                ConnectionId::from_uuid(max),
            );
            live.by_user.range(first..=last)
        });
        sockets
            .filter_map(|(_, session, id)| live.by_session.get(&(*session, *id)).cloned())
            .collect()
    }

    fn close(&self, session: SessionId) {
        let id = |uuid| ConnectionId::from_uuid(uuid);
        let all = (session, id(Uuid::nil()))..=(session, id(Uuid::max()));
        for connection in self
            .live()
            .by_session
            .range(all)
            .map(|(_, connection)| connection)
        {
            connection.close(CloseReason::SessionEnded);
        }
    }

    /// Asks about every session, when too many were revoked to hear of each.
    async fn close_revoked(&self, revocations: &Revocations) {
        let mut sessions: Vec<_> = self
            .live()
            .by_session
            .keys()
            .map(|(session, _)| *session)
            .collect();
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
        let connection = &self.connection;
        let (user, session, id) = (connection.user.id, connection.session, connection.id);
        let mut live = self.connections.live();
        live.by_user.remove(&(user, session, id));
        let gone = live.by_session.remove(&(session, id));
        drop(live);
        // Not while the sockets are held.
        drop(gone);
    }
}
