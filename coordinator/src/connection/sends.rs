//! The messages that one socket sends: each takes one of what its user may send, in the order in which
//! they came, and goes to its room. The room answers.

use std::{collections::VecDeque, sync::Arc};

use protocol::frame::{FrameId, SendFrame};
use shared::{
    limiter::{Limited, Spending},
    messages::{send_bucket, stored_name},
    store::Append,
};

use super::{Connection, unanswered::Unanswered};
use crate::{Node, errand::Errand, room::Sending};

/// Messages of one socket that have no answer yet.
pub(super) struct Sends {
    node: Node,
    connection: Arc<Connection>,
    /// Empty but while it is found out whether the first may go.
    waiting: VecDeque<Sending>,
    checking: Errand<Checked>,
    /// Names the bucket of what the user may send, from the first message on.
    bucket: Option<Box<str>>,
    /// As many messages may be without an answer; then nothing more is read from the socket.
    unanswered: Unanswered,
}

/// What changes without the peer's doing.
pub(super) enum Turn {
    /// The first of those waiting may go, or not.
    Checked(Checked),
    /// One more message may come.
    Room,
}

type Checked = Result<(), Limited>;

const MAX_UNANSWERED: u32 = 256;

impl Sends {
    pub(super) fn new(node: Node, connection: Arc<Connection>) -> Self {
        Self {
            bucket: None,
            node,
            connection,
            waiting: VecDeque::new(),
            checking: Errand::idle(),
            unanswered: Unanswered::at_most(MAX_UNANSWERED),
        }
    }

    /// Whether one more message may come.
    pub(super) fn have_room(&self) -> bool {
        self.unanswered.has_room()
    }

    /// Waits until every message is answered.
    pub(super) fn all_answered(&self) -> impl Future<Output = ()> + use<> {
        self.unanswered.none()
    }

    /// Takes a message.
    pub(super) fn push(&mut self, id: Option<FrameId>, frame: SendFrame) {
        let Some(unanswered) = self.unanswered.add() else {
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
            client_id: stored_name(client_id),
            body: message.body,
            reply_to: message.reply_to,
            thread: message.thread,
            files: message.files,
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
        self.go_on();
    }

    /// Waits until something changes. Cancel-safe.
    pub(super) async fn turn(&mut self) -> Turn {
        let is_full = !self.have_room();
        tokio::select! {
            // In the order of their coming; there is at most one of each.
            biased;
            checked = self.checking.done() => Turn::Checked(checked),
            () = self.unanswered.room(), if is_full => Turn::Room,
        }
    }

    /// Lets the first of those waiting go, or refuses it, and those after it.
    pub(super) fn take(&mut self, turn: &Turn) {
        let Turn::Checked(checked) = turn else { return };
        self.settle(*checked);
        self.go_on();
    }

    /// Lets go who may, in order, up to one for whom it must be found out.
    fn go_on(&mut self) {
        let node = self.node.clone();
        while self.checking.is_idle() && !self.waiting.is_empty() {
            let rate = node.app.settings.rates.send;
            let user = self.connection.user.id;
            let bucket = self.bucket.get_or_insert_with(|| send_bucket(user).into());
            match node.app.limiter.spend(rate, bucket) {
                Spending::Through => self.settle(Ok(())),
                Spending::Refused(limited) => self.settle(Err(limited)),
                Spending::Unsure(answer) => self.checking.begin(answer),
            }
        }
    }

    fn settle(&mut self, checked: Checked) {
        let Some(sending) = self.waiting.pop_front() else {
            return;
        };
        match checked {
            Ok(()) => self.node.rooms.send(sending),
            Err(limited) => sending.refuse(limited.into()),
        }
    }
}
