//! One socket and the task that owns it: frames in, frames out, and how it ends. What frames do to
//! rooms is the rooms' business.

mod ending;
mod frames;
mod listening;
mod openings;
mod pace;
mod pulse;
mod reading;
mod requests;
mod sends;
mod socket;
mod subscriptions;
mod unanswered;
mod wire;
#[cfg(test)]
mod weight;

pub(crate) use openings::Wish;
pub(crate) use reading::with_scratch;
pub(crate) use subscriptions::{BURST_BYTES, Subscriptions};
pub(crate) use wire::Begun;
#[cfg(test)]
pub(crate) use wire::Wire;

use std::{
    net::IpAddr,
    pin::pin,
    sync::{Arc, OnceLock},
};

use ending::End;
use frames::Renewed;
use metrics::{counter, gauge};
use pace::Pace;
use protocol::{
    ConnectionId, SessionId, Timestamp,
    accounts::UserSummary,
    bots::Scopes,
    frame::{CloseReason, PresenceState, Ready, ServerFrame},
};
use pulse::{Due, HEARTBEAT, Pulse};
use requests::Requests;
use sends::Sends;
use socket::Socket;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tracing::{Span, debug, info, info_span};

use crate::{
    Node,
    connections::Registered,
    encoded::Encoded,
    errand::Errand,
    outbox::{Backlog, Capacity, Outbox, TryWrite},
};

/// Somebody who was let in.
#[derive(Clone, Debug)]
pub(crate) struct Passport {
    /// Who it is.
    pub(crate) user: UserSummary,
    /// The session whose token or ticket they showed.
    pub(crate) session: SessionId,
    /// Whether they have server-admin rights.
    pub(crate) admin: bool,
    /// What they may do, if they are a bot.
    pub(crate) scopes: Option<Scopes>,
    /// When the token stops being good.
    pub(crate) expires_at: Timestamp,
    /// Where they come from.
    pub(crate) ip: IpAddr,
}

/// A live socket, as the rest of the node sees it.
pub(crate) struct Connection {
    /// Names the socket.
    pub(crate) id: ConnectionId,
    /// Who is on it.
    pub(crate) user: UserSummary,
    /// The session that it stands on.
    pub(crate) session: SessionId,
    /// Its way out.
    pub(crate) outbox: Outbox,
    /// Why it ends, once it shall.
    ends: OnceLock<CloseReason>,
    /// Tells that it shall.
    ending: Notify,
}

impl Connection {
    /// A socket whose frames leave by `line`, of which so much may wait.
    pub(crate) fn new(
        id: ConnectionId,
        passport: &Passport,
        capacity: Capacity,
        line: impl TryWrite + 'static,
    ) -> Self {
        Self {
            id,
            user: passport.user.clone(),
            session: passport.session,
            outbox: Outbox::new(capacity, line),
            ends: OnceLock::new(),
            ending: Notify::new(),
        }
    }

    /// Ends it. The first reason counts.
    pub(crate) fn close(&self, reason: CloseReason) {
        self.ends.get_or_init(|| reason);
        self.ending.notify_one();
    }

    /// Waits for [`Connection::close`]. Only the owner may.
    async fn closing(&self) -> CloseReason {
        loop {
            if let Some(reason) = self.ends.get() {
                return *reason;
            }
            self.ending.notified().await;
        }
    }

    /// Where what is logged about what it asks for belongs. Made when it is needed: one for each idle socket
    /// would weigh as much as the socket.
    fn span(&self) -> Span {
        let (connection, user, session) = (self.id, self.user.id, self.session);
        info_span!("connection", connection.id = %connection, user.id = %user, session.id = %session)
    }
}

/// Serves one socket until it ends. Everything is made before the future, which so has room for it once only.
pub(crate) fn run(
    node: Node,
    begun: Begun,
    passport: &Passport,
) -> impl Future<Output = ()> + Send + use<> {
    let id = node.app.clock.id();
    let Begun {
        wire,
        read,
        unwritten,
    } = begun;
    let connection = Connection::new(id, passport, Capacity::default(), wire.clone());
    // Both leave before anything that is said to the socket once it is known.
    connection.outbox.hold(Encoded::whole(unwritten));
    connection.outbox.hold(greeting(&node, &connection));
    let connection = Arc::new(connection);
    let here = Here::new(&node, Arc::clone(&connection));
    let opened_at = Instant::now();
    debug!(connection.id = %id, user.id = %passport.user.id, ip = %passport.ip, "connection opened");

    let outbox = connection.outbox.clone();
    let socket = Socket::new(wire, outbox, &read, &node.app.settings.limits);
    let mut owner = Owner::new(node, connection, socket, passport);
    async move {
        let end = owner.run_inner().await;
        let span = owner.connection.span();
        drop(here);
        // On the heap, so that live sockets do not carry it around.
        Box::pin(owner.finish(end)).await;

        counter!("chatx_socket_closes_total", "reason" => end.as_str()).increment(1);
        let duration_ms = u64::try_from(opened_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (code, reason) = (end.code(), end.as_str());
        span.in_scope(|| info!(close.code = code, reason, duration_ms, "connection closed"));
    }
}

/// The first frame of every socket.
fn greeting(node: &Node, connection: &Connection) -> Encoded {
    Encoded::of(&ServerFrame::Ready(Ready {
        connection: connection.id,
        user: connection.user.clone(),
        node: node.name.to_string(),
        heartbeat_s: HEARTBEAT.as_secs(),
        limits: node.app.settings.limits.clone(),
    }))
}

/// What the node knows of a live socket, taken back however the socket ends.
struct Here {
    node: Node,
    registered: Registered,
}

impl Here {
    fn new(node: &Node, connection: Arc<Connection>) -> Self {
        let (id, user) = (connection.id, connection.user.id);
        node.presences.note(user, id, PresenceState::Online);
        gauge!("chatx_sockets").increment(1.0);
        Self {
            node: node.clone(),
            registered: node.connections.add(connection),
        }
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        let connection = &self.registered.connection;
        self.node.presences.clear(connection.user.id, connection.id);
        gauge!("chatx_sockets").decrement(1.0);
    }
}

/// The task that owns the socket.
struct Owner {
    node: Node,
    connection: Arc<Connection>,
    socket: Socket,
    presence: PresenceState,
    /// What they may do, if they are a bot.
    scopes: Option<Scopes>,
    subscriptions: Subscriptions,
    sends: Sends,
    requests: Requests,
    pace: Pace,
    pulse: Pulse,
    renewal: Errand<Renewed>,
}

impl Owner {
    fn new(node: Node, connection: Arc<Connection>, socket: Socket, passport: &Passport) -> Self {
        let now = Instant::now();
        let expires_at = now + passport.expires_at.since(node.app.clock.now());
        let (rooms, tasks) = (node.rooms.clone(), node.tasks.clone());
        let subscriptions = Subscriptions::new(rooms, tasks, Arc::clone(&connection));
        Self {
            sends: Sends::new(node.clone(), Arc::clone(&connection)),
            requests: Requests::new(&node, Arc::clone(&connection), passport),
            pace: Pace::new(&node.app.settings.rates, now),
            pulse: Pulse::new(now, expires_at),
            presence: PresenceState::Online,
            scopes: passport.scopes,
            renewal: Errand::idle(),
            node,
            connection,
            socket,
            subscriptions,
        }
    }

    async fn run_inner(&mut self) -> End {
        // A session that was revoked between its check and the socket's registration ends here.
        let revocations = &self.node.app.revocations;
        // On the heap, because it is larger than all that follows, and over when that begins.
        let revoked = Box::pin(revocations.is_revoked(self.connection.session)).await;
        if revoked.unwrap_or(false) {
            return End::Closed(CloseReason::SessionEnded);
        }
        // Somebody may come through the door while it closes.
        if self.node.draining.is_cancelled() {
            return End::Closed(CloseReason::NodeGoingAway);
        }
        let mut timer = pin!(sleep_until(self.pulse.deadline()));
        loop {
            // What was held in the last turn leaves in one write.
            self.connection.outbox.flush();
            let backlog = self.connection.outbox.backlog();
            if backlog.is_over {
                return End::Peer;
            }
            let now = Instant::now();
            self.pulse.watch(now, backlog.bytes, backlog.written);
            let deadline = self.pulse.deadline();
            if deadline != timer.deadline() {
                timer.as_mut().reset(deadline);
            }
            let has_space = backlog.bytes < BURST_BYTES / 2;
            let listens = self.listens();
            if !listens {
                // Nobody listens, so that it is silent means nothing; that it stalls still does.
                self.pulse.heard(now);
            }
            // Ending comes first, then time, because both are rare. Next come the answers of the
            // store: as many as were asked for, and taken only when they find space. The socket is
            // last, since a peer that never pauses is always ready.
            tokio::select! {
                biased;
                reason = self.connection.closing() => return End::Closed(reason),
                () = &mut timer => {
                    // Others may have written since.
                    let Backlog { bytes, written, .. } = self.connection.outbox.backlog();
                    let now = Instant::now();
                    self.pulse.watch(now, bytes, written);
                    match self.pulse.due(now) {
                        Due::Nothing => {}
                        Due::Ping => self.connection.outbox.hold(Encoded::PING),
                        Due::End(reason) => return End::Closed(reason),
                        Due::Lost => return End::Lost,
                    }
                }
                answer = self.subscriptions.answered(), if has_space => {
                    self.subscriptions.take(answer);
                }
                turn = self.sends.turn() => self.sends.take(&turn),
                renewed = self.renewal.done() => self.renewed(renewed),
                () = self.connection.outbox.due() => self.subscriptions.attend(),
                () = std::future::ready(()), if has_space && self.subscriptions.is_behind() => {
                    self.subscriptions.catch_up();
                }
                () = self.socket.writable(), if backlog.is_stuck => {}
                () = self.socket.readable(), if listens => {
                    if let Some(end) = self.listen() {
                        return end;
                    }
                }
            }
        }
    }
}
