//! The messages that one socket sends: each asks for its user's turn, in the order in which they
//! came, and goes to its room. The room answers.

use std::{collections::VecDeque, sync::Arc};

use protocol::frame::{FrameId, SendFrame};
use shared::{
    limiter::{Allowance, Limited},
    store::Append,
};
use tokio::sync::Semaphore;

use super::Connection;
use crate::{Node, errand::Errand, room::Sending};

/// Messages of one socket that have no answer yet.
pub(super) struct Sends {
    node: Node,
    connection: Arc<Connection>,
    waiting: VecDeque<Sending>,
    /// Whether the first of those waiting may go.
    checking: Errand<Checked>,
    /// As many messages may be without an answer; then nothing more is read from the socket.
    unanswered: Arc<Semaphore>,
}

/// What changes without the peer's doing.
pub(super) enum Turn {
    /// The first of those waiting may go, or not.
    Checked(Checked),
    /// One more message may come.
    Room,
}

type Checked = Result<Allowance, Limited>;

const MAX_UNANSWERED: u32 = 256;

impl Sends {
    pub(super) fn new(node: Node, connection: Arc<Connection>) -> Self {
        Self {
            node,
            connection,
            waiting: VecDeque::new(),
            checking: Errand::idle(),
            unanswered: Arc::new(Semaphore::new(MAX_UNANSWERED as usize)),
        }
    }

    /// Whether one more message may come.
    pub(super) fn have_room(&self) -> bool {
        self.unanswered.available_permits() > 0
    }

    /// Waits until every message is answered.
    pub(super) fn all_answered(&self) -> impl Future<Output = ()> + use<> {
        let all = Arc::clone(&self.unanswered).acquire_many_owned(MAX_UNANSWERED);
        async move { drop(all.await) }
    }

    /// Takes a message.
    pub(super) fn push(&mut self, id: Option<FrameId>, frame: SendFrame) {
        let Ok(unanswered) = Arc::clone(&self.unanswered).try_acquire_owned() else {
            debug_assert!(false, "nothing is read while there is no room");
            return;
        };
        let SendFrame { room, message } = frame;
        let client_id = message.client_id.expect("a send frame has a client_id");
        let clock = &self.node.app.clock;
        let append = Append {
            room,
            id: clock.id(),
            user: self.connection.user.id,
            client_id,
            body: message.body,
            reply_to: message.reply_to,
            thread: message.thread,
            at: clock.now(),
        };
        let (user, outbox) = (self.connection.user.clone(), self.connection.outbox.clone());
        self.waiting.push_back(Sending {
            append,
            user,
            id,
            outbox,
            unanswered,
        });
        self.check_next();
    }

    /// Waits until something changes. Cancel-safe.
    pub(super) async fn turn(&mut self) -> Turn {
        let is_full = !self.have_room();
        tokio::select! {
            // In the order of their coming; there is at most one of each.
            biased;
            checked = self.checking.done() => Turn::Checked(checked),
            _ = self.unanswered.acquire(), if is_full => Turn::Room,
        }
    }

    /// Lets the first of those waiting go, or refuses it.
    pub(super) fn take(&mut self, turn: &Turn) {
        let Turn::Checked(checked) = turn else { return };
        if let Some(sending) = self.waiting.pop_front() {
            match *checked {
                Ok(_) => self.node.rooms.send(sending),
                Err(limited) => sending.refuse(limited.into()),
            }
        }
        self.check_next();
    }

    fn check_next(&mut self) {
        if !self.waiting.is_empty() && self.checking.is_idle() {
            let limiter = self.node.app.limiter.clone();
            let rate = self.node.app.settings.rates.send;
            let key = format!("send:user:{}", self.connection.user.id);
            self.checking
                .begin(async move { limiter.check(rate, &key).await });
        }
    }
}
