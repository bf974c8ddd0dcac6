//! What comes out of one room: deliveries in a bounded queue between the connection and the program.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use futures_util::{Stream, StreamExt};
use protocol::{
    EventId, Seq,
    events::Event,
    frame::{Online, PresenceFrame, ReadFrame, TypingFrame, UnsubscribeReason},
};
use tokio::sync::{Notify, mpsc};

use super::{Command, Ended};
use crate::Refusal;

/// Where to begin in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With what happens from now on.
    Live,
    /// With at most so many of the latest events; at most 200.
    Latest(u32),
    /// Behind the event that the program had last, with its id if that is known. `Seq::ZERO` begins
    /// with the first one that this member may read.
    After(Seq, Option<EventId>),
}

/// Something of one room, in order.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "most of them are events, which are the large ones"
)]
#[non_exhaustive]
pub enum Delivery {
    /// The next event: its seq is one more than that of the event before it.
    Event(Event),
    /// What the program has of this room no longer counts: too much was missed, or the server has
    /// another history. The events that follow begin anywhere up to `head`.
    Reset {
        /// The place of the room's latest event.
        head: Seq,
    },
    /// The room is followed, for the first time or again, and this is who is there. Left out when
    /// many deliveries wait.
    Online(Online),
    /// Somebody came, went, or is here in another way. Left out when many deliveries wait.
    Presence(PresenceFrame),
    /// Somebody began or stopped typing. Left out when many deliveries wait.
    Typing(TypingFrame),
    /// Somebody has read up to a place. Left out when many deliveries wait.
    Read(ReadFrame),
    /// Nothing more; always the last one.
    Ended(RoomEnded),
}

/// Why nothing more comes of a room.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RoomEnded {
    /// The server ended it.
    Unsubscribed(UnsubscribeReason),
    /// The server does not let this user follow it.
    Refused(Box<Refusal>),
    /// The program asked for the events of the same room once more, and gets them there.
    Replaced,
    /// The connection is over.
    Connection(Ended),
}

impl fmt::Display for RoomEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsubscribed(UnsubscribeReason::Left) => f.write_str("the user left the room"),
            Self::Unsubscribed(UnsubscribeReason::Kicked) => f.write_str("the user was removed"),
            Self::Unsubscribed(UnsubscribeReason::Banned) => f.write_str("the user was banned"),
            Self::Unsubscribed(UnsubscribeReason::Deleted) => f.write_str("the room was deleted"),
            Self::Unsubscribed(UnsubscribeReason::Archived) => f.write_str("the room was archived"),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Replaced => f.write_str("its events are read elsewhere"),
            Self::Connection(ended) => ended.fmt(f),
        }
    }
}

/// The deliveries of one room. Dropping it stops following the room.
///
/// It holds at most [`crate::Settings::deliveries`]. When a program is slower than that, the
/// connection leaves further events at the server and resumes once half of these are taken; what is
/// missed by more than 500 events comes as [`Delivery::Reset`], unless [`crate::Settings::complete`].
#[derive(Debug)]
pub struct Events {
    deliveries: mpsc::Receiver<Delivery>,
    shared: Arc<Shared>,
    wake: Arc<Notify>,
    most: usize,
    /// The connection lives for as long as somebody listens; nothing once all is said.
    connection: Option<mpsc::Sender<Command>>,
}

/// What both ends of the queue look at.
#[derive(Debug, Default)]
struct Shared {
    /// Whether something was left at the server because the queue was full.
    is_lagging: AtomicBool,
    ended: OnceLock<RoomEnded>,
}

impl Events {
    /// The next delivery; nothing after [`Delivery::Ended`]. Cancel-safe.
    pub async fn next(&mut self) -> Option<Delivery> {
        StreamExt::next(self).await
    }
}

impl Stream for Events {
    type Item = Delivery;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Delivery>> {
        if self.connection.is_none() {
            return Poll::Ready(None);
        }
        let delivery = ready!(self.deliveries.poll_recv(context));
        if self.shared.is_lagging.load(Ordering::SeqCst) && self.deliveries.len() <= self.most / 2 {
            self.wake.notify_one();
        }
        Poll::Ready(Some(delivery.unwrap_or_else(|| {
            self.connection = None;
            let ended = self.shared.ended.get().cloned();
            Delivery::Ended(ended.unwrap_or(RoomEnded::Connection(Ended::Closed)))
        })))
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.deliveries.close();
        self.wake.notify_one();
    }
}

/// The connection's end of the queue.
#[derive(Debug)]
pub(super) struct Queue {
    deliveries: mpsc::Sender<Delivery>,
    shared: Arc<Shared>,
}

/// Why a delivery was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// The program is behind.
    Full,
    /// The program stopped listening.
    Gone,
}

impl Queue {
    /// Both ends of a queue of `most`; the program's end tells `wake` when it has room again.
    pub(super) fn new(
        most: usize,
        wake: Arc<Notify>,
        connection: mpsc::Sender<Command>,
    ) -> (Self, Events) {
        let most = most.max(1);
        let (sender, deliveries) = mpsc::channel(most);
        let shared = Arc::<Shared>::default();
        let queue = Self {
            deliveries: sender,
            shared: Arc::clone(&shared),
        };
        let events = Events {
            deliveries,
            shared,
            wake,
            most,
            connection: Some(connection),
        };
        (queue, events)
    }

    /// Puts in what may not be lost.
    pub(super) fn put(&self, delivery: Delivery) -> Result<(), NotTaken> {
        self.deliveries
            .try_send(delivery)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => {
                    self.shared.is_lagging.store(true, Ordering::SeqCst);
                    NotTaken::Full
                }
                mpsc::error::TrySendError::Closed(_) => NotTaken::Gone,
            })
    }

    /// Puts in what may be lost, and leaves it out rather than take the place of an event.
    pub(super) fn pass(&self, delivery: Delivery) {
        if self.has_room() {
            drop(self.deliveries.try_send(delivery));
        }
    }

    /// Whether at least half of it is free.
    pub(super) fn has_room(&self) -> bool {
        self.deliveries.capacity() >= self.deliveries.max_capacity().div_ceil(2)
    }

    /// The program gets what was left at the server.
    pub(super) fn catches_up(&self) {
        self.shared.is_lagging.store(false, Ordering::SeqCst);
    }

    /// Whether the program stopped listening.
    pub(super) fn is_gone(&self) -> bool {
        self.deliveries.is_closed()
    }

    /// Ends it, behind what is in it.
    pub(super) fn end(self, why: RoomEnded) {
        self.shared.ended.get_or_init(|| why);
    }
}
