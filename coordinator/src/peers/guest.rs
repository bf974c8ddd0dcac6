//! An owner's end of a link, and the task behind it: what the rooms of this node say to a gateway that
//! attached to them, and hear from there.

use std::{collections::BTreeSet, sync::Arc};

use metrics::gauge;
use protocol::RoomId;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{
    Admitted, LocalRooms,
    frame::{self, Down, Frame, Garbled, MESSAGE_BYTES, News, Up, Word},
    line::{self, Hears, Says, Tally},
    link::Answer,
    outbox::{Item, Outbox},
};
use crate::{encoded::Entry, outbox::Capacity};

/// A gateway that is linked, as rooms see it. Cloning gives the same one; one that comes again is another.
#[derive(Clone)]
pub(crate) struct Guest(Arc<Shared>);

struct Shared {
    node: Arc<str>,
    outbox: Outbox,
}

impl Guest {
    pub(super) fn new(node: Arc<str>, capacity: Capacity) -> Self {
        Self(Arc::new(Shared {
            node,
            outbox: Outbox::new(capacity),
        }))
    }

    /// Its node.
    pub(crate) fn node(&self) -> &Arc<str> {
        &self.0.node
    }

    /// Whether it is this very one, not another of the same node.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Says what happened in one room, in order. When too much waits it is dropped, and once the gateway
    /// drains it is told that it lost something.
    pub(crate) fn deliver(&self, entries: &[Arc<Entry>]) {
        self.0.outbox.deliver(entries);
    }

    /// Says what is never dropped.
    pub(crate) fn tell(&self, room: RoomId, news: News) {
        match news {
            // It is said again and again.
            News::Gone => self.0.outbox.gone(room),
            news => self.0.outbox.answer(Down::Room(room, news).into()),
        }
    }

    /// Says what gives way to events: who is here, typing, has read up to where. When who is here cannot
    /// be said, the gateway is told that it lost something.
    pub(crate) fn pass(&self, room: RoomId, news: News) {
        self.0.outbox.pass(room, Down::Room(room, news).into());
    }

    /// Says what became of a message. Never dropped.
    pub(crate) fn answer(&self, number: u64, result: Answer) {
        self.0
            .outbox
            .answer(Down::Appended { number, result }.into());
    }

    /// Says whether rooms should be with this node.
    pub(super) fn tell_staying(&self, is_staying: bool) {
        self.0.outbox.answer(Down::Staying(is_staying).into());
    }
}

/// Serves a gateway until its link is lost, or until `cancel`; then it is attached to no room.
pub(crate) async fn serve<S, R>(
    admitted: Admitted,
    rooms: R,
    socket: WebSocketStream<S>,
    cancel: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    R: LocalRooms,
{
    let guest = admitted.guest();
    let mut saying = Saying::new(guest);
    let mut hearing = Hearing {
        guest,
        rooms: &rooms,
        attached: BTreeSet::new(),
        tally: Tally::new("in"),
    };
    gauge!("chatx_link_guests").increment(1.0);
    info!(peer = &**guest.node(), "a gateway is linked");
    // Ending comes first: a gateway may never pause.
    tokio::select! {
        biased;
        () = cancel.cancelled() => {}
        lost = line::talk(socket, &mut saying, &mut hearing) => {
            info!(peer = &**guest.node(), reason = %lost, "a gateway is gone");
        }
    }
    gauge!("chatx_link_guests").decrement(1.0);
    for room in hearing.attached {
        rooms.guest(guest, room, Word::Detach).await;
    }
}

struct Saying<'a> {
    guest: &'a Guest,
    /// Keeps its room between two messages.
    taken: Vec<Item>,
    tally: Tally,
}

impl<'a> Saying<'a> {
    const fn new(guest: &'a Guest) -> Self {
        Self {
            guest,
            taken: Vec::new(),
            tally: Tally::new("out"),
        }
    }
}

fn say(frame: &Down, message: &mut Vec<u8>, tally: &mut Tally) {
    tally.count(frame.kind());
    frame.encode(message);
}

impl Says for Saying<'_> {
    async fn filled(&self) {
        self.guest.0.outbox.filled().await;
    }

    fn take(&mut self) -> Vec<u8> {
        let Self { taken, tally, .. } = self;
        let lagging = self.guest.0.outbox.take(MESSAGE_BYTES, taken);
        let mut message = Vec::new();
        for item in taken.drain(..) {
            match item {
                Item::Event(entry) => {
                    let frame = Down::Room(entry.room, News::Event(entry));
                    say(&frame, &mut message, tally);
                }
                Item::Gone(room) => say(&Down::Room(room, News::Gone), &mut message, tally),
                Item::Answer(frame) | Item::Passing(_, frame) => {
                    tally.count(frame.kind);
                    message.extend_from_slice(&frame.bytes);
                }
            }
        }
        for room in lagging {
            say(&Down::Room(room, News::Lost), &mut message, tally);
        }
        message
    }

    fn ping(&self) -> Vec<u8> {
        Down::Ping.alone()
    }
}

struct Hearing<'a, R> {
    guest: &'a Guest,
    rooms: &'a R,
    /// The rooms that the gateway is attached to.
    attached: BTreeSet<RoomId>,
    tally: Tally,
}

impl<R: LocalRooms> Hears for Hearing<'_, R> {
    async fn hear(&mut self, message: &[u8]) -> Result<(), Garbled> {
        let frames = frame::read::<Up>(message)?;
        for frame in frames {
            self.tally.count(frame.kind());
            let Up::Room(room, word) = frame else {
                continue;
            };
            match word {
                Word::Attach { .. } => drop(self.attached.insert(room)),
                Word::Detach => drop(self.attached.remove(&room)),
                _ => {}
            }
            self.rooms.guest(self.guest, room, word).await;
        }
        // A gateway that asks and does not take its answers is not asked what else it wants.
        self.guest.0.outbox.answers_taken().await;
        Ok(())
    }
}
