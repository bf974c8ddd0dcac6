//! The messages that one socket sends: each takes one of what its user may send, in the order in which
//! they came, and goes to its room. The room answers.

use std::{
    collections::VecDeque,
    future::poll_fn,
    task::{Context, Poll},
};

use protocol::{
    accounts::UserSummary,
    frame::{FrameId, SendFrame},
};
use shared::{
    limiter::{Limited, Spending},
    messages::{send_bucket, stored_name},
    store::Append,
};

use super::{Connection, unanswered::Unanswered};
use crate::{Node, errand::Errand, room::Sending};

/// Messages of one socket that have no answer yet. It takes memory from the first on: most sockets listen.
#[derive(Default)]
pub(super) struct Sends(Option<Box<Begun>>);

struct Begun {
    /// Empty but while it is found out whether the first may go.
    waiting: VecDeque<Sending>,
    checking: Errand<Checked>,
    /// Names the bucket of what the user may send.
    bucket: Box<str>,
    /// As many messages may be without an answer; then nothing more is read from the socket.
    unanswered: Unanswered<MAX_UNANSWERED>,
    /// Until there may be more.
    room: Errand<()>,
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
    /// Whether one more message may come.
    pub(super) fn have_room(&self) -> bool {
        let begun = self.0.as_ref();
        begun.is_none_or(|begun| begun.unanswered.has_room())
    }

    /// Waits until every message is answered.
    pub(super) fn all_answered(&self) -> impl Future<Output = ()> + use<> {
        let unanswered = self.0.as_ref().map(|begun| begun.unanswered.none());
        async move {
            if let Some(unanswered) = unanswered {
                unanswered.await;
            }
        }
    }

    /// Takes a message.
    pub(super) fn push(
        &mut self,
        node: &Node,
        connection: &Connection,
        id: Option<FrameId>,
        frame: SendFrame,
    ) {
        let begun = self.0.get_or_insert_with(|| {
            Box::new(Begun {
                waiting: VecDeque::new(),
                checking: Errand::idle(),
                bucket: send_bucket(connection.user.id).into(),
                unanswered: Unanswered::none_yet(),
                room: Errand::idle(),
            })
        });
        let Some(unanswered) = begun.unanswered.add() else {
            debug_assert!(false, "nothing is read while there is no room");
            return;
        };
        let SendFrame { room, message } = frame;
        let client_id = message.client_id.expect("a send frame has a client_id");
        let clock = &node.app.clock;
        let append = Append {
            room,
            id: clock.id(),
            user: connection.user.id,
            client_id: stored_name(client_id),
            body: message.body,
            reply_to: message.reply_to,
            thread: message.thread,
            files: message.files,
            at: clock.now(),
        };
        begun.waiting.push_back(Sending {
            append,
            user: UserSummary::clone(&connection.user),
            id,
            outbox: connection.outbox.clone(),
            unanswered,
        });
        begun.go_on(node);
    }

    /// Waits until something changes. Cancel-safe.
    pub(super) async fn turn(&mut self) -> Turn {
        poll_fn(|cx| self.poll_turn(cx)).await
    }

    /// What has changed: in the order of their coming; there is at most one of each.
    pub(super) fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<Turn> {
        let Some(begun) = &mut self.0 else {
            return Poll::Pending;
        };
        if let Poll::Ready(checked) = begun.checking.poll_done(cx) {
            return Poll::Ready(Turn::Checked(checked));
        }
        if begun.unanswered.has_room() {
            begun.room = Errand::idle();
        } else if begun.room.is_idle() {
            begun.room.begin(begun.unanswered.room());
        }
        begun.room.poll_done(cx).map(|()| Turn::Room)
    }

    /// Lets the first of those waiting go, or refuses it, and those after it.
    pub(super) fn take(&mut self, node: &Node, turn: &Turn) {
        if let (Some(begun), Turn::Checked(checked)) = (&mut self.0, turn) {
            begun.settle(node, *checked);
            begun.go_on(node);
        }
    }
}

impl Begun {
    /// Lets go who may, in order, up to one for whom it must be found out.
    fn go_on(&mut self, node: &Node) {
        while self.checking.is_idle() && !self.waiting.is_empty() {
            let rate = node.app.settings.rates.send;
            match node.app.limiter.spend(rate, &self.bucket) {
                Spending::Through => self.settle(node, Ok(())),
                Spending::Refused(limited) => self.settle(node, Err(limited)),
                Spending::Unsure(answer) => self.checking.begin(answer),
            }
        }
    }

    fn settle(&mut self, node: &Node, checked: Checked) {
        let Some(sending) = self.waiting.pop_front() else {
            return;
        };
        match checked {
            Ok(()) => node.rooms.send(sending),
            Err(limited) => sending.refuse(limited.into()),
        }
    }
}
