//! The rooms that one socket follows: what it missed in them is brought here, up to where they are live.
//! What is live leaves without it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    task::{Context, Poll},
};

use metrics::counter;
use protocol::{
    ErrorCode, RoomId, Seq, UserId,
    events::Event,
    frame::{FrameId, PresenceState, ServerFrame, UnsubscribeReason, Unsubscribed},
};
use shared::Refusal;
use tokio::time::{Duration, sleep};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::{
    Connection,
    openings::{Asking, Missed, Opened, Opening, Openings, Wish},
};
#[cfg(test)]
use crate::delivery::Next;
use crate::{
    answers,
    encoded::{Encoded, Entry},
    errand::Errand,
    few::Few,
    outbox::{Concerns, Place},
    room::{Attached, Command, Following, Room},
    rooms::{Attaching, Rooms},
};

/// The rooms that one socket follows, or is about to.
pub(crate) struct Subscriptions {
    asking: Asking,
    /// How its user is here.
    presence: PresenceState,
    followed: Few<RoomId, Followed>,
    openings: Openings,
    /// Mostly nothing.
    catching_up: Option<Box<CatchingUp>>,
}

/// What a socket missed.
#[derive(Default)]
struct CatchingUp {
    /// The rooms of which it missed something, in the order in which they catch up.
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
    /// Whether the store is still asked what was missed. What the room delivers meanwhile is found in it, or
    /// in the room's recent events afterwards. From then on the outbox knows how far the room is.
    is_opening: bool,
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
const BURST_BYTES: usize = 64 * 1_024;

impl Subscriptions {
    /// Of a socket that follows nothing yet; what it asks the store is counted by `tasks`.
    pub(crate) fn new(rooms: Rooms, tasks: TaskTracker, connection: Arc<Connection>) -> Self {
        Self {
            openings: Openings::default(),
            asking: Asking {
                rooms,
                tasks,
                connection,
            },
            presence: PresenceState::Online,
            followed: Few::default(),
            catching_up: None,
        }
    }

    /// Begins to follow a room, or begins anew from another place.
    pub(crate) fn subscribe(&mut self, wish: Wish) -> Result<(), (Option<FrameId>, Refusal)> {
        let id = wish.subscribe.room;
        self.presence = wish.presence;
        let max_rooms = self.asking.rooms.limits().socket_max_rooms;
        if self.openings.len() >= max_rooms {
            return Err((wish.id, ErrorCode::RateLimited.into()));
        }
        if let Some(followed) = self.followed.get_mut(id) {
            let room = followed.attached.room().clone();
            followed.opening = self.openings.begin(&self.asking, room, wish, None);
            followed.is_opening = true;
            self.asking.connection.outbox.unfollow(id);
            return Ok(());
        }
        if self.followed.len() >= max_rooms {
            return Err((wish.id, ErrorCode::Conflict.into()));
        }
        let Attaching { attached, loaded } =
            match self.asking.rooms.attach(id, &self.asking.connection) {
                Ok(attaching) => attaching,
                Err(refusal) => return Err((wish.id, refusal)),
            };
        let room = attached.room().clone();
        let opening = self.openings.begin(&self.asking, room, wish, Some(loaded));
        self.followed.insert(
            id,
            Followed {
                attached,
                opening,
                member_at: Seq::ZERO,
                is_opening: true,
            },
        );
        Ok(())
    }

    /// Follows a room no more.
    pub(crate) fn unsubscribe(&mut self, room: RoomId) {
        self.followed.remove(room);
        self.asking.connection.outbox.unfollow(room);
    }

    /// The room, if it is followed.
    pub(crate) fn room(&self, room: RoomId) -> Option<&Room> {
        let followed = self.followed.get(room).filter(|it| !it.is_opening)?;
        Some(followed.attached.room())
    }

    /// How its user is here.
    pub(crate) const fn presence(&self) -> PresenceState {
        self.presence
    }

    /// Tells every room how its user is here.
    pub(crate) fn tell_presence(&mut self, user: UserId, state: PresenceState) {
        self.presence = state;
        for followed in self.followed.values() {
            let presence = Command::Presence(self.asking.connection.id, user, state);
            // It may be lost when the room is too busy.
            drop(followed.attached.room().tell(presence));
        }
    }

    /// Where every room stands. What this socket is behind it will be sent without asking.
    pub(crate) fn heads(&self) -> BTreeMap<RoomId, Seq> {
        let outbox = &self.asking.connection.outbox;
        let head = |(room, followed): (RoomId, &Followed)| match outbox.place(room)? {
            Place::Live(next) => Some((room, followed.attached.room().head().max(next.last()))),
            Place::Behind(next) => Some((room, next.last())),
        };
        self.followed.iter().filter_map(head).collect()
    }

    /// Waits for what the store has to say. Cancel-safe.
    #[cfg(test)]
    pub(crate) async fn answered(&mut self) -> Answer {
        std::future::poll_fn(|cx| self.poll_answered(cx)).await
    }

    /// What the store has to say: who just comes would rather wait for less than who is behind.
    pub(crate) fn poll_answered(&mut self, cx: &mut Context<'_>) -> Poll<Answer> {
        if let Poll::Ready(opened) = self.openings.poll_next(cx) {
            return Poll::Ready(Answer::Opened(opened));
        }
        match &mut self.catching_up {
            Some(catching_up) => catching_up.reading.poll_done(cx).map(Answer::Page),
            None => Poll::Pending,
        }
    }

    /// Sends what the store said.
    pub(crate) fn take(&mut self, answer: Answer) {
        match answer {
            Answer::Opened(opened) => self.open(opened),
            Answer::Page(page) => self.turn(page),
        }
    }

    /// Sends what was missed, up to which live events begin.
    fn open(&mut self, opened: Opened) {
        let Opened {
            room,
            opening,
            id,
            presence,
            result,
            ..
        } = opened;
        let followed = self.followed.get_mut(room);
        if let Some(followed) = &followed
            && presence != self.presence
        {
            // It has changed meanwhile. The room was told as it was, even by an opening that is overtaken.
            let user = self.asking.connection.user.id;
            let changed = Command::Presence(self.asking.connection.id, user, self.presence);
            drop(followed.attached.room().tell(changed));
        }
        let Some(followed) = followed.filter(|it| it.opening == opening) else {
            // The client has changed its mind in the meantime.
            let refusal = Refusal::from(ErrorCode::Conflict);
            return self.hold(&answers::refused(id, refusal));
        };
        match result {
            Ok(Missed { frame, next, head }) => {
                followed.member_at = head;
                followed.is_opening = false;
                self.asking.connection.outbox.hold(frame);
                self.asking.connection.outbox.follow(room, next);
                self.behind().push_back(room);
            }
            Err(refusal) => {
                self.followed.remove(room);
                self.hold(&answers::refused(id, refusal));
            }
        }
    }

    /// Sees to the rooms for which the outbox wants it.
    pub(crate) fn attend(&mut self) {
        let Concerns { behind, gone } = self.asking.connection.outbox.take_concerns();
        counter!("chatx_lag_recoveries_total").increment(behind.len() as u64);
        if !behind.is_empty() {
            self.behind().extend(behind);
        }
        for room in gone {
            // If it is opening, the store will refuse it.
            if self.room(room).is_some() {
                self.end(room, UnsubscribeReason::Deleted);
            }
        }
    }

    /// What is left of that when nobody cares about holes.
    #[cfg(test)]
    pub(crate) fn skip_what_was_missed(&mut self) {
        for room in self.asking.connection.outbox.take_concerns().behind {
            if let Some(followed) = self.followed.get(room) {
                let next = Next::after(followed.attached.room().head());
                self.asking.connection.outbox.follow(room, next);
                self.behind().push_back(room);
            }
        }
    }

    fn behind(&mut self) -> &mut VecDeque<RoomId> {
        &mut self.catching_up.get_or_insert_default().behind
    }

    /// Whether a room can catch up right now.
    pub(crate) fn is_behind(&self) -> bool {
        let catching_up = self.catching_up.as_ref();
        catching_up.is_some_and(|it| !it.behind.is_empty() && it.reading.is_idle())
    }

    /// Sends what the rooms that are behind have missed, about as much as fits into one write.
    pub(crate) fn catch_up(&mut self) {
        while self.asking.connection.outbox.backlog().bytes < BURST_BYTES && self.is_behind() {
            let Some(id) = self.behind().pop_front() else {
                break;
            };
            let Some(followed) = self.followed.get(id) else {
                continue;
            };
            let Some(Place::Behind(next)) = self.asking.connection.outbox.place(id) else {
                continue;
            };
            let room = followed.attached.room();
            match room.following(next.seq(), BURST_BYTES) {
                Following::Nothing => {
                    if !self.asking.connection.outbox.go_live(id, || room.head()) {
                        self.behind().push_back(id);
                    }
                }
                Following::Entries(entries) => {
                    for entry in entries {
                        self.send(&entry);
                    }
                    self.behind().push_back(id);
                }
                Following::Forgotten => self.read(id, next.last()),
            }
        }
        self.settle();
    }

    /// Keeps nothing for rooms that are not behind: most never are again.
    fn settle(&mut self) {
        let is_over = |it: &mut Box<CatchingUp>| it.behind.is_empty() && it.reading.is_idle();
        drop(self.catching_up.take_if(is_over));
    }

    /// Sends a page of the log.
    fn turn(&mut self, page: Page) {
        let Page { room, events } = page;
        match events {
            Ok(events) if events.is_empty() => {
                // Nothing to be had: the room is being deleted, and that will be said.
                self.asking.connection.outbox.go_live(room, || Seq::ZERO);
            }
            Ok(events) => {
                for event in events {
                    self.send(&Entry::new(event));
                }
                self.behind().push_back(room);
            }
            Err(_) => self.behind().push_back(room),
        }
        self.settle();
    }

    /// Sends an event of a room that is behind, if it is the next one.
    fn send(&mut self, entry: &Entry) {
        let Some(followed) = self.followed.get(entry.room) else {
            return;
        };
        let is_past = entry.seq <= followed.member_at;
        if !self.asking.connection.outbox.hold_behind(entry) || is_past {
            return;
        }
        if let Some(reason) = entry.ends_for(self.asking.connection.user.id) {
            self.end(entry.room, reason);
        }
    }

    fn end(&mut self, room: RoomId, reason: UnsubscribeReason) {
        self.unsubscribe(room);
        self.hold(&ServerFrame::Unsubscribed(Unsubscribed { room, reason }));
    }

    fn hold(&self, frame: &ServerFrame) {
        self.asking.connection.outbox.hold(Encoded::of(frame));
    }

    fn read(&mut self, room: RoomId, after: Seq) {
        let events = self.asking.rooms.log().events(room, after, PAGE_EVENTS);
        // A task, for the reason that openings are.
        let reading = AbortOnDropHandle::new(self.asking.tasks.spawn(async move {
            let events = events.await;
            if events.is_err() {
                sleep(PAGE_RETRY).await;
            }
            events
        }));
        let reading_on = &mut self.catching_up.get_or_insert_default().reading;
        reading_on.begin(async move {
            let events = reading.await;
            let events = events.unwrap_or_else(|_| Err(ErrorCode::Unavailable.into()));
            Page { room, events }
        });
    }
}
