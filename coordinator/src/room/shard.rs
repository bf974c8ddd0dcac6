//! A part of a large room's audience: the sockets to which one task at a time writes what happens, so that
//! processors share the work and the room goes on meanwhile. What comes in the meantime leaves together.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard},
};

use protocol::{ConnectionId, RoomId};
use tokio::task::yield_now;
use tokio_util::task::TaskTracker;

use crate::{burst::Burst, connection::Connection, encoded::Entry, outbox::Outbox};

/// Some sockets that follow a room. Cloning gives the same ones.
#[derive(Clone)]
pub(super) struct Shard(Arc<Mutex<Inner>>);

struct Inner {
    room: RoomId,
    /// Shared with whoever writes at this moment; who comes meanwhile is in a copy of it.
    seats: Arc<Vec<Seat>>,
    /// Whether a task writes, which then takes what waits.
    is_writing: bool,
    waiting: Waiting,
}

/// A socket, and its outbox beside it: of most events it sees nothing else.
#[derive(Clone)]
struct Seat {
    connection: Arc<Connection>,
    outbox: Outbox,
}

/// What a task that writes does next.
#[derive(Default)]
struct Waiting {
    entries: Vec<Arc<Entry>>,
    bytes: usize,
    /// Whether more was delivered than may wait: everybody finds it among the room's latest.
    is_missed: bool,
    /// Whether the sockets hold something that has to leave.
    is_held: bool,
}

/// So many sockets are written to in one go: a millisecond's work. Tests part small audiences, too.
pub(super) const SEATS: usize = if cfg!(test) { 3 } else { 128 };
/// As much may wait for a task that writes: what sockets catch up with from the room's latest.
const WAITING_MAX_BYTES: usize = 512 * 1_024;

impl Shard {
    pub(super) fn new(room: RoomId) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            room,
            seats: Arc::default(),
            is_writing: false,
            waiting: Waiting::default(),
        })))
    }

    pub(super) fn has_space(&self) -> bool {
        self.inner().seats.len() < SEATS
    }

    pub(super) fn is_empty(&self) -> bool {
        self.inner().seats.is_empty()
    }

    pub(super) fn add(&self, connection: &Arc<Connection>) {
        Arc::make_mut(&mut self.inner().seats).push(Seat {
            connection: Arc::clone(connection),
            outbox: connection.outbox.clone(),
        });
    }

    pub(super) fn remove(&self, connection: ConnectionId) {
        let mut inner = self.inner();
        if let Some(at) = inner
            .seats
            .iter()
            .position(|it| it.connection.id == connection)
        {
            Arc::make_mut(&mut inner.seats).swap_remove(at);
        }
    }

    /// Writes a burst here and now, unless a task is at it.
    pub(super) fn deliver(&self, burst: &Burst) {
        let mut inner = self.inner();
        if inner.is_writing {
            inner.wait(burst);
        } else {
            deliver(&inner.seats, burst);
        }
    }

    /// Has a task write a burst.
    pub(super) fn hand(&self, burst: &Burst, tasks: &TaskTracker) {
        let mut inner = self.inner();
        inner.wait(burst);
        self.begin(inner, tasks);
    }

    /// Writes what the sockets hold here and now.
    pub(super) fn flush(&self) {
        flush(&self.inner().seats);
    }

    /// Has a task write what the sockets hold.
    pub(super) fn hand_held(&self, tasks: &TaskTracker) {
        let mut inner = self.inner();
        inner.waiting.is_held = true;
        self.begin(inner, tasks);
    }

    fn begin(&self, mut inner: MutexGuard<'_, Inner>, tasks: &TaskTracker) {
        if !mem::replace(&mut inner.is_writing, true) {
            tasks.spawn(self.clone().write());
        }
    }

    /// Writes until nothing waits.
    async fn write(self) {
        while let Some((room, seats, mut waiting)) = self.next() {
            if waiting.is_missed {
                for seat in &*seats {
                    seat.outbox.fall_behind(room);
                }
            }
            while let Some(burst) = Burst::take(&mut waiting.entries) {
                deliver(&seats, &burst);
                yield_now().await;
            }
            if waiting.is_held {
                flush(&seats);
                yield_now().await;
            }
        }
    }

    fn next(&self) -> Option<(RoomId, Arc<Vec<Seat>>, Waiting)> {
        let mut inner = self.inner();
        let waiting = mem::take(&mut inner.waiting);
        inner.is_writing = !waiting.is_nothing();
        let seats = Arc::clone(&inner.seats);
        inner.is_writing.then_some((inner.room, seats, waiting))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0
            .lock()
            .expect("nothing panics while it holds the seats")
    }
}

impl Inner {
    fn wait(&mut self, burst: &Burst) {
        let waiting = &mut self.waiting;
        waiting.bytes += burst.len();
        if waiting.bytes > WAITING_MAX_BYTES {
            *waiting = Waiting {
                is_missed: true,
                is_held: waiting.is_held,
                ..Waiting::default()
            };
        } else {
            waiting.entries.extend_from_slice(burst.entries());
        }
    }
}

impl Waiting {
    const fn is_nothing(&self) -> bool {
        self.entries.is_empty() && !self.is_missed && !self.is_held
    }
}

/// Writes a burst to a socket.
pub(super) fn give(connection: &Connection, outbox: &Outbox, burst: &Burst) {
    if burst.ends_for(&connection.user.id) {
        // What such an event means to a socket is for its owner to find out.
        outbox.fall_behind(burst.room());
    } else {
        outbox.deliver(burst);
    }
}

fn deliver(seats: &[Seat], burst: &Burst) {
    for seat in seats {
        give(&seat.connection, &seat.outbox, burst);
    }
}

fn flush(seats: &[Seat]) {
    for seat in seats {
        seat.outbox.flush();
    }
}
