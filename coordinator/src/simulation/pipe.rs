//! One socket, as both of its ends see it: bytes wait in it until the other end takes them, and what
//! waits when it breaks is lost.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    sync::{Arc, Mutex, MutexGuard},
};

use protocol::{
    ConnectionId,
    accounts::UserSummary,
    frame::{Incoming, ServerFrame},
};
use tokio::sync::Notify;

use crate::{encoded::first_frame, outbox::TryWrite};

/// A socket. Cloning gives the same one.
#[derive(Clone)]
pub(super) struct Pipe(Arc<Shared>);

struct Shared {
    /// Names the socket.
    id: ConnectionId,
    /// Who is on it.
    user: UserSummary,
    /// How many bytes wait for the client at most.
    window: usize,
    state: Mutex<State>,
    /// Tells the node that the client has said something, or that it is closed.
    said: Notify,
    /// Tells the node that there is space.
    taken: Notify,
}

#[derive(Default)]
struct State {
    up: VecDeque<Incoming>,
    down: Vec<u8>,
    /// The beginning of a frame that the client has taken.
    begun: Vec<u8>,
    is_closed: bool,
}

impl Pipe {
    pub(super) fn new(id: ConnectionId, user: UserSummary, window: usize) -> Self {
        Self(Arc::new(Shared {
            id,
            user,
            window,
            state: Mutex::default(),
            said: Notify::new(),
            taken: Notify::new(),
        }))
    }

    pub(super) fn id(&self) -> ConnectionId {
        self.0.id
    }

    pub(super) fn user(&self) -> &UserSummary {
        &self.0.user
    }

    /// The client says something.
    pub(super) fn say(&self, frame: Incoming) {
        self.state().up.push_back(frame);
        self.0.said.notify_one();
    }

    /// The client takes what has come, and of that the next frame if it is whole.
    pub(super) fn take(&self) -> Option<ServerFrame> {
        let mut state = self.state();
        let State { down, begun, .. } = &mut *state;
        begun.append(down);
        self.0.taken.notify_one();
        first_frame(begun)
    }

    /// Breaks it, from either end.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.0.said.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    /// Waits until the client has said something; nothing once it is closed. Cancel-safe.
    pub(super) async fn hear(&self) -> Option<Incoming> {
        loop {
            {
                let mut state = self.state();
                if state.is_closed {
                    return None;
                }
                if let Some(frame) = state.up.pop_front() {
                    return Some(frame);
                }
            }
            self.0.said.notified().await;
        }
    }

    /// Waits until there may be space. Cancel-safe.
    pub(super) async fn taken(&self) {
        self.0.taken.notified().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0
            .state
            .lock()
            .expect("nothing panics while it holds the pipe")
    }
}

/// Takes as much as there is space for, which may end within a frame.
impl TryWrite for Pipe {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = self.state();
        if state.is_closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let before = state.down.len();
        for slice in slices {
            let space = self.0.window - state.down.len();
            state
                .down
                .extend_from_slice(&slice[..space.min(slice.len())]);
        }
        match state.down.len() - before {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            written => Ok(written),
        }
    }
}
