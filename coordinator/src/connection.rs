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
pub(crate) use subscriptions::Subscriptions;
pub(crate) use wire::Begun;
#[cfg(test)]
pub(crate) use wire::Wire;

use std::{
    future::poll_fn,
    net::IpAddr,
    pin::{Pin, pin},
    sync::{Arc, OnceLock},
    task::{Context, Poll},
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
use sends::{Sends, Turn};
use socket::Socket;
use subscriptions::Answer;
use tokio::{
    task::coop::has_budget_remaining,
    time::{Instant, Sleep, sleep_until},
};
use tracing::{Span, debug, info, info_span};

use crate::{
    Node,
    encoded::Encoded,
    errand::Errand,
    outbox::{Backlog, Capacity, ENOUGH_BYTES, Outbox, TryWrite},
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
    pub(crate) user: Arc<UserSummary>,
    /// The session that it stands on.
    pub(crate) session: SessionId,
    /// Its way out.
    pub(crate) outbox: Outbox,
    opened_at: Instant,
    /// Why it ends, once it shall.
    ends: OnceLock<CloseReason>,
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
            user: Arc::new(passport.user.clone()),
            session: passport.session,
            outbox: Outbox::new(capacity, line),
            opened_at: Instant::now(),
            ends: OnceLock::new(),
        }
    }

    /// Ends it. The first reason counts.
    pub(crate) fn close(&self, reason: CloseReason) {
        self.ends.get_or_init(|| reason);
        self.outbox.wake();
    }

    /// Where what is logged about what it asks for belongs. Made when it is needed: one for each idle socket
    /// would weigh as much as the socket.
    fn span(&self) -> Span {
        let (connection, user, session) = (self.id, self.user.id, self.session);
        info_span!("connection", connection.id = %connection, user.id = %user, session.id = %session)
    }
}

/// Serves one socket until it ends. Everything is made before the future, which so has room for it once only; and
/// that is apart from its task, because what is as large and aligned as tokio's tasks are is rounded up a lot.
pub(crate) fn run(
    node: Node,
    begun: Begun,
    passport: &Passport,
) -> Pin<Box<impl Future<Output = ()> + Send + use<>>> {
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
    debug!(connection.id = %id, user.id = %passport.user.id, ip = %passport.ip, "connection opened");

    let outbox = connection.outbox.clone();
    let socket = Socket::new(wire, outbox, &read, &node.app.settings.limits);
    let mut owner = Owner::new(node, connection, socket, passport);
    Box::pin(async move {
        let end = owner.run_inner().await;
        let (span, opened_at) = (owner.connection.span(), owner.connection.opened_at);
        drop(here);
        // On the heap, so that live sockets do not carry it around.
        Box::pin(owner.finish(end)).await;

        counter!("chatx_socket_closes_total", "reason" => end.as_str()).increment(1);
        let duration_ms = u64::try_from(opened_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (code, reason) = (end.code(), end.as_str());
        span.in_scope(|| info!(close.code = code, reason, duration_ms, "connection closed"));
    })
}

/// The first frame of every socket.
fn greeting(node: &Node, connection: &Connection) -> Encoded {
    Encoded::of(&ServerFrame::Ready(Ready {
        connection: connection.id,
        user: UserSummary::clone(&connection.user),
        node: node.name.to_string(),
        heartbeat_s: HEARTBEAT.as_secs(),
        limits: node.app.settings.limits.clone(),
    }))
}

/// What the node knows of a live socket, taken back however the socket ends.
struct Here {
    node: Node,
    connection: Arc<Connection>,
}

impl Here {
    fn new(node: &Node, connection: Arc<Connection>) -> Self {
        let (id, user) = (connection.id, connection.user.id);
        node.presences.note(user, id, PresenceState::Online);
        gauge!("chatx_sockets").increment(1.0);
        node.connections.add(&connection);
        Self {
            node: node.clone(),
            connection,
        }
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        let connection = &self.connection;
        self.node.connections.remove(connection);
        self.node.presences.clear(connection.user.id, connection.id);
        gauge!("chatx_sockets").decrement(1.0);
    }
}

/// What a socket's owner does next.
enum Next {
    /// Some time has come.
    Time,
    /// The store has answered.
    Answer(Answer),
    /// A message may go, or one more may come.
    Turn(Turn),
    /// A new token is checked.
    Renewed(Renewed),
    /// Rooms need attention, or the socket shall end.
    Concerns,
    /// A room can catch up.
    Behind,
    /// The kernel may take more.
    Space,
    /// The peer has said something.
    Peer,
}

/// What a socket's owner looks for beside what it always does.
#[derive(Clone, Copy)]
struct Heeds {
    /// What the store answers, because there is space for it.
    answers: bool,
    /// That the kernel takes more.
    space: bool,
}

/// The task that owns the socket.
struct Owner {
    node: Node,
    connection: Arc<Connection>,
    socket: Socket,
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
            sends: Sends::default(),
            requests: Requests::new(passport),
            pace: Pace::new(now),
            pulse: Pulse::new(now, expires_at),
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
            if let Some(reason) = self.connection.ends.get() {
                return End::Closed(*reason);
            }
            let now = Instant::now();
            self.pulse.watch(now, backlog.bytes, backlog.written);
            let deadline = self.pulse.deadline();
            if deadline != timer.deadline() {
                timer.as_mut().reset(deadline);
            }
            let has_space = backlog.bytes < ENOUGH_BYTES;
            if !self.listens() {
                // Nobody listens, so that it is silent means nothing; that it stalls still does.
                self.pulse.heard(now);
            }
            let heeds = Heeds {
                answers: has_space,
                space: backlog.is_stuck,
            };
            let next = poll_fn(|cx| self.poll_next(cx, timer.as_mut(), heeds));
            match next.await {
                Next::Time => {
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
                Next::Answer(answer) => self.subscriptions.take(answer),
                Next::Turn(turn) => self.sends.take(&self.node, &turn),
                Next::Renewed(renewed) => self.renewed(renewed),
                Next::Concerns => self.subscriptions.attend(),
                Next::Behind => self.subscriptions.catch_up(),
                Next::Space => {}
                Next::Peer => {
                    if let Some(end) = self.listen() {
                        return end;
                    }
                }
            }
        }
    }

    /// What is to be done next. It keeps nothing between two looks, as waiting for one future for each would in
    /// every idle socket.
    ///
    /// Time comes first, because it is rare. Next come the answers of the store: as many as were asked for, and
    /// taken only when they find space. The peer is last, since one that never pauses is always ready.
    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        timer: Pin<&mut Sleep>,
        heeds: Heeds,
    ) -> Poll<Next> {
        if !has_budget_remaining() {
            // A socket that is always busy lets others have their turn.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if timer.poll(cx).is_ready() {
            return Poll::Ready(Next::Time);
        }
        if heeds.answers
            && let Poll::Ready(answer) = self.subscriptions.poll_answered(cx)
        {
            return Poll::Ready(Next::Answer(answer));
        }
        if let Poll::Ready(turn) = self.sends.poll_turn(cx) {
            return Poll::Ready(Next::Turn(turn));
        }
        if let Poll::Ready(renewed) = self.renewal.poll_done(cx) {
            return Poll::Ready(Next::Renewed(renewed));
        }
        if self.connection.outbox.poll_due(cx).is_ready() {
            return Poll::Ready(Next::Concerns);
        }
        if heeds.answers && self.subscriptions.is_behind() {
            return Poll::Ready(Next::Behind);
        }
        if heeds.space && self.socket.poll_writable(cx).is_ready() {
            return Poll::Ready(Next::Space);
        }
        // Whether it listens is seen only now: a message that was answered since the turn began wakes nobody.
        if self.listens() && self.socket.poll_readable(cx).is_ready() {
            return Poll::Ready(Next::Peer);
        }
        Poll::Pending
    }
}
