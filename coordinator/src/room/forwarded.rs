//! The messages of one room that another node has stored for this one, in the order in which they came.

use std::{collections::VecDeque, future::poll_fn, mem, pin::Pin, task::Poll, time::Duration};

use protocol::ErrorCode;
use shared::Refusal;
use tokio::sync::oneshot;

use super::Sending;
use crate::peers::{
    Link,
    link::{Answer, NotSaid},
};

/// What the other node will answer to each, oldest first.
#[derive(Default)]
pub(super) struct Forwarded(VecDeque<(Box<Sending>, oneshot::Receiver<Answer>)>);

/// What became of some.
pub(super) struct Settled {
    /// What the store answered.
    pub(super) answered: Vec<(Box<Sending>, Answer)>,
    /// Whether nobody will answer the others.
    pub(super) is_lost: bool,
}

/// After how long a link that is full may be asked again.
const BUSY: Duration = Duration::from_secs(1);

impl Forwarded {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Has a message stored over a link. If that is lost already, nobody answers.
    pub(super) fn push(&mut self, sending: Box<Sending>, link: &Link) {
        match link.append(&sending.append, &sending.user) {
            Ok(answer) => self.0.push_back((sending, answer)),
            // It keeps its place among the others, which nobody answers either.
            Err(NotSaid::Lost) => self.0.push_back((sending, oneshot::channel().1)),
            Err(NotSaid::Full) => {
                sending.refuse(Refusal::from(ErrorCode::Unavailable).retry_after(BUSY));
            }
        }
    }

    /// Takes out all that have no answer, oldest first.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Box<Sending>> + use<> {
        mem::take(&mut self.0)
            .into_iter()
            .map(|(sending, _)| sending)
    }

    /// Waits until the oldest is answered or lost, and takes all that are answered, in order. When some
    /// are lost they must be taken before this is called again. Cancel-safe.
    pub(super) async fn settled(&mut self) -> Settled {
        poll_fn(|cx| {
            let mut settled = Settled {
                answered: Vec::new(),
                is_lost: false,
            };
            while let Some((_, answer)) = self.0.front_mut() {
                match Pin::new(answer).poll(cx) {
                    Poll::Ready(Ok(answer)) => {
                        let (sending, _) = self.0.pop_front().expect("the front was just there");
                        settled.answered.push((sending, answer));
                    }
                    Poll::Ready(Err(_)) => {
                        settled.is_lost = true;
                        break;
                    }
                    Poll::Pending => break,
                }
            }
            if settled.answered.is_empty() && !settled.is_lost {
                Poll::Pending
            } else {
                Poll::Ready(settled)
            }
        })
        .await
    }
}
