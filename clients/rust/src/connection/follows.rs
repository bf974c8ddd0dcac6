//! The rooms that a connection follows: it asks for each, delivers by the rule of `place`, and asks
//! again wherever something is missing. It is told what it may send on and what time it is.

mod fill;

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use protocol::{
    RoomId,
    events::Event,
    frame::{Pong, Subscribed},
};
use tokio::time::Instant;
use tracing::debug;

use super::{
    events::{Delivery, NotTaken, Queue, RoomEnded, Start},
    frames::Say,
    link::Link,
    place::{Place, Verdict},
};
use crate::Refusal;

/// The rooms that a connection follows.
#[derive(Debug, Default)]
pub(super) struct Follows {
    rooms: HashMap<RoomId, Follow>,
    /// The rooms to ask for, some of which may be gone or asked for already.
    due: VecDeque<RoomId>,
    /// Rooms that the server wants to be asked for later.
    put_off: Vec<(Instant, RoomId)>,
    /// Names each question, so that an answer to an older one is known.
    asks: u64,
    /// How many questions have no answer.
    unanswered: usize,
    /// Whether what a socket does not give is read over HTTP; see [`crate::Settings::complete`].
    fills: bool,
    /// The rooms that wait for that, some of which may be gone.
    to_fill: VecDeque<RoomId>,
}

#[derive(Debug)]
struct Follow {
    place: Place,
    /// How many of the latest events to ask for while the place is not known.
    latest: u32,
    state: State,
    queue: Queue,
    /// The room as it stood when the server last named a head that we had not reached.
    suspect: Option<Place>,
    /// Whether the server was found to have another history than was delivered.
    is_other: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// To be asked for.
    Due,
    /// Asked for under this name, at this time.
    Asked(u64, Instant),
    /// Everything comes by itself.
    Live,
    /// The program is behind, and what comes is left at the server.
    Lagging,
    /// More was missed than a socket gives, and it is read over HTTP.
    Filling,
}

/// So many questions are asked before the first is answered: a server takes 60 frames at once, and
/// most of them are left for messages.
const ASKS_AT_ONCE: usize = 16;
/// Most events that `subscribe` gives without an `after`.
const LATEST_MAX: u32 = 200;
/// How long after `rate_limited` to ask again when the server does not say.
const ASK_AGAIN: Duration = Duration::from_secs(1);

impl Follows {
    pub(super) fn new(fills: bool) -> Self {
        Self {
            fills,
            ..Self::default()
        }
    }

    /// Follows one more room; whoever read it before reads no more.
    pub(super) fn add(&mut self, room: RoomId, start: Start, queue: Queue) {
        let (place, latest) = match start {
            Start::Live => (Place::default(), 0),
            Start::Latest(limit) => (Place::default(), limit.min(LATEST_MAX)),
            Start::After(seq, id) => (Place::after(seq, id), 0),
        };
        self.remove(room, RoomEnded::Replaced);
        let follow = Follow {
            place,
            latest,
            state: State::Due,
            queue,
            suspect: None,
            is_other: false,
        };
        self.rooms.insert(room, follow);
        self.due.push_back(room);
    }

    /// Ends a room.
    pub(super) fn remove(&mut self, room: RoomId, why: RoomEnded) {
        if let Some(follow) = self.rooms.remove(&room) {
            if matches!(follow.state, State::Asked(..)) {
                self.unanswered -= 1;
            }
            follow.queue.end(why);
        }
    }

    /// The socket is gone, and every room with it.
    pub(super) fn lost(&mut self) {
        self.unanswered = 0;
        self.put_off.clear();
        self.due.clear();
        for (room, follow) in &mut self.rooms {
            if follow.state != State::Lagging {
                follow.state = State::Due;
                self.due.push_back(*room);
            }
        }
    }

    /// Asks for what is due, as much at once as the server takes; false when the socket takes nothing.
    pub(super) fn ask(&mut self, link: &Link, now: Instant) -> bool {
        while self.unanswered < ASKS_AT_ONCE
            && let Some(room) = self.due.pop_front()
        {
            let Some(follow) = self
                .rooms
                .get_mut(&room)
                .filter(|follow| follow.state == State::Due)
            else {
                continue;
            };
            self.asks += 1;
            self.unanswered += 1;
            follow.state = State::Asked(self.asks, now);
            let resume = follow.place.resume();
            let limit = resume.is_none().then_some(follow.latest);
            let (after, after_id) = (resume.map(|(seq, _)| seq), resume.and_then(|(_, id)| id));
            let id = format!("s{}", self.asks);
            if !link.say(&Say::Subscribe {
                id: &id,
                room,
                after,
                after_id,
                limit,
            }) {
                return false;
            }
        }
        true
    }

    /// The server answers a question: what was missed comes first.
    pub(super) fn subscribed(&mut self, asked: u64, frame: Subscribed) {
        let fills = self.fills;
        let Some(follow) = self.answered(frame.room, asked) else {
            return;
        };
        if frame.reset && fills && !follow.is_other {
            follow.state = State::Filling;
            return self.to_fill.push_back(frame.room);
        }
        follow.state = State::Live;
        let begin = frame
            .events
            .first()
            .map_or(frame.head.next(), |event| event.seq);
        if frame.reset {
            // Without room for this the old place stands, and the server says the same next time.
            if follow.put(Delivery::Reset { head: frame.head }) {
                follow.place.begin(begin);
                follow.is_other = false;
            }
        } else if follow.place.resume().is_none() || follow.place.is_before(frame.first) {
            follow.place.begin(begin);
        }
        follow.queue.pass(Delivery::Online(frame.online));
        let room = frame.room;
        for event in frame.events {
            self.event(event);
        }
        self.notice(room);
    }

    /// An event, live or missed.
    pub(super) fn event(&mut self, event: Event) {
        let room = event.room;
        let Some(follow) = self
            .rooms
            .get_mut(&room)
            .filter(|follow| follow.state == State::Live)
        else {
            return;
        };
        match follow.place.judge(event.seq) {
            Verdict::Deliver => {
                let mut place = follow.place;
                place.delivered(&event);
                if follow.put(Delivery::Event(event)) {
                    follow.place = place;
                } else {
                    self.notice(room);
                }
            }
            Verdict::Drop => {}
            Verdict::Hole => {
                debug!(room.id = %room, seq = %event.seq, "an event is missing, asking again");
                self.resume(room);
            }
        }
    }

    /// Where the server's rooms stand. A room that is behind twice without moving has lost its last
    /// event, and is asked for; whether there is one to look at again soon.
    pub(super) fn pong(&mut self, pong: &Pong) -> bool {
        let mut is_any = false;
        for (room, head) in &pong.heads {
            let Some(follow) = self
                .rooms
                .get_mut(room)
                .filter(|follow| follow.state == State::Live)
            else {
                continue;
            };
            if !follow.place.is_behind(*head) {
                follow.suspect = None;
            } else if follow.suspect == Some(follow.place) {
                debug!(room.id = %room, seq = %head, "the latest event is missing, asking again");
                self.resume(*room);
            } else {
                // It may be on its way, behind the pong.
                follow.suspect = Some(follow.place);
                is_any = true;
            }
        }
        is_any
    }

    /// The server refuses a question.
    pub(super) fn refused(&mut self, asked: u64, refusal: Refusal, now: Instant) {
        let is_asked = |(_, follow): &(&RoomId, &Follow)| follow.is_asked(asked);
        let Some(room) = self.rooms.iter().find(is_asked).map(|(room, _)| *room) else {
            return;
        };
        if !refusal.is_passing() {
            return self.remove(room, RoomEnded::Refused(Box::new(refusal)));
        }
        if let Some(follow) = self.answered(room, asked) {
            follow.state = State::Due;
            self.put_off
                .push((now + refusal.retry_after.unwrap_or(ASK_AGAIN), room));
        }
    }

    /// What may be lost.
    pub(super) fn pass(&self, room: RoomId, delivery: Delivery) {
        if let Some(follow) = self.rooms.get(&room) {
            follow.queue.pass(delivery);
        }
    }

    /// Something happened to a queue: ends the rooms that nobody reads, and asks for those whose
    /// reader has caught up. False when the socket takes nothing.
    pub(super) fn woke(&mut self, link: Option<&Link>) -> bool {
        let is_gone = |(room, follow): (&RoomId, &Follow)| follow.queue.is_gone().then_some(*room);
        let gone: Vec<_> = self.rooms.iter().filter_map(is_gone).collect();
        for room in gone {
            self.remove(room, RoomEnded::Replaced);
            if !link.is_none_or(|link| link.say(&Say::Unsubscribe { room })) {
                return false;
            }
        }
        for (room, follow) in &mut self.rooms {
            if follow.state == State::Lagging && follow.queue.has_room() {
                follow.queue.catches_up();
                follow.state = State::Due;
                self.due.push_back(*room);
            }
        }
        true
    }

    /// When there is something to ask for that was put off, or has had no answer for `within`.
    pub(super) fn deadline(&self, within: Duration) -> Option<Instant> {
        let put_off = self.put_off.iter().map(|(at, _)| *at);
        let asked = self.rooms.values().filter(|_| self.unanswered > 0);
        put_off
            .chain(asked.filter_map(|follow| Some(follow.asked_at()? + within)))
            .min()
    }

    /// Asks for what was put off until `now`, and again for what has had no answer for `within`.
    pub(super) fn ripen(&mut self, now: Instant, within: Duration) {
        let due = &mut self.due;
        for (room, follow) in &mut self.rooms {
            if follow.asked_at().is_some_and(|at| now >= at + within) {
                follow.state = State::Due;
                self.unanswered -= 1;
                due.push_back(*room);
            }
        }
        self.put_off.retain(|(at, room)| {
            let is_ripe = now >= *at;
            if is_ripe {
                due.push_back(*room);
            }
            !is_ripe
        });
    }

    /// Ends every room.
    pub(super) fn end(mut self, why: &RoomEnded) {
        for (_, follow) in self.rooms.drain() {
            follow.queue.end(why.clone());
        }
    }

    /// The room whose question has its answer now; nothing if it was asked anew since.
    fn answered(&mut self, room: RoomId, asked: u64) -> Option<&mut Follow> {
        let follow = self.rooms.get_mut(&room)?;
        if !follow.is_asked(asked) {
            return None;
        }
        self.unanswered -= 1;
        follow.suspect = None;
        Some(follow)
    }

    fn resume(&mut self, room: RoomId) {
        if let Some(follow) = self.rooms.get_mut(&room) {
            follow.state = State::Due;
            self.due.push_back(room);
        }
    }

    /// A reader that took something since its queue was full did not know that it is waited for.
    fn notice(&mut self, room: RoomId) {
        let Some(follow) = self
            .rooms
            .get_mut(&room)
            .filter(|follow| follow.state == State::Lagging)
        else {
            return;
        };
        if follow.queue.has_room() {
            follow.queue.catches_up();
            self.resume(room);
        } else {
            debug!(room.id = %room, "the program is behind, its events wait at the server");
        }
    }
}

impl Follow {
    fn is_asked(&self, asked: u64) -> bool {
        matches!(self.state, State::Asked(name, _) if name == asked)
    }

    fn asked_at(&self) -> Option<Instant> {
        match self.state {
            State::Asked(_, at) => Some(at),
            State::Due | State::Live | State::Lagging | State::Filling => None,
        }
    }

    /// Delivers what may not be lost; false, and lagging, when there is no room for it.
    fn put(&mut self, delivery: Delivery) -> bool {
        match self.queue.put(delivery) {
            Ok(()) => true,
            // Nobody reads it any more, and the connection was told.
            Err(NotTaken::Gone) => false,
            Err(NotTaken::Full) => {
                self.state = State::Lagging;
                false
            }
        }
    }
}

/// The number in a name that [`Follows::ask`] gave.
pub(super) fn number(name: &str) -> Option<u64> {
    name.strip_prefix('s')?.parse().ok()
}
