//! The rooms that one socket follows. Here, and only here, what was missed meets what is live: a
//! room's events leave one after the other, wherever they come from.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use metrics::counter;
use protocol::{
    ErrorCode, RoomId, Seq, UserId,
    events::Event,
    frame::{FrameId, PresenceState, ServerFrame, UnsubscribeReason, Unsubscribed},
};
use shared::{Refusal, broken_rule::BrokenRule};
use tokio::time::{Duration, sleep};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::{
    Connection,
    openings::{Missed, Opened, Opening, Openings, Wish},
};
use crate::{
    answers,
    delivery::{Next, Verdict},
    encoded::{Encoded, Entry},
    errand::Errand,
    room::{Attached, Command, Following, Room},
    rooms::{Attaching, Rooms},
};

/// The rooms that one socket follows, or is about to.
pub(crate) struct Subscriptions {
    rooms: Rooms,
    tasks: TaskTracker,
    connection: Arc<Connection>,
    /// How its user is here.
    presence: PresenceState,
    followed: BTreeMap<RoomId, Followed>,
    openings: Openings,
    /// Rooms of which this socket missed something, in the order in which they catch up.
    behind: VecDeque<RoomId>,
    /// A page of the log, for a room that is far behind; one at a time.
    reading: Errand<Page>,
}

/// One room.
struct Followed {
    attached: Arc<Attached>,
    /// The latest wish to follow it; answers to earlier ones come too late.
    opening: Opening,
    /// Where the log stood when this socket's user was last seen to be a member: that they went
    /// before it is the past, since they came back.
    member_at: Seq,
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

/// Where frames leave.
pub(crate) trait FramesOut {
    /// Queues a frame.
    fn push(&mut self, frame: Encoded);

    /// How many bytes wait to be written.
    fn queued_bytes(&self) -> usize;
}

/// What the store says.
pub(crate) enum Answer {
    Opened(Opened),
    Page(Page),
}

/// A page of a room's log.
pub(crate) struct Page {
    room: RoomId,
    events: Result<Vec<Event>, Refusal>,
}

/// How many events are read at once for a socket that is behind.
const PAGE_EVENTS: u32 = 100;
/// How long to wait before a page is asked for again.
const PAGE_RETRY: Duration = Duration::from_secs(1);
/// About as much is written to a socket at once.
pub(crate) const BURST_BYTES: usize = 64 * 1_024;

impl Subscriptions {
    /// Of a socket that follows nothing yet; what it asks the store is counted by `tasks`.
    pub(crate) fn new(rooms: Rooms, tasks: TaskTracker, connection: Arc<Connection>) -> Self {
        Self {
            openings: Openings::new(rooms.clone(), tasks.clone(), Arc::clone(&connection)),
            rooms,
            tasks,
            connection,
            presence: PresenceState::Online,
            followed: BTreeMap::new(),
            behind: VecDeque::new(),
            reading: Errand::idle(),
        }
    }

    /// Begins to follow a room, or begins anew from another place.
    pub(crate) fn subscribe(&mut self, wish: Wish) -> Result<(), (Option<FrameId>, Refusal)> {
        let id = wish.subscribe.room;
        self.presence = wish.presence;
        let max_rooms = self.rooms.limits().socket_max_rooms;
        if self.openings.len() >= max_rooms {
            return Err((wish.id, ErrorCode::RateLimited.into()));
        }
        if let Some(followed) = self.followed.get_mut(&id) {
            let room = followed.attached.room().clone();
            followed.opening = self.openings.begin(room, wish, None);
            followed.state = State::Opening;
            return Ok(());
        }
        if self.followed.len() >= max_rooms {
            return Err((wish.id, ErrorCode::Conflict.into()));
        }
        let Attaching { attached, loaded } = match self.rooms.attach(id, &self.connection) {
            Ok(attaching) => attaching,
            Err(refusal) => return Err((wish.id, refusal)),
        };
        let room = attached.room().clone();
        let opening = self.openings.begin(room, wish, Some(loaded));
        self.followed.insert(
            id,
            Followed {
                attached,
                opening,
                member_at: Seq::ZERO,
                state: State::Opening,
            },
        );
        Ok(())
    }

    /// Follows a room no more.
    pub(crate) fn unsubscribe(&mut self, room: RoomId) {
        self.followed.remove(&room);
    }

    /// The room, if it is followed.
    pub(crate) fn room(&self, room: RoomId) -> Option<&Room> {
        let followed = self.followed.get(&room)?;
        match followed.state {
            State::Opening => None,
            State::Live(_) | State::Behind(_) => Some(followed.attached.room()),
        }
    }

    /// Tells every room how its user is here.
    pub(crate) fn tell_presence(&mut self, user: UserId, state: PresenceState) {
        self.presence = state;
        for followed in self.followed.values() {
            let presence = Command::Presence(self.connection.id, user, state);
            // It may be lost when the room is too busy.
            drop(followed.attached.room().tell(presence));
        }
    }

    /// Where every room stands. What this socket is behind it will be sent without asking.
    pub(crate) fn heads(&self) -> BTreeMap<RoomId, Seq> {
        let head = |(room, followed): (&RoomId, &Followed)| match &followed.state {
            State::Opening => None,
            State::Live(next) => Some((*room, followed.attached.room().head().max(next.last()))),
            State::Behind(next) => Some((*room, next.last())),
        };
        self.followed.iter().filter_map(head).collect()
    }

    /// Waits for what the store has to say. Cancel-safe.
    pub(crate) async fn answered(&mut self) -> Answer {
        tokio::select! {
            // Who just comes would rather wait for less than who is behind.
            biased;
            Some(opened) = self.openings.next() => Answer::Opened(opened),
            page = self.reading.done() => Answer::Page(page),
        }
    }

    /// Sends what the store said.
    pub(crate) fn take(&mut self, answer: Answer, out: &mut impl FramesOut) {
        match answer {
            Answer::Opened(opened) => self.open(opened, out),
            Answer::Page(page) => self.turn(page, out),
        }
    }

    /// Sends what was missed, up to which live events begin.
    fn open(&mut self, opened: Opened, out: &mut impl FramesOut) {
        let Opened {
            room,
            opening,
            id,
            presence,
            result,
            ..
        } = opened;
        let followed = self.followed.get_mut(&room);
        if let Some(followed) = &followed
            && presence != self.presence
        {
            // It has changed meanwhile. The room was told as it was, even by an opening that is overtaken.
            let user = self.connection.user.id;
            let changed = Command::Presence(self.connection.id, user, self.presence);
            drop(followed.attached.room().tell(changed));
        }
        let Some(followed) = followed.filter(|it| it.opening == opening) else {
            // The client has changed its mind in the meantime.
            let refusal = Refusal::from(ErrorCode::Conflict);
            return out.push(Encoded::of(&answers::refused(id, refusal)));
        };
        match result {
            Ok(Missed { frame, next, head }) => {
                out.push(frame);
                followed.member_at = head;
                followed.state = State::Behind(next);
                self.behind.push_back(room);
            }
            Err(refusal) => {
                self.followed.remove(&room);
                out.push(Encoded::of(&answers::refused(id, refusal)));
            }
        }
    }

    /// Sends an event if it is the next one; if others are missing, they are fetched first.
    pub(crate) fn deliver(&mut self, entry: &Entry, out: &mut impl FramesOut) {
        let Some(followed) = self.followed.get_mut(&entry.room) else {
            return;
        };
        let State::Live(next) = &mut followed.state else {
            return;
        };
        let verdict = if BrokenRule::NoHoleCheck.is_broken() {
            next.offer_without_care(entry.seq)
        } else {
            next.offer(entry.seq)
        };
        match verdict {
            Verdict::Send => self.send(entry, out),
            Verdict::Old => {}
            Verdict::Hole => self.fall_behind(entry.room),
        }
    }

    /// Sends what may be lost.
    pub(crate) fn pass(&self, room: RoomId, frame: Encoded, out: &mut impl FramesOut) {
        if self.room(room).is_some() {
            out.push(frame);
        }
    }

    /// Notes that events of a room were dropped.
    pub(crate) fn fall_behind(&mut self, room: RoomId) {
        if let Some(followed) = self.followed.get_mut(&room)
            && let State::Live(next) = followed.state
        {
            counter!("chatx_lag_recoveries_total").increment(1);
            followed.state = State::Behind(next);
            self.behind.push_back(room);
        }
    }

    /// Whether a room can catch up right now.
    pub(crate) fn is_behind(&self) -> bool {
        !self.behind.is_empty() && self.reading.is_idle()
    }

    /// Sends what the rooms that are behind have missed, about as much as fits into one write.
    pub(crate) fn catch_up(&mut self, out: &mut impl FramesOut) {
        while out.queued_bytes() < BURST_BYTES && self.is_behind() {
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
                        self.deliver_behind(&entry, out);
                    }
                    self.behind.push_back(id);
                }
                Following::Forgotten => self.read(id, next.last()),
            }
        }
    }

    /// Sends a page of the log.
    fn turn(&mut self, page: Page, out: &mut impl FramesOut) {
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
                    self.deliver_behind(&Entry::new(event), out);
                }
                self.behind.push_back(page.room);
            }
            Err(_) => self.behind.push_back(page.room),
        }
    }

    /// Ends a room because it is gone.
    pub(crate) fn gone(&mut self, room: RoomId, out: &mut impl FramesOut) {
        match self.followed.get(&room).map(|followed| &followed.state) {
            // The store will refuse it.
            None | Some(State::Opening) => {}
            Some(_) => self.end(room, UnsubscribeReason::Deleted, out),
        }
    }

    fn deliver_behind(&mut self, entry: &Entry, out: &mut impl FramesOut) {
        if let Some(followed) = self.followed.get_mut(&entry.room)
            && let State::Behind(next) = &mut followed.state
            && next.offer(entry.seq) == Verdict::Send
        {
            self.send(entry, out);
        }
    }

    fn send(&mut self, entry: &Entry, out: &mut impl FramesOut) {
        out.push(entry.frame.clone());
        let is_past = |followed: &Followed| entry.seq <= followed.member_at;
        if self.followed.get(&entry.room).is_some_and(is_past) {
            return;
        }
        if let Some(reason) = entry.ends_for(self.connection.user.id) {
            self.end(entry.room, reason, out);
        }
    }

    fn end(&mut self, room: RoomId, reason: UnsubscribeReason, out: &mut impl FramesOut) {
        self.followed.remove(&room);
        let frame = ServerFrame::Unsubscribed(Unsubscribed { room, reason });
        out.push(Encoded::of(&frame));
    }

    fn read(&mut self, room: RoomId, after: Seq) {
        let events = self.rooms.log().events(room, after, PAGE_EVENTS);
        // A task, for the reason that openings are.
        let reading = AbortOnDropHandle::new(self.tasks.spawn(async move {
            let events = events.await;
            if events.is_err() {
                sleep(PAGE_RETRY).await;
            }
            events
        }));
        self.reading.begin(async move {
            let events = reading.await;
            let events = events.unwrap_or_else(|_| Err(ErrorCode::Unavailable.into()));
            Page { room, events }
        });
    }
}
