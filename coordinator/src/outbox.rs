//! What leaves on one socket, and in which order. Whoever has something for the socket writes it from
//! here, as far as the kernel takes it; what is left waits, within bounds, and the task that owns the
//! socket is woken to watch for space. Nobody waits here, and nothing is written to a socket elsewhere.
//!
//! Which event of a room comes next is known here, too, so that live events need nobody's judgement. When
//! too much waits, presence, typing and read marks are dropped first, at half of the capacity; at all of
//! it a room is behind, and its owner has it catch up once there is space again. Answers are never
//! dropped: no more frames are taken from a peer that does not read them.

mod places;
mod waiting;

#[cfg(test)]
pub(crate) mod tests;

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    mem,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use metrics::counter;
use places::Places;
use protocol::{RoomId, Seq, frame::ServerFrame};
use waiting::Waiting;

pub(crate) use places::Place;

use crate::{
    burst::{Burst, Offered},
    delivery::Next,
    encoded::{Encoded, Entry},
};

/// One socket's way out. Cloning gives the same one.
#[derive(Clone)]
pub(crate) struct Outbox(Arc<Shared>);

/// While as many bytes wait, a room that is behind is brought nothing: half of what one write carries.
pub(crate) const ENOUGH_BYTES: usize = 32 * 1_024;

/// Where bytes leave.
pub(crate) trait TryWrite: Send + Sync {
    /// Writes as much as is taken at once.
    ///
    /// # Errors
    /// `WouldBlock` if that is nothing; any other when nothing will ever be taken again.
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;
}

struct Shared {
    leaving: Mutex<Leaving>,
    capacity: Capacity,
}

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capacity {
    /// Bytes of frames.
    pub(crate) bytes: usize,
    /// Frames, of which those that are written together count as one.
    pub(crate) frames: usize,
}

impl Capacity {
    /// From here on what may be lost is dropped.
    pub(crate) const fn half(self) -> Self {
        Self {
            bytes: self.bytes / 2,
            frames: self.frames / 2,
        }
    }
}

impl Default for Capacity {
    fn default() -> Self {
        Self {
            bytes: 1_024 * 1_024,
            frames: 512,
        }
    }
}

struct Leaving {
    /// Nothing once the socket has said its last word, or is lost.
    line: Option<Box<dyn TryWrite>>,
    waiting: Waiting,
    /// How many bytes were taken so far.
    written: u64,
    places: Places,
    /// Whether the owner watches for space.
    is_stuck: bool,
    /// Seldom any.
    concerns: Option<Box<Concerns>>,
    /// Whether the owner has to look, and does not know it yet.
    is_due: bool,
    /// Wakes the owner.
    owner: Option<Waker>,
}

/// Rooms that need the owner's attention.
#[derive(Default)]
pub(crate) struct Concerns {
    /// They fell behind.
    pub(crate) behind: Vec<RoomId>,
    /// They are gone; each waits once, however often it is said.
    pub(crate) gone: Vec<RoomId>,
}

/// How a socket takes what it is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backlog {
    /// How many bytes wait.
    pub(crate) bytes: usize,
    /// How many bytes were taken so far.
    pub(crate) written: u64,
    /// Whether nothing more is taken right now.
    pub(crate) is_stuck: bool,
    /// Whether so many answers wait that no more questions should be read.
    pub(crate) has_many_answers: bool,
    /// Whether nothing will leave any more.
    pub(crate) is_over: bool,
}

impl Outbox {
    /// Of a socket that follows no room yet.
    pub(crate) fn new(capacity: Capacity, line: impl TryWrite + 'static) -> Self {
        Self(Arc::new(Shared {
            leaving: Mutex::new(Leaving {
                line: Some(Box::new(line)),
                waiting: Waiting::default(),
                written: 0,
                places: Places::default(),
                is_stuck: false,
                concerns: None,
                is_due: false,
                owner: None,
            }),
            capacity,
        }))
    }

    /// Sends an answer to something that the peer said, or what concerns it as a whole.
    pub(crate) fn answer(&self, frame: &ServerFrame) {
        self.hold(Encoded::of(frame));
        self.flush();
    }

    /// Keeps an answer for the next write. Whoever holds it sees to it that there is one.
    pub(crate) fn hold(&self, frame: Encoded) {
        self.leaving().waiting.push_answer(frame.into_bytes());
    }

    /// Sends what concerns the peer as a whole and may be lost, if there is space.
    pub(crate) fn pass(&self, frame: &Encoded) {
        let mut leaving = self.leaving();
        if leaving
            .waiting
            .is_above(self.0.capacity.half(), frame.len())
        {
            counter!("chatx_outbox_dropped_total").increment(1);
            return;
        }
        leaving.waiting.push(frame.clone().into_bytes());
        let is_due = leaving.write(self.0.capacity);
        self.release(leaving, is_due);
    }

    /// Keeps what may be lost for the next write, if the room is followed and there is space.
    pub(crate) fn hold_passing(&self, room: RoomId, frames: &[Encoded]) {
        let mut leaving = self.leaving();
        if leaving.places.of(room).is_none() {
            return;
        }
        let half = self.0.capacity.half();
        for frame in frames {
            if leaving.waiting.is_above(half, frame.len()) {
                counter!("chatx_outbox_dropped_total").increment(1);
            } else {
                leaving.waiting.push(frame.clone().into_bytes());
            }
        }
    }

    /// Writes what waits.
    pub(crate) fn flush(&self) {
        let mut leaving = self.leaving();
        let is_due = leaving.write(self.0.capacity);
        self.release(leaving, is_due);
    }

    /// Writes live events after what waits, if the room is live and they come next. A hole, or too much that
    /// waits, puts the room behind.
    pub(crate) fn deliver(&self, burst: &Burst) {
        let mut leaving = self.leaving();
        let Some(Place::Live(next)) = leaving.places.of(burst.room()) else {
            return;
        };
        let is_due = match burst.offer(next) {
            Offered::Old => false,
            Offered::Send(bytes, then)
                if !leaving.waiting.is_above(self.0.capacity, bytes.len()) =>
            {
                leaving.places.set(burst.room(), Place::Live(then));
                leaving.send(&bytes, self.0.capacity)
            }
            offered => {
                if matches!(offered, Offered::Send(..)) {
                    counter!("chatx_outbox_overflows_total").increment(1);
                }
                leaving.fall_behind(burst.room())
            }
        };
        self.release(leaving, is_due);
    }

    /// Has the owner bring what the room delivers from here on.
    pub(crate) fn fall_behind(&self, room: RoomId) {
        let mut leaving = self.leaving();
        let is_due = leaving.fall_behind(room);
        self.release(leaving, is_due);
    }

    /// Tells that a room is gone.
    pub(crate) fn gone(&self, room: RoomId) {
        let mut leaving = self.leaving();
        let concerns = leaving.concerns.get_or_insert_default();
        let is_new = !concerns.gone.contains(&room);
        if is_new {
            concerns.gone.push(room);
        }
        self.release(leaving, is_new);
    }

    fn leaving(&self) -> MutexGuard<'_, Leaving> {
        self.0
            .leaving
            .lock()
            .expect("nothing panics while it holds what leaves")
    }

    /// Has the owner look.
    pub(crate) fn wake(&self) {
        self.release(self.leaving(), true);
    }

    fn release(&self, mut leaving: MutexGuard<'_, Leaving>, is_due: bool) {
        if is_due {
            leaving.is_due = true;
            let owner = leaving.owner.take();
            drop(leaving);
            if let Some(owner) = owner {
                owner.wake();
            }
        }
    }
}

/// What the owner alone does.
impl Outbox {
    /// Waits until there is something for the owner: a backlog that has begun, or concerns. Cancel-safe.
    pub(crate) fn due(&self) -> impl Future<Output = ()> {
        poll_fn(|cx| self.poll_due(cx))
    }

    /// Whether there is something for the owner, who is woken otherwise once there is.
    pub(crate) fn poll_due(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut leaving = self.leaving();
        if mem::take(&mut leaving.is_due) {
            return Poll::Ready(());
        }
        // Told of every turn, it mostly knows whom to wake.
        let is_known = |owner: &Waker| owner.will_wake(cx.waker());
        if !leaving.owner.as_ref().is_some_and(is_known) {
            leaving.owner = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// How the peer takes what it is sent.
    pub(crate) fn backlog(&self) -> Backlog {
        let (capacity, leaving) = (self.0.capacity, self.leaving());
        Backlog {
            bytes: leaving.waiting.bytes(),
            written: leaving.written,
            is_stuck: leaving.is_stuck,
            has_many_answers: leaving.waiting.has_many_answers(capacity),
            is_over: leaving.line.is_none(),
        }
    }

    /// Takes the rooms that need attention.
    pub(crate) fn take_concerns(&self) -> Concerns {
        let concerns = self.leaving().concerns.take();
        concerns.map(|concerns| *concerns).unwrap_or_default()
    }

    /// Follows a room in which everything before `next` is sent, or held.
    pub(crate) fn follow(&self, room: RoomId, next: Next) {
        self.leaving().places.set(room, Place::Behind(next));
    }

    /// Follows a room no more.
    pub(crate) fn unfollow(&self, room: RoomId) {
        self.leaving().places.remove(room);
    }

    /// How far the socket is in a room that it follows.
    pub(crate) fn place(&self, room: RoomId) -> Option<Place> {
        self.leaving().places.of(room)
    }

    /// Keeps an event of a room that is behind for the next write, if it is the next one; whether it is.
    pub(crate) fn hold_behind(&self, entry: &Entry) -> bool {
        let mut leaving = self.leaving();
        let is_next = leaving.places.catch_up(entry.room, entry.seq);
        if is_next {
            let bytes = entry.frame.clone().into_bytes();
            leaving.waiting.push(bytes);
        }
        is_next
    }

    /// Has a room live if it has caught up with all that was delivered in it, up to `head`. A room keeps what
    /// it delivers before it does, so whatever is not seen by `head` finds the room live. Whether it has.
    pub(crate) fn go_live(&self, room: RoomId, head: impl FnOnce() -> Seq) -> bool {
        let mut leaving = self.leaving();
        let Some(Place::Behind(next)) = leaving.places.of(room) else {
            return true;
        };
        let is_complete = head() < next.seq();
        if is_complete {
            leaving.places.set(room, Place::Live(next));
        }
        is_complete
    }

    /// Keeps the last that is said for the next write. Whatever comes after it does not leave.
    pub(crate) fn hold_last(&self, frame: Bytes) {
        let mut leaving = self.leaving();
        leaving.waiting.push(frame);
        leaving.waiting.close();
    }

    /// Lets go of the connection, with all that waits.
    pub(crate) fn end(&self) {
        self.leaving().end();
    }
}

impl Leaving {
    /// Writes live events; whether the owner has to look.
    fn send(&mut self, bytes: &Bytes, capacity: Capacity) -> bool {
        if !self.waiting.is_empty() {
            self.waiting.push(bytes.clone());
            return self.write(capacity);
        }
        // The ordinary case: nothing is kept, and nothing counted but what is written.
        let Some(line) = self.line.as_ref().filter(|_| !self.waiting.is_closed()) else {
            return false;
        };
        match line.try_write(&[IoSlice::new(bytes)]) {
            Ok(written) if written == bytes.len() => {
                self.written += written as u64;
                false
            }
            Ok(written) => {
                self.written += written as u64;
                self.waiting.push(bytes.slice(written..));
                self.write(capacity)
            }
            // It is found out again how it went wrong, where that is dealt with.
            Err(_) => {
                self.waiting.push(bytes.clone());
                self.write(capacity)
            }
        }
    }

    /// Writes what waits; whether the owner has to look.
    fn write(&mut self, capacity: Capacity) -> bool {
        // An owner that sees so much does nothing that adds to it, and somebody else may write it.
        let was_much = self.waiting.is_much(capacity);
        let Some(line) = &self.line else {
            return false;
        };
        while !self.waiting.is_empty() {
            match self.waiting.write_to(&**line) {
                Ok(written) => self.written += written as u64,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return !mem::replace(&mut self.is_stuck, true);
                }
                Err(_) => {
                    self.end();
                    return true;
                }
            }
        }
        self.is_stuck = false;
        was_much
    }

    /// Puts a room behind, if it is live; whether the owner has to look.
    fn fall_behind(&mut self, room: RoomId) -> bool {
        let falls = self.places.fall_behind(room);
        if falls {
            self.concerns.get_or_insert_default().behind.push(room);
        }
        falls
    }

    fn end(&mut self) {
        self.line = None;
        self.waiting = Waiting::closed();
    }
}

/// How many bytes each socket's takes, beside what waits.
#[cfg(test)]
pub(crate) const WEIGHT: usize = size_of::<Shared>();
