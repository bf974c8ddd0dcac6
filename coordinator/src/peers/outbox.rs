//! The bounded queue to one gateway. Rooms push, never waiting; the task that owns the link takes.
//!
//! At half of its capacity, presence and typing are dropped. Full, the events in it are
//! dropped too and their rooms are lagging: the gateway is told that it lost something once it drains.
//! Answers are never dropped: nothing more is heard from a gateway that does not take them.

use std::{
    collections::{BTreeSet, VecDeque},
    mem,
    sync::{Arc, Mutex, MutexGuard},
};

use metrics::counter;
use protocol::RoomId;
use tokio::sync::Notify;

use super::frame::{Down, Frame as _, News};
use crate::{encoded::Entry, outbox::Capacity};

/// One end of the queue. Cloning gives the same queue.
#[derive(Clone)]
pub(super) struct Outbox(Arc<Shared>);

struct Shared {
    queue: Mutex<Queue>,
    /// Tells who takes that something waits.
    filled: Notify,
    /// Tells who asks that something was taken.
    taken: Notify,
    capacity: Capacity,
}

/// An idle queue keeps no more memory than for so many items of its last burst.
const KEPT_ITEMS: usize = 64;

struct Queue {
    items: VecDeque<Item>,
    bytes: usize,
    /// How many of the items are answers.
    answers: usize,
    /// Rooms of which something was dropped that they have to say again.
    lagging: BTreeSet<RoomId>,
    /// Rooms of which it waits that they are gone; they say so again and again.
    gone: BTreeSet<RoomId>,
}

/// What waits for a gateway.
#[derive(Clone)]
pub(super) enum Item {
    /// Answers a frame of the peer, or concerns the peer as a whole.
    Answer(Said),
    /// Happened in a room.
    Event(Arc<Entry>),
    /// Presence or typing of a room; may be lost.
    Passing(RoomId, Said),
    /// The room is gone.
    Gone(RoomId),
}

/// A frame as it leaves.
#[derive(Clone)]
pub(super) struct Said {
    pub(super) bytes: Arc<[u8]>,
    pub(super) kind: &'static str,
    /// Whether the gateway has to be told again when it is lost.
    is_missed: bool,
}

impl Outbox {
    /// An empty queue.
    pub(super) fn new(capacity: Capacity) -> Self {
        let queue = Queue {
            items: VecDeque::new(),
            bytes: 0,
            answers: 0,
            lagging: BTreeSet::new(),
            gone: BTreeSet::new(),
        };
        Self(Arc::new(Shared {
            queue: Mutex::new(queue),
            filled: Notify::new(),
            taken: Notify::new(),
            capacity,
        }))
    }

    /// Queues an answer.
    pub(super) fn answer(&self, frame: Said) {
        let mut queue = self.queue();
        queue.answers += 1;
        queue.push(Item::Answer(frame));
        self.notify(queue);
    }

    /// Queues events of one room, in order.
    pub(super) fn deliver(&self, entries: &[Arc<Entry>]) {
        let mut queue = self.queue();
        for entry in entries {
            if queue.lagging.contains(&entry.room) {
                // It will be read again with those before it.
                break;
            }
            if queue.is_above(self.0.capacity, entry.frame.len()) {
                queue.drop_events();
                queue.lagging.insert(entry.room);
                counter!("chatx_outbox_overflows_total").increment(1);
                break;
            }
            queue.push(Item::Event(Arc::clone(entry)));
        }
        self.notify(queue);
    }

    /// Queues what may be lost.
    pub(super) fn pass(&self, room: RoomId, frame: Said) {
        let mut queue = self.queue();
        let half = self.0.capacity.half();
        if queue.is_above(half, frame.bytes.len()) {
            counter!("chatx_outbox_dropped_total").increment(1);
            if frame.is_missed {
                queue.lagging.insert(room);
            }
        } else {
            queue.push(Item::Passing(room, frame));
        }
        self.notify(queue);
    }

    /// Tells that a room is gone.
    pub(super) fn gone(&self, room: RoomId) {
        let mut queue = self.queue();
        if queue.gone.insert(room) {
            queue.push(Item::Gone(room));
        }
        self.notify(queue);
    }

    /// Waits until something can be taken. Cancel-safe.
    pub(super) async fn filled(&self) {
        while self.is_empty() {
            self.0.filled.notified().await;
        }
    }

    /// Moves items of about `bytes` into `taken`, and tells which rooms are lagging, once all that
    /// waited before them is taken.
    pub(super) fn take(&self, bytes: usize, taken: &mut Vec<Item>) -> BTreeSet<RoomId> {
        let mut queue = self.queue();
        self.0.taken.notify_one();
        let mut taken_bytes = 0;
        while taken_bytes < bytes {
            let Some(item) = queue.pop() else {
                if queue.items.capacity() > KEPT_ITEMS {
                    queue.items = VecDeque::new();
                }
                return mem::take(&mut queue.lagging);
            };
            taken_bytes += item.len();
            taken.push(item);
        }
        BTreeSet::new()
    }

    /// Whether nothing can be taken.
    pub(super) fn is_empty(&self) -> bool {
        let queue = self.queue();
        queue.items.is_empty() && queue.lagging.is_empty()
    }

    /// Whether so many answers wait that no more questions should be read.
    pub(super) fn has_many_answers(&self) -> bool {
        let queue = self.queue();
        queue.answers > self.0.capacity.frames / 2 || queue.bytes > self.0.capacity.bytes
    }

    /// Waits until so few answers wait that another question may be read. Cancel-safe.
    pub(super) async fn answers_taken(&self) {
        while self.has_many_answers() {
            self.0.taken.notified().await;
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0
            .queue
            .lock()
            .expect("nothing panics while it holds the queue")
    }

    fn notify(&self, queue: MutexGuard<'_, Queue>) {
        let is_empty = queue.items.is_empty() && queue.lagging.is_empty();
        drop(queue);
        if !is_empty {
            self.0.filled.notify_one();
        }
    }
}

impl Queue {
    fn is_above(&self, capacity: Capacity, more_bytes: usize) -> bool {
        self.items.len() >= capacity.frames || self.bytes + more_bytes > capacity.bytes
    }

    fn push(&mut self, item: Item) {
        self.bytes += item.len();
        self.items.push_back(item);
    }

    fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        self.bytes -= item.len();
        match &item {
            Item::Answer(_) => self.answers -= 1,
            Item::Gone(room) => drop(self.gone.remove(room)),
            Item::Event(_) | Item::Passing(..) => {}
        }
        Some(item)
    }

    /// Keeps only what nobody could find again.
    fn drop_events(&mut self) {
        let items = mem::take(&mut self.items);
        self.bytes = 0;
        for item in items {
            match item {
                Item::Event(entry) => {
                    self.lagging.insert(entry.room);
                }
                Item::Passing(room, frame) => {
                    if frame.is_missed {
                        self.lagging.insert(room);
                    }
                }
                Item::Answer(_) | Item::Gone(_) => self.push(item),
            }
        }
    }
}

impl From<Down> for Said {
    fn from(frame: Down) -> Self {
        let is_missed = matches!(
            frame,
            Down::Room(_, News::Here(..) | News::Away(..) | News::NodeAway(_))
        );
        Self {
            bytes: frame.alone().into(),
            kind: frame.kind(),
            is_missed,
        }
    }
}

impl Item {
    fn len(&self) -> usize {
        match self {
            Self::Answer(frame) | Self::Passing(_, frame) => frame.bytes.len(),
            Self::Event(entry) => entry.frame.len(),
            Self::Gone(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use protocol::{
        EventId, Seq,
        frame::{ServerFrame, UnsubscribeReason, Unsubscribed},
    };
    use uuid::Uuid;

    use crate::encoded::Encoded;

    const CAPACITY: Capacity = Capacity {
        bytes: 4_000,
        frames: 16,
    };

    fn room(number: u8) -> RoomId {
        RoomId::from_uuid(Uuid::from_u128(number.into()))
    }

    fn frame() -> ServerFrame {
        let reason = UnsubscribeReason::Left;
        ServerFrame::Unsubscribed(Unsubscribed {
            room: room(0),
            reason,
        })
    }

    fn said() -> Said {
        Said {
            bytes: Arc::from([0; 200]),
            kind: "away",
            is_missed: false,
        }
    }

    fn event(number: u8, seq: u64) -> Arc<Entry> {
        let frame = Encoded::of(&frame());
        Arc::new(Entry {
            room: room(number),
            seq: Seq(seq),
            id: EventId::from_uuid(Uuid::nil()),
            frame,
            ends: None,
            text: None,
        })
    }

    #[derive(Clone, Debug)]
    enum Act {
        Answer,
        Event(u8),
        Passing(u8),
        Take(usize),
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let act = prop_oneof![
            1 => Just(Act::Answer),
            6 => (0_u8..3).prop_map(Act::Event),
            3 => (0_u8..3).prop_map(Act::Passing),
            1 => (1_usize..3_000).prop_map(Act::Take),
        ];
        proptest::collection::vec(act, 0..200)
    }

    proptest! {
        /// However it is filled and emptied: no answer is lost, no more waits than may, and of every
        /// room whose events do not all come out in order it is said that it lags.
        #[test]
        fn what_is_lost_is_told(acts in acts()) {
            let outbox = Outbox::new(CAPACITY);
            let (mut seqs, mut next) = ([0_u64; 3], [1_u64; 3]);
            let (mut asked, mut answered) = (0, 0);
            for act in acts.into_iter().chain([Act::Take(usize::MAX)]) {
                match act {
                    Act::Answer => {
                        asked += 1;
                        outbox.answer(said());
                    }
                    Act::Event(number) => {
                        let seq = &mut seqs[usize::from(number)];
                        *seq += 1;
                        outbox.deliver(&[event(number, *seq)]);
                    }
                    Act::Passing(number) => outbox.pass(room(number), said()),
                    Act::Take(bytes) => {
                        let mut taken = Vec::new();
                        let lagging = outbox.take(bytes, &mut taken);
                        for item in taken {
                            match item {
                                Item::Answer(_) => answered += 1,
                                Item::Event(entry) => {
                                    let number = usize::try_from(entry.room.uuid().as_u128()).unwrap();
                                    // A hole is found by the delivery rule, or told in the end.
                                    if entry.seq.0 == next[number] {
                                        next[number] += 1;
                                    }
                                }
                                Item::Passing(..) | Item::Gone(_) => {}
                            }
                        }
                        for number in lagging {
                            let number = usize::try_from(number.uuid().as_u128()).unwrap();
                            next[number] = seqs[number] + 1;
                        }
                    }
                }
                let queue = outbox.queue();
                let bounded = queue.items.len() - queue.answers;
                prop_assert!(bounded <= CAPACITY.frames);
                let bytes: usize = queue.items.iter().map(Item::len).sum();
                prop_assert_eq!(bytes, queue.bytes);
            }
            prop_assert_eq!(answered, asked);
            prop_assert_eq!(next, seqs.map(|seq| seq + 1));
            prop_assert!(outbox.is_empty());
        }
    }

    #[test]
    fn however_often_a_room_is_said_to_be_gone_it_waits_once() {
        let outbox = Outbox::new(CAPACITY);
        let mut taken = Vec::new();
        for _ in 0..100 {
            outbox.gone(room(1));
        }
        outbox.gone(room(2));
        outbox.take(usize::MAX, &mut taken);
        assert_eq!(taken.len(), 2);
        outbox.gone(room(1));
        outbox.take(usize::MAX, &mut taken);
        assert_eq!(taken.len(), 3);
    }

    #[test]
    fn presence_gives_way_to_events() {
        let outbox = Outbox::new(CAPACITY);
        for seq in 1..=8 {
            outbox.deliver(&[event(1, seq)]);
        }
        outbox.pass(room(1), said());
        outbox.deliver(&[event(1, 9)]);
        let mut taken = Vec::new();
        assert!(outbox.take(usize::MAX, &mut taken).is_empty());
        assert_eq!(taken.len(), 9);
        assert!(taken.iter().all(|item| matches!(item, Item::Event(_))));
    }
}
