//! The rooms that one socket follows. Here, and only here, what was missed meets what is live: a
//! room's events leave one after the other, wherever they come from.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use metrics::counter;
use protocol::{
    ErrorCode, RoomId, Seq, UserId,
    events::Event,
    frame::{
        FrameId, Online, PresenceState, ServerFrame, Subscribe, Subscribed, UnsubscribeReason,
        Unsubscribed,
    },
};
use shared::{App, Refusal, store::Resume};
use tokio::{
    sync::{Semaphore, oneshot},
    time::{Duration, sleep},
};

use super::{Connection, socket::Socket};
use crate::{
    answers,
    delivery::{Next, Verdict},
    encoded::{Encoded, Entry},
    errand::Errand,
    room::{Attached, Command, Following, Room},
    rooms::{Attaching, Rooms},
};

/// The rooms that one socket follows, or is about to.
pub(super) struct Subscriptions {
    app: App,
    rooms: Rooms,
    connection: Connection,
    followed: HashMap<RoomId, Followed>,
    /// Tells an opening that is still wanted from one that was overtaken.
    openings_begun: u64,
    openings: FuturesUnordered<BoxFuture<'static, Opened>>,
    /// How many openings ask the store at once.
    asking: Arc<Semaphore>,
    /// Rooms of which this socket missed something, in the order in which they catch up.
    behind: VecDeque<RoomId>,
    /// A page of the log, for a room that is far behind; one at a time.
    reading: Errand<Page>,
}

/// One room.
struct Followed {
    attached: Arc<Attached>,
    opening: u64,
    state: State,
}

/// How far a room is.
enum State {
    /// The store is asked what was missed. What the room delivers meanwhile is found in it, or in
    /// the room's recent events afterwards.
    Opening,
    /// Everything before this place was sent; the rest comes from the room.
    Live(Next),
    /// Everything before this place was sent; more is known to follow.
    Behind(Next),
}

/// What the store says.
pub(super) enum Answer {
    Opened(Opened),
    Page(Page),
}

/// What the store answers to somebody who wants to follow a room.
pub(super) struct Opened {
    room: RoomId,
    opening: u64,
    id: Option<FrameId>,
    result: Result<(Resume, Online), Refusal>,
}

/// A page of a room's log.
pub(super) struct Page {
    room: RoomId,
    events: Result<Vec<Event>, Refusal>,
}

/// A socket asks the store about so many rooms at once.
const OPENINGS_AT_ONCE: usize = 8;
/// How many events are read at once for a socket that is behind.
const PAGE_EVENTS: u32 = 100;
/// How long to wait before a page is asked for again.
const PAGE_RETRY: Duration = Duration::from_secs(1);
/// About as much is written to a socket at once.
pub(super) const BURST_BYTES: usize = 64 * 1_024;

impl Subscriptions {
    pub(super) fn new(app: App, rooms: Rooms, connection: Connection) -> Self {
        Self {
            app,
            rooms,
            connection,
            followed: HashMap::new(),
            openings_begun: 0,
            openings: FuturesUnordered::new(),
            asking: Arc::new(Semaphore::new(OPENINGS_AT_ONCE)),
            behind: VecDeque::new(),
            reading: Errand::idle(),
        }
    }

    /// Begins to follow a room, or begins anew from another place.
    pub(super) fn subscribe(
        &mut self,
        id: Option<FrameId>,
        wish: Subscribe,
        state: PresenceState,
    ) -> Result<(), (Option<FrameId>, Refusal)> {
        let max_rooms = self.app.settings.limits.socket_max_rooms;
        let is_new = !self.followed.contains_key(&wish.room);
        if self.openings.len() >= max_rooms || (is_new && self.followed.len() >= max_rooms) {
            return Err((id, ErrorCode::RateLimited.into()));
        }
        self.openings_begun += 1;
        let opening = self.openings_begun;
        let mut loaded = None;
        if let Some(followed) = self.followed.get_mut(&wish.room) {
            followed.opening = opening;
            followed.state = State::Opening;
        } else {
            let Connection {
                id: connection,
                user,
                outbox,
                ..
            } = &self.connection;
            let attaching = self
                .rooms
                .attach(wish.room, *connection, user.clone(), outbox.clone());
            let Attaching {
                attached,
                loaded: is_loaded,
            } = attaching.map_err(|refusal| (id.clone(), refusal))?;
            loaded = Some(is_loaded);
            let state = State::Opening;
            self.followed.insert(
                wish.room,
                Followed {
                    attached,
                    opening,
                    state,
                },
            );
        }
        let room = self.followed[&wish.room].attached.room().clone();
        let asking = Arc::clone(&self.asking);
        let open = open(
            self.app.clone(),
            room,
            self.connection.clone(),
            wish,
            state,
            loaded,
        );
        self.openings.push(Box::pin(async move {
            let _turn = asking.acquire_owned().await;
            let (room, result) = open.await;
            Opened {
                room,
                opening,
                id,
                result,
            }
        }));
        Ok(())
    }

    /// Follows a room no more.
    pub(super) fn unsubscribe(&mut self, room: RoomId) {
        self.followed.remove(&room);
    }

    /// The room, if it is followed.
    pub(super) fn room(&self, room: RoomId) -> Option<&Room> {
        let followed = self.followed.get(&room)?;
        match followed.state {
            State::Opening => None,
            State::Live(_) | State::Behind(_) => Some(followed.attached.room()),
        }
    }

    /// Tells every room how its user is here.
    pub(super) fn tell_presence(&self, user: UserId, state: PresenceState) {
        for followed in self.followed.values() {
            let presence = Command::Presence(self.connection.id, user, state);
            // It may be lost when the room is too busy.
            drop(followed.attached.room().tell(presence));
        }
    }

    /// Where every room stands. What this socket is behind it will be sent without asking.
    pub(super) fn heads(&self) -> BTreeMap<RoomId, Seq> {
        let head = |(room, followed): (&RoomId, &Followed)| match &followed.state {
            State::Opening => None,
            State::Live(next) => Some((*room, followed.attached.room().head().max(next.last()))),
            State::Behind(next) => Some((*room, next.last())),
        };
        self.followed.iter().filter_map(head).collect()
    }

    /// Waits for what the store has to say. Cancel-safe.
    pub(super) async fn answered(&mut self) -> Answer {
        tokio::select! {
            // Who just comes would rather wait for less than who is behind.
            biased;
            Some(opened) = self.openings.next() => Answer::Opened(opened),
            page = self.reading.done() => Answer::Page(page),
        }
    }

    /// Sends what the store said.
    pub(super) fn take(&mut self, answer: Answer, socket: &mut Socket) {
        match answer {
            Answer::Opened(opened) => self.open(opened, socket),
            Answer::Page(page) => self.turn(page, socket),
        }
    }

    /// Sends what was missed, up to which live events begin.
    fn open(&mut self, opened: Opened, socket: &mut Socket) {
        let Opened {
            room,
            opening,
            id,
            result,
        } = opened;
        let Some(followed) = self
            .followed
            .get_mut(&room)
            .filter(|it| it.opening == opening)
        else {
            // The client has changed its mind in the meantime.
            let refusal = Refusal::from(ErrorCode::Conflict);
            return socket.push(Encoded::of(&answers::refused(id, refusal)));
        };
        match result {
            Ok((resume, online)) => {
                let max_bytes = self.app.settings.limits.server_frame_max_bytes;
                let (frame, next) = subscribed(id, room, resume, online, max_bytes);
                socket.push(frame);
                followed.state = State::Behind(next);
                self.behind.push_back(room);
            }
            Err(refusal) => {
                self.followed.remove(&room);
                socket.push(Encoded::of(&answers::refused(id, refusal)));
            }
        }
    }

    /// Sends an event if it is the next one; if others are missing, they are fetched first.
    pub(super) fn deliver(&mut self, entry: &Entry, socket: &mut Socket) {
        let Some(followed) = self.followed.get_mut(&entry.room) else {
            return;
        };
        let State::Live(next) = &mut followed.state else {
            return;
        };
        match next.offer(entry.seq) {
            Verdict::Send => self.send(entry, socket),
            Verdict::Old => {}
            Verdict::Hole => self.fall_behind(entry.room),
        }
    }

    /// Sends what may be lost.
    pub(super) fn pass(&self, room: RoomId, frame: Encoded, socket: &mut Socket) {
        if self.room(room).is_some() {
            socket.push(frame);
        }
    }

    /// Notes that events of a room were dropped.
    pub(super) fn fall_behind(&mut self, room: RoomId) {
        if let Some(followed) = self.followed.get_mut(&room)
            && let State::Live(next) = followed.state
        {
            counter!("chatx_lag_recoveries_total").increment(1);
            followed.state = State::Behind(next);
            self.behind.push_back(room);
        }
    }

    /// Whether a room can catch up right now.
    pub(super) fn is_behind(&self) -> bool {
        !self.behind.is_empty() && self.reading.is_idle()
    }

    /// Sends what the rooms that are behind have missed, about as much as fits into one write.
    pub(super) fn catch_up(&mut self, socket: &mut Socket) {
        while socket.queued_bytes() < BURST_BYTES && self.is_behind() {
            let Some(id) = self.behind.pop_front() else {
                break;
            };
            let Some(followed) = self.followed.get_mut(&id) else {
                continue;
            };
            let State::Behind(next) = followed.state else {
                continue;
            };
            match followed.attached.room().following(next.seq(), BURST_BYTES) {
                Following::Nothing => followed.state = State::Live(next),
                Following::Entries(entries) => {
                    for entry in entries {
                        self.deliver_behind(&entry, socket);
                    }
                    self.behind.push_back(id);
                }
                Following::Forgotten => self.read(id, next.last()),
            }
        }
    }

    /// Sends a page of the log.
    fn turn(&mut self, page: Page, socket: &mut Socket) {
        match page.events {
            Ok(events) if events.is_empty() => {
                // Nothing to be had: the room is being deleted, and that will be said.
                if let Some(followed) = self.followed.get_mut(&page.room)
                    && let State::Behind(next) = followed.state
                {
                    followed.state = State::Live(next);
                }
            }
            Ok(events) => {
                for event in events {
                    self.deliver_behind(&Entry::new(event), socket);
                }
                self.behind.push_back(page.room);
            }
            Err(_) => self.behind.push_back(page.room),
        }
    }

    /// Ends a room because it is gone.
    pub(super) fn gone(&mut self, room: RoomId, socket: &mut Socket) {
        match self.followed.get(&room).map(|followed| &followed.state) {
            // The store will refuse it.
            None | Some(State::Opening) => {}
            Some(_) => self.end(room, UnsubscribeReason::Deleted, socket),
        }
    }

    fn deliver_behind(&mut self, entry: &Entry, socket: &mut Socket) {
        if let Some(followed) = self.followed.get_mut(&entry.room)
            && let State::Behind(next) = &mut followed.state
            && next.offer(entry.seq) == Verdict::Send
        {
            self.send(entry, socket);
        }
    }

    fn send(&mut self, entry: &Entry, socket: &mut Socket) {
        socket.push(entry.frame.clone());
        if let Some(reason) = entry.ends_for(self.connection.user.id) {
            self.end(entry.room, reason, socket);
        }
    }

    fn end(&mut self, room: RoomId, reason: UnsubscribeReason, socket: &mut Socket) {
        self.followed.remove(&room);
        let frame = ServerFrame::Unsubscribed(Unsubscribed { room, reason });
        socket.push(Encoded::of(&frame));
    }

    fn read(&mut self, room: RoomId, after: Seq) {
        let store = self.app.store.clone();
        self.reading.begin(async move {
            let events = store
                .events(room, after, PAGE_EVENTS)
                .await
                .map_err(Refusal::from);
            if events.is_err() {
                sleep(PAGE_RETRY).await;
            }
            Page { room, events }
        });
    }
}

/// Asks the store what was missed, and the room who is there. The room delivers to this socket
/// since before the store is asked, so nothing is missed in between.
async fn open(
    app: App,
    room: Room,
    connection: Connection,
    wish: Subscribe,
    state: PresenceState,
    loaded: Option<oneshot::Receiver<Result<(), Refusal>>>,
) -> (RoomId, Result<(Resume, Online), Refusal>) {
    let opening = async {
        if let Some(loaded) = loaded {
            loaded.await.map_err(|_| ErrorCode::Unavailable)??;
        }
        let Subscribe {
            room: id,
            after,
            after_id,
            limit,
        } = wish;
        let limits = &app.settings.limits;
        let user = connection.user.id;
        let resume = app
            .store
            .resume(id, user, after, after_id, limit, limits)
            .await?;
        let online = room
            .enter(connection.id, state, resume.member_count)
            .await?;
        Ok((resume, online))
    };
    (wish.room, opening.await)
}

/// The `subscribed` frame with as many events as fit, and the place after them.
fn subscribed(
    id: Option<FrameId>,
    room: RoomId,
    resume: Resume,
    online: Online,
    max_bytes: usize,
) -> (Encoded, Next) {
    let Resume {
        head,
        first,
        reset,
        events,
        ..
    } = resume;
    let before = events.first().map_or(head, |event| event.seq.previous());
    let mut subscribed = Subscribed {
        id,
        room,
        head,
        first,
        events,
        reset,
        online,
    };
    loop {
        let encoded = Encoded::of(&ServerFrame::Subscribed(subscribed.clone()));
        let events = &mut subscribed.events;
        if encoded.len() <= max_bytes || events.is_empty() {
            return (
                encoded,
                Next::after(events.last().map_or(before, |event| event.seq)),
            );
        }
        // Half as many fit sooner or later; a few rounds are cheaper than measuring each event.
        events.truncate(events.len() / 2);
    }
}
