//! The live sockets of this node, by what ends them, their session, and by whose they are: what concerns
//! somebody on all of their devices is told here.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard},
};

use metrics::counter;
use protocol::{
    SessionId, UserId,
    frame::{CloseReason, ReadFrame, ReportsFrame, RoomAdded, RoomRemoved, ServerFrame, UserFrame},
};
use shared::{
    news::{News, Told, Word},
    revocations::Revocations,
};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::{connection::Connection, encoded::Encoded, rooms::Rooms};

/// Every live socket. Cloning gives the same.
#[derive(Clone, Default)]
pub(crate) struct Connections(Arc<Mutex<Live>>);

#[derive(Default)]
struct Live {
    by_session: HashMap<SessionId, Sockets>,
    by_user: HashMap<UserId, Sockets>,
}

/// Some sockets; mostly one.
type Sockets = Vec<Arc<Connection>>;

impl Connections {
    /// Adds a socket, until it is removed.
    pub(crate) fn add(&self, connection: &Arc<Connection>) {
        let mut live = self.live();
        add(&mut live.by_session, connection.session, connection);
        add(&mut live.by_user, connection.user.id, connection);
    }

    /// Removes a socket.
    pub(crate) fn remove(&self, connection: &Arc<Connection>) {
        let mut live = self.live();
        remove(&mut live.by_user, &connection.user.id, connection);
        remove(&mut live.by_session, &connection.session, connection);
    }

    /// Every socket.
    pub(crate) fn all(&self) -> Vec<Arc<Connection>> {
        self.live().by_session.values().flatten().cloned().collect()
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

    /// Tells people what concerns all of their devices, and rooms what concerns those who follow them, until
    /// `cancel`.
    pub(crate) async fn tell(self, news: News, rooms: Rooms, cancel: CancellationToken) {
        let mut told = news.subscribe();
        loop {
            // Ending comes first. What was lost because too much came is found when the client connects again.
            let told = tokio::select! {
                biased;
                () = cancel.cancelled() => return,
                told = told.recv() => told,
            };
            match told {
                Ok(told) => {
                    for told in &*told {
                        self.pass(told, &rooms);
                    }
                }
                Err(RecvError::Lagged(lost)) => {
                    counter!("chatx_news_lost_total").increment(lost);
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn pass(&self, told: &Told, rooms: &Rooms) {
        match told.word.clone() {
            Word::RoomAdded { room } => {
                self.say(&told.users, &ServerFrame::RoomAdded(RoomAdded { room }));
            }
            Word::RoomRemoved { room, reason } => {
                let removed = RoomRemoved { room, reason };
                self.say(&told.users, &ServerFrame::RoomRemoved(removed));
            }
            Word::User { user, status } => {
                self.say(&told.users, &ServerFrame::User(UserFrame { user, status }));
            }
            Word::Reports { room, open } => {
                self.say(
                    &told.users,
                    &ServerFrame::Reports(ReportsFrame { room, open }),
                );
            }
            Word::Read {
                room,
                seq,
                is_shown,
            } => {
                for user in told.users.iter().copied() {
                    self.say(&[user], &ServerFrame::Read(ReadFrame { room, user, seq }));
                    if is_shown {
                        rooms.read(room, user, seq);
                    }
                }
            }
        }
    }

    fn say(&self, users: &[UserId], frame: &ServerFrame) {
        let sockets = self.of(users);
        if sockets.is_empty() {
            return;
        }
        let frame = Encoded::of(frame);
        for connection in sockets {
            connection.outbox.pass(&frame);
        }
    }

    /// The sockets of these people.
    fn of(&self, users: &[UserId]) -> Vec<Arc<Connection>> {
        let live = self.live();
        let sockets = users.iter().filter_map(|user| live.by_user.get(user));
        sockets.flatten().cloned().collect()
    }

    fn close(&self, session: SessionId) {
        let live = self.live();
        for connection in live.by_session.get(&session).into_iter().flatten() {
            connection.close(CloseReason::SessionEnded);
        }
    }

    /// Asks about every session, when too many were revoked to hear of each.
    async fn close_revoked(&self, revocations: &Revocations) {
        let sessions: Vec<_> = self.live().by_session.keys().copied().collect();
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

fn add<K: Eq + Hash>(all: &mut HashMap<K, Sockets>, key: K, connection: &Arc<Connection>) {
    let sockets = all.entry(key).or_default();
    if sockets.is_empty() {
        sockets.reserve_exact(1);
    }
    sockets.push(Arc::clone(connection));
}

fn remove<K: Eq + Hash>(all: &mut HashMap<K, Sockets>, key: &K, connection: &Arc<Connection>) {
    let Some(sockets) = all.get_mut(key) else {
        return;
    };
    // Even a program's thousands are looked through in microseconds: they are compared by where they are.
    if let Some(at) = sockets.iter().position(|it| Arc::ptr_eq(it, connection)) {
        sockets.swap_remove(at);
    }
    if sockets.is_empty() {
        all.remove(key);
    }
}
