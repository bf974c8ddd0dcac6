//! A gateway's end of a link, and the task behind it: what the rooms of this node say to a room of
//! another, and hear from there. Which node that is, [`crate::peers`] knows.

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use metrics::gauge;
use protocol::{RoomId, accounts::UserSummary};
use shared::{
    Refusal,
    store::{Append, Appended},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Notify, oneshot},
};
use tokio_tungstenite::WebSocketStream;
use tracing::info;

use super::{
    LocalRooms, Peers,
    frame::{self, Down, Frame, Garbled, MESSAGE_BYTES, Up, Word},
    line::{self, Hears, Lost, Says, Tally},
};
use crate::outbox::Capacity;

/// A link that is up, or was. Cloning gives the same one; one that is opened again is another.
#[derive(Clone)]
pub(crate) struct Link(Arc<Shared>);

struct Shared {
    /// The node at its other end.
    node: Arc<str>,
    /// Whether that node said that rooms should not be with it.
    is_leaving: AtomicBool,
    queue: Mutex<Queue>,
    /// Tells the task that something waits.
    filled: Notify,
}

/// What waits to be said, and who waits for an answer.
struct Queue {
    capacity: Capacity,
    /// Until it is lost, for good.
    is_up: bool,
    /// Messages, each of whole frames.
    messages: VecDeque<Batch>,
    /// How many frames wait.
    frames: usize,
    bytes: usize,
    answers: BTreeMap<u64, oneshot::Sender<Answer>>,
    next_number: u64,
}

/// The frames of one message.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    kinds: Vec<&'static str>,
}

/// What becomes of a message.
pub(crate) type Answer = Result<Appended, Refusal>;

/// Why something is not said. Nothing of it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotSaid {
    /// Too much waits to be said already, or too many wait for an answer.
    Full,
    /// The link is down.
    Lost,
}

/// How many messages may wait for the answer of the other node's store, all rooms taken together.
const UNANSWERED: usize = 16_384;

impl Link {
    /// A link to that node, with nothing said yet.
    pub(crate) fn new(node: Arc<str>, capacity: Capacity) -> Self {
        Self(Arc::new(Shared {
            node,
            is_leaving: AtomicBool::new(false),
            queue: Mutex::new(Queue {
                capacity,
                is_up: true,
                messages: VecDeque::new(),
                frames: 0,
                bytes: 0,
                answers: BTreeMap::new(),
                next_number: 0,
            }),
            filled: Notify::new(),
        }))
    }

    /// The node at its other end.
    pub(crate) fn node(&self) -> &Arc<str> {
        &self.0.node
    }

    /// Whether it is this very one, not another to the same node.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether it is not lost.
    pub(crate) fn is_up(&self) -> bool {
        self.queue().is_up
    }

    /// Says something about a room; not if the link is lost or too much waits: the room attaches again.
    pub(crate) fn say(&self, room: RoomId, word: Word) -> Result<(), NotSaid> {
        let frame = Up::Room(room, word);
        let mut queue = self.queue();
        queue.push(&frame)?;
        drop(queue);
        self.0.filled.notify_one();
        Ok(())
    }

    /// Has the other node store a message. The receiver ends without an answer when the link is lost:
    /// then nobody knows whether it is stored.
    pub(crate) fn append(
        &self,
        append: &Append,
        user: &UserSummary,
    ) -> Result<oneshot::Receiver<Answer>, NotSaid> {
        let (answer, receiver) = oneshot::channel();
        let mut queue = self.queue();
        if queue.answers.len() >= UNANSWERED {
            return Err(NotSaid::Full);
        }
        let number = queue.next_number;
        let word = Word::Append {
            number,
            append: Box::new(append.clone()),
            user: user.clone(),
        };
        queue.push(&Up::Room(append.room, word))?;
        queue.next_number += 1;
        queue.answers.insert(number, answer);
        drop(queue);
        self.0.filled.notify_one();
        Ok(receiver)
    }

    /// Whether the other node said that rooms should not be with it.
    pub(super) fn is_leaving(&self) -> bool {
        self.0.is_leaving.load(Ordering::Relaxed)
    }

    fn answer(&self, number: u64, answer: Answer) {
        let waiting = self.queue().answers.remove(&number);
        if let Some(waiting) = waiting {
            // Who no longer waits for it does not need it.
            drop(waiting.send(answer));
        }
    }

    /// Notes that it is lost: nothing more is said, and whoever waits for an answer waits no more.
    pub(super) fn lose(&self) {
        let mut queue = self.queue();
        queue.is_up = false;
        let (messages, answers) = (
            mem::take(&mut queue.messages),
            mem::take(&mut queue.answers),
        );
        (queue.frames, queue.bytes) = (0, 0);
        drop(queue);
        drop((messages, answers));
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0
            .queue
            .lock()
            .expect("nothing panics while it holds the queue")
    }
}

impl Queue {
    fn push(&mut self, frame: &Up) -> Result<(), NotSaid> {
        if !self.is_up {
            return Err(NotSaid::Lost);
        }
        // One that is alone is taken, however long it is: who is in a large room makes a long list.
        if self.frames >= self.capacity.frames || self.bytes >= self.capacity.bytes {
            return Err(NotSaid::Full);
        }
        if self
            .messages
            .back()
            .is_none_or(|last| last.bytes.len() >= MESSAGE_BYTES)
        {
            self.messages.push_back(Batch::default());
        }
        let last = self.messages.back_mut().expect("one was just made sure of");
        let before = last.bytes.len();
        frame.encode(&mut last.bytes);
        last.kinds.push(frame.kind());
        self.bytes += last.bytes.len() - before;
        self.frames += 1;
        Ok(())
    }

    fn pop(&mut self) -> Option<Batch> {
        let message = self.messages.pop_front()?;
        self.bytes -= message.bytes.len();
        self.frames -= message.kinds.len();
        Some(message)
    }
}

/// Uses an open link until it is lost. It is up once the other end was heard.
pub(super) async fn run<S, R>(
    peers: &Peers,
    rooms: &R,
    socket: WebSocketStream<S>,
    node: &Arc<str>,
) -> (bool, Lost)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    R: LocalRooms,
{
    let link = Link::new(Arc::clone(node), peers.0.capacities.link);
    let mut hearing = Hearing {
        link: &link,
        peers,
        rooms,
        raised: None,
        tally: Tally::new("in"),
    };
    let mut saying = Saying {
        link: &link,
        tally: Tally::new("out"),
    };
    let lost = line::talk(socket, &mut saying, &mut hearing).await;
    (hearing.raised.is_some(), lost)
}

struct Saying<'a> {
    link: &'a Link,
    tally: Tally,
}

impl Says for Saying<'_> {
    async fn filled(&self) {
        while self.link.queue().messages.is_empty() {
            self.link.0.filled.notified().await;
        }
    }

    fn take(&mut self) -> Vec<u8> {
        let Batch { bytes, kinds } = self.link.queue().pop().unwrap_or_default();
        for kind in kinds {
            self.tally.count(kind);
        }
        bytes
    }

    fn ping(&self) -> Vec<u8> {
        Up::Ping.alone()
    }
}

struct Hearing<'a, R> {
    link: &'a Link,
    peers: &'a Peers,
    rooms: &'a R,
    /// Once the other end was heard.
    raised: Option<Raised<'a>>,
    tally: Tally,
}

/// A link that is up, for as long as it lives.
struct Raised<'a> {
    link: &'a Link,
    peers: &'a Peers,
}

impl<R: LocalRooms> Hears for Hearing<'_, R> {
    async fn hear(&mut self, message: &[u8]) -> Result<(), Garbled> {
        let frames = frame::read::<Down>(message)?;
        for frame in frames {
            self.tally.count(frame.kind());
            match frame {
                Down::Ping => {}
                Down::Staying(is_staying) => {
                    self.link.0.is_leaving.store(!is_staying, Ordering::Relaxed);
                    self.peers.look_again();
                }
                Down::Appended { number, result } => self.link.answer(number, result),
                Down::Room(room, news) => self.rooms.hear(self.link, room, news).await,
            }
            if self.raised.is_none() {
                self.raised = Some(Raised::new(self.link, self.peers));
            }
        }
        Ok(())
    }
}

impl<'a> Raised<'a> {
    fn new(link: &'a Link, peers: &'a Peers) -> Self {
        peers.raise(link);
        info!(peer = &**link.node(), "a link is up");
        gauge!("chatx_links").increment(1.0);
        Self { link, peers }
    }
}

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        // Nobody may turn to it when those who wait learn that they wait in vain.
        self.peers.lower(self.link);
        self.link.lose();
        gauge!("chatx_links").decrement(1.0);
    }
}
