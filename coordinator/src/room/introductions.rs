//! Those who come to a room that this node has just begun to follow, and wait to hear who is there on
//! other nodes.

use protocol::frame::Online;
use tokio::{
    sync::oneshot,
    time::{Duration, Instant},
};

/// Whom to tell, and until when they wait.
#[derive(Default)]
pub(super) struct Introductions {
    waiting: Vec<oneshot::Sender<Online>>,
    until: Option<Instant>,
}

/// Nobody waits longer for who else is there: it is told when it is known.
const WAITED_FOR: Duration = Duration::from_millis(500);

impl Introductions {
    /// Those who come from now on wait a moment.
    pub(super) fn begin(&mut self) {
        self.until = Some(Instant::now() + WAITED_FOR);
    }

    /// Has somebody wait, if it is not known yet who is there; otherwise gives them back.
    pub(super) fn wait(
        &mut self,
        online: oneshot::Sender<Online>,
    ) -> Option<oneshot::Sender<Online>> {
        if self.until.is_none() {
            return Some(online);
        }
        self.waiting.push(online);
        None
    }

    /// Whether nobody should wait any longer.
    pub(super) fn are_due(&self) -> bool {
        self.until.is_some_and(|until| until <= Instant::now())
    }

    /// Tells all who wait; nobody has to from now on.
    pub(super) fn end(&mut self, online: impl Fn() -> Online) {
        self.until = None;
        for waiting in self.waiting.drain(..) {
            // Who has left in the meantime does not need it.
            drop(waiting.send(online()));
        }
    }

    /// When nobody should wait any longer.
    pub(super) const fn deadline(&self) -> Option<Instant> {
        self.until
    }
}
