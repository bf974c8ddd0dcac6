//! The messages of one room that are on their way into the store from here, in the order in which they
//! came.

use std::{collections::VecDeque, future::poll_fn, mem, pin::Pin, task::Poll};

use protocol::{
    accounts::UserSummary,
    events::{Event, EventKind},
    frame::{Ack, FrameId, ServerFrame},
    messages::MessageContent,
};
use shared::{
    Refusal,
    appender::Receipt,
    store::{Append, Appended, Place},
};
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    answers,
    encoded::Encoded,
    log::Log,
    outbox::Outbox,
    peers::{Guest, link::Answer},
};

/// A message that wants a place, and who wants to hear of it.
pub(crate) struct Sending {
    /// What is stored.
    pub(crate) append: Append,
    /// Who writes it.
    pub(crate) user: UserSummary,
    /// What the answer echoes.
    pub(crate) id: Option<FrameId>,
    /// Where the answer goes.
    pub(crate) outbox: Outbox,
    /// Counts it as unanswered for as long as it is.
    #[expect(dead_code, reason = "it counts until it is dropped, after the answer")]
    pub(crate) unanswered: OwnedSemaphorePermit,
}

/// What the store will answer to each, oldest first.
#[derive(Default)]
pub(super) struct Appends(VecDeque<(Message, Receipt)>);

/// A message, by where it came from.
pub(super) enum Message {
    /// A socket of this node.
    OfSocket(Box<Sending>),
    /// A node that has it stored here.
    OfGuest(Box<Passed>),
}

/// A message that a guest passed on.
pub(super) struct Passed {
    pub(super) guest: Guest,
    /// Names it in the answer.
    pub(super) number: u64,
    pub(super) append: Append,
    pub(super) user: UserSummary,
}

impl Appends {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Hands a message to the log.
    pub(super) fn submit(&mut self, message: Message, log: &dyn Log) {
        match log.submit(message.append().clone()) {
            Ok(receipt) => self.0.push_back((message, receipt)),
            Err(refusal) => message.refuse(&refusal),
        }
    }

    /// Takes out those of sockets that have no answer yet, oldest first: they are stored another way.
    pub(super) fn take_of_sockets(&mut self) -> impl Iterator<Item = Box<Sending>> + use<> {
        let is_of_socket = |(message, _): &(Message, _)| matches!(message, Message::OfSocket(_));
        let (taken, left): (VecDeque<_>, _) =
            mem::take(&mut self.0).into_iter().partition(is_of_socket);
        self.0 = left;
        taken.into_iter().filter_map(|(message, _)| match message {
            Message::OfSocket(sending) => Some(sending),
            Message::OfGuest(_) => None,
        })
    }

    /// Answers all, which nobody waits for any longer here.
    pub(super) fn refuse(&mut self, refusal: &Refusal) {
        for (message, _) in self.0.drain(..) {
            message.refuse(refusal);
        }
    }

    /// Waits until the oldest is answered, and takes all that are, in order. Cancel-safe.
    pub(super) async fn settled(&mut self) -> Vec<(Message, Answer)> {
        poll_fn(|cx| {
            let mut settled = Vec::new();
            while let Some((_, receipt)) = self.0.front_mut() {
                let Poll::Ready(result) = Pin::new(receipt).poll(cx) else {
                    break;
                };
                let (message, _) = self.0.pop_front().expect("the front was just there");
                settled.push((message, result));
            }
            if settled.is_empty() {
                Poll::Pending
            } else {
                Poll::Ready(settled)
            }
        })
        .await
    }
}

impl Message {
    const fn append(&self) -> &Append {
        match self {
            Self::OfSocket(sending) => &sending.append,
            Self::OfGuest(passed) => &passed.append,
        }
    }

    fn refuse(&self, refusal: &Refusal) {
        match self {
            Self::OfSocket(sending) => sending.refuse(refusal.clone()),
            Self::OfGuest(passed) => passed.guest.answer(passed.number, Err(refusal.clone())),
        }
    }

    /// What everybody sees of it.
    pub(super) fn into_event(self, place: Place) -> Event {
        let (append, user) = match self {
            Self::OfSocket(sending) => (sending.append, sending.user),
            Self::OfGuest(passed) => (passed.append, passed.user),
        };
        Event {
            room: append.room,
            seq: place.seq,
            id: place.id,
            n: place.n,
            at: place.at,
            user,
            kind: EventKind::Message(MessageContent {
                client_id: Some(append.client_id),
                body: append.body.into_string(),
                reply_to: append.reply_to,
                thread: append.thread,
                mentions: place.mentions,
                files: place.files,
                ..MessageContent::default()
            }),
        }
    }
}

impl Sending {
    /// Has the socket's next write say what became of it.
    pub(super) fn answer(&self, answer: &Answer) {
        let frame = match answer {
            Ok(Appended::Stored(place)) => self.acknowledged(place, false),
            Ok(Appended::Duplicate(place)) => self.acknowledged(place, true),
            Ok(Appended::Refused(refusal)) | Err(refusal) => {
                answers::refused(self.id.clone(), refusal.clone())
            }
        };
        self.outbox.hold(Encoded::of(&frame));
    }

    fn acknowledged(&self, place: &Place, duplicate: bool) -> ServerFrame {
        ServerFrame::Ack(Ack {
            id: self.id.clone(),
            room: self.append.room,
            seq: place.seq,
            at: place.at,
            client_id: Some(self.append.client_id.clone()),
            target: None,
            duplicate,
        })
    }

    /// Says at once that it is not stored.
    pub(crate) fn refuse(&self, refusal: Refusal) {
        let id = self.id.clone();
        self.outbox.answer(&answers::refused(id, refusal));
    }
}
