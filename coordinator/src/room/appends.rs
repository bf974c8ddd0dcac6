//! The messages of one room that are on their way into the store, in the order in which they came.

use std::{collections::VecDeque, future::poll_fn, pin::Pin, task::Poll};

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

use crate::{answers, outbox::Outbox};

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
pub(super) struct Appends(VecDeque<(Sending, Receipt)>);

/// How many messages of one room may wait for the store.
const MAX_WAITING: usize = 4_096;

impl Appends {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= MAX_WAITING
    }

    pub(super) fn push(&mut self, sending: Sending, receipt: Receipt) {
        self.0.push_back((sending, receipt));
    }

    /// Waits until the oldest is answered, and takes all that are, in order. Cancel-safe.
    pub(super) async fn settled(&mut self) -> Vec<(Sending, Result<Appended, Refusal>)> {
        poll_fn(|cx| {
            let mut settled = Vec::new();
            while let Some((_, receipt)) = self.0.front_mut() {
                let Poll::Ready(result) = Pin::new(receipt).poll(cx) else {
                    break;
                };
                let (sending, _) = self.0.pop_front().expect("the front was just there");
                settled.push((sending, result));
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

impl Sending {
    /// Says that it is stored.
    pub(super) fn acknowledge(&self, place: Place, duplicate: bool) {
        self.outbox.answer(&ServerFrame::Ack(Ack {
            id: self.id.clone(),
            room: self.append.room,
            seq: place.seq,
            at: place.at,
            client_id: Some(self.append.client_id.clone()),
            target: None,
            duplicate,
        }));
    }

    /// Says that it is not.
    pub(crate) fn refuse(self, refusal: Refusal) {
        self.outbox.answer(&answers::refused(self.id, refusal));
    }

    /// What everybody sees of it.
    pub(super) fn into_event(self, place: Place) -> Event {
        let Append {
            room,
            client_id,
            body,
            reply_to,
            thread,
            ..
        } = self.append;
        Event {
            room,
            seq: place.seq,
            id: place.id,
            n: place.n,
            at: place.at,
            user: self.user,
            kind: EventKind::Message(MessageContent {
                client_id: Some(client_id),
                body: body.into_string(),
                edited_at: None,
                deleted_at: None,
                reply_to,
                thread,
            }),
        }
    }
}
