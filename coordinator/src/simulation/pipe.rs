//! One socket, as both of its ends see it: frames wait in it until the other end takes them, and what
//! waits when it breaks is lost.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::Bytes;
use protocol::{
    ConnectionId,
    accounts::UserSummary,
    frame::{Incoming, ServerFrame},
};
use tokio::sync::Notify;

/// A socket. Cloning gives the same one.
#[derive(Clone)]
pub(super) struct Pipe(Arc<Shared>);

struct Shared {
    /// Names the socket.
    id: ConnectionId,
    /// Who is on it.
    user: UserSummary,
    /// How many frames wait for the client at most.
    window: usize,
    state: Mutex<State>,
    /// Tells the node that the client has said something, or that it is closed.
    said: Notify,
    /// Tells the node that there is room.
    taken: Notify,
}

#[derive(Default)]
struct State {
    up: VecDeque<Incoming>,
    down: VecDeque<Bytes>,
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

    /// The client takes the next frame.
    pub(super) fn take(&self) -> Option<ServerFrame> {
        let bytes = self.state().down.pop_front()?;
        self.0.taken.notify_one();
        let header_bytes = match bytes[1] {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        let frame = serde_json::from_slice(&bytes[header_bytes..]);
        Some(frame.expect("a node says only what is a frame"))
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

    /// Writes as much as there is room for; what is left waits.
    pub(super) fn write(&self, frames: &mut VecDeque<Bytes>) {
        let mut state = self.state();
        while state.down.len() < self.0.window
            && let Some(frame) = frames.pop_front()
        {
            state.down.push_back(frame);
        }
    }

    /// Waits until there may be room. Cancel-safe.
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
