//! The messages that the server has not answered for. In each room one is under way at a time, because
//! order is a promise: of two, the first could be refused for a moment and the second be taken before
//! it. It sends nothing itself and is told the time.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use protocol::RoomId;
use tokio::time::Instant;

/// The unanswered messages, each an `L` that knows whom to tell.
#[derive(Debug)]
pub(super) struct Outbox<L> {
    rooms: BTreeMap<RoomId, Queue<L>>,
    /// The rooms that have something, in the order in which they take turns.
    turns: VecDeque<RoomId>,
    /// Which room a message that was ever sent is in.
    sent: HashMap<Number, RoomId>,
    numbers: u64,
    pace: Pace,
}

/// Names a message for as long as it is here, over all the times that it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Number(pub(super) u64);

/// What waits in one room, never empty.
#[derive(Debug)]
struct Queue<L> {
    letters: VecDeque<(Number, L)>,
    state: State,
}

/// How far the first of a room is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It may be sent.
    Waiting,
    /// It may be sent later.
    NotBefore(Instant),
    /// It was sent, and an answer is due.
    UnderWay { since: Instant },
}

/// How many may be under way in all rooms together. A server that says `rate_limited` gets one at a
/// time again, and one more with each that it takes.
#[derive(Debug)]
struct Pace {
    under_way: usize,
    window: usize,
    most: usize,
    not_before: Option<Instant>,
}

/// Whom a wait concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// This room alone.
    Room,
    /// All that this user sends.
    Everywhere,
}

impl<L> Outbox<L> {
    pub(super) fn new(at_once: usize) -> Self {
        let most = at_once.max(1);
        Self {
            rooms: BTreeMap::new(),
            turns: VecDeque::new(),
            sent: HashMap::new(),
            numbers: 0,
            pace: Pace {
                under_way: 0,
                window: most,
                most,
                not_before: None,
            },
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rooms.is_empty()
    }

    /// How many have no answer.
    pub(super) fn len(&self) -> usize {
        self.rooms.values().map(|queue| queue.letters.len()).sum()
    }

    /// Takes a message, behind those of its room.
    pub(super) fn add(&mut self, room: RoomId, letter: L) {
        self.numbers += 1;
        let queue = self.rooms.entry(room).or_insert_with(|| {
            self.turns.push_back(room);
            Queue {
                letters: VecDeque::new(),
                state: State::Waiting,
            }
        });
        queue.letters.push_back((Number(self.numbers), letter));
    }

    /// The next message to send; it is under way from here on.
    pub(super) fn next(&mut self, now: Instant) -> Option<(RoomId, Number, &L)> {
        if self.pace.under_way >= self.pace.window
            || self.pace.not_before.is_some_and(|at| now < at)
        {
            return None;
        }
        let is_due = |room: &RoomId| self.rooms.get(room).is_some_and(|queue| queue.is_due(now));
        let turn = self.turns.iter().position(is_due)?;
        let room = self.turns.remove(turn)?;
        self.turns.push_back(room);
        let queue = self.rooms.get_mut(&room)?;
        queue.state = State::UnderWay { since: now };
        self.pace.under_way += 1;
        let (number, letter) = queue.letters.front()?;
        self.sent.insert(*number, room);
        Some((room, *number, letter))
    }

    /// A message has its last answer; nothing if it had one before.
    pub(super) fn settle(&mut self, number: Number, is_stored: bool) -> Option<L> {
        let room = self.sent.remove(&number)?;
        let queue = self.rooms.get_mut(&room)?;
        // Only the first of a room is ever sent, and it leaves no sooner than it is settled.
        let (_, letter) = queue.letters.pop_front()?;
        self.pace.landed(&mut queue.state);
        if is_stored {
            self.pace.widen();
        }
        if queue.letters.is_empty() {
            self.rooms.remove(&room);
            self.turns.retain(|turn| *turn != room);
        }
        Some(letter)
    }

    /// The server wants a message again, at `at`.
    pub(super) fn put_off(&mut self, number: Number, at: Instant, wait: Wait) {
        let Some(queue) = self
            .sent
            .get(&number)
            .and_then(|room| self.rooms.get_mut(room))
        else {
            return;
        };
        self.pace.landed(&mut queue.state);
        match wait {
            Wait::Room => queue.state = State::NotBefore(at),
            Wait::Everywhere => self.pace.narrow(at),
        }
    }

    /// The socket is gone: whatever was under way may or may not have arrived.
    pub(super) fn lost(&mut self) {
        for queue in self.rooms.values_mut() {
            self.pace.landed(&mut queue.state);
        }
    }

    /// Sends again what has had no answer for as long as `within`; whether there is such a thing.
    pub(super) fn doubt(&mut self, now: Instant, within: Duration) -> bool {
        let mut is_any = false;
        for queue in self.rooms.values_mut() {
            if matches!(queue.state, State::UnderWay { since } if now >= since + within) {
                self.pace.landed(&mut queue.state);
                is_any = true;
            }
        }
        is_any
    }

    /// When there is something to do, if nothing else happens.
    pub(super) fn deadline(&self, within: Duration) -> Option<Instant> {
        let rooms = self.rooms.values().filter_map(|queue| match queue.state {
            State::Waiting => None,
            State::NotBefore(at) => Some(at),
            State::UnderWay { since } => Some(since + within),
        });
        rooms.chain(self.pace.not_before).min()
    }

    /// Whether a wait is over that `deadline` told of.
    pub(super) fn woke(&mut self, now: Instant) {
        self.pace.not_before = self.pace.not_before.filter(|at| now < *at);
        for queue in self.rooms.values_mut() {
            if queue.is_due(now) {
                queue.state = State::Waiting;
            }
        }
    }

    /// All that has no answer, for who tells them that none will come.
    pub(super) fn into_letters(self) -> impl Iterator<Item = L> {
        self.rooms
            .into_values()
            .flat_map(|queue| queue.letters)
            .map(|(_, letter)| letter)
    }
}

impl<L> Queue<L> {
    fn is_due(&self, now: Instant) -> bool {
        match self.state {
            State::Waiting => true,
            State::NotBefore(at) => now >= at,
            State::UnderWay { .. } => false,
        }
    }
}

impl Pace {
    /// What was under way in a room is so no more.
    fn landed(&mut self, state: &mut State) {
        if matches!(state, State::UnderWay { .. }) {
            self.under_way -= 1;
            *state = State::Waiting;
        }
    }

    fn widen(&mut self) {
        self.window = self.most.min(self.window + 1);
    }

    fn narrow(&mut self, at: Instant) {
        self.window = 1;
        self.not_before = self.not_before.max(Some(at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};
    use std::collections::BTreeSet;
    use uuid::Uuid;

    fn room(number: u8) -> RoomId {
        RoomId::from_uuid(Uuid::from_u128(number.into()))
    }

    #[derive(Clone, Copy, Debug)]
    enum Happening {
        Write(u8),
        Send,
        /// The server takes one of those under way; with or without telling us.
        Take {
            which: usize,
            is_told: bool,
        },
        Refuse {
            which: usize,
            wait_ms: u64,
            everywhere: bool,
        },
        Lose,
        Wait(u64),
    }

    fn happening() -> impl Strategy<Value = Happening> {
        prop_oneof![
            4 => (0_u8..3).prop_map(Happening::Write),
            4 => Just(Happening::Send),
            3 => (any::<usize>(), any::<bool>()).prop_map(|(which, is_told)| Happening::Take { which, is_told }),
            2 => (any::<usize>(), 0_u64..500, any::<bool>())
                .prop_map(|(which, wait_ms, everywhere)| Happening::Refuse { which, wait_ms, everywhere }),
            1 => Just(Happening::Lose),
            2 => (0_u64..20_000).prop_map(Happening::Wait),
        ]
    }

    const WITHIN: Duration = Duration::from_secs(15);

    /// An outbox, a server that stores each letter once, and the wire between them.
    struct World {
        outbox: Outbox<u64>,
        now: Instant,
        written: BTreeMap<RoomId, Vec<u64>>,
        stored: BTreeMap<RoomId, Vec<u64>>,
        settled: BTreeSet<u64>,
        wire: Vec<(RoomId, Number, u64)>,
        letters: u64,
    }

    impl World {
        fn step(&mut self, happening: Happening) {
            match happening {
                Happening::Write(to) => {
                    self.letters += 1;
                    self.outbox.add(room(to), self.letters);
                    self.written.entry(room(to)).or_default().push(self.letters);
                }
                Happening::Send => {
                    if let Some((room, number, letter)) = self.outbox.next(self.now) {
                        self.wire.push((room, number, *letter));
                    }
                }
                Happening::Take { which, is_told } if !self.wire.is_empty() => {
                    let (room, number, letter) = self.wire.remove(which % self.wire.len());
                    let log = self.stored.entry(room).or_default();
                    if !log.contains(&letter) {
                        log.push(letter);
                    }
                    if is_told && self.outbox.settle(number, true).is_some() {
                        assert!(self.settled.insert(letter), "settled twice");
                    }
                }
                Happening::Refuse {
                    which,
                    wait_ms,
                    everywhere,
                } if !self.wire.is_empty() => {
                    let (_, number, _) = self.wire.remove(which % self.wire.len());
                    let wait = if everywhere {
                        Wait::Everywhere
                    } else {
                        Wait::Room
                    };
                    self.outbox
                        .put_off(number, self.now + Duration::from_millis(wait_ms), wait);
                }
                Happening::Lose => {
                    self.wire.clear();
                    self.outbox.lost();
                }
                Happening::Wait(ms) => {
                    self.now += Duration::from_millis(ms);
                    self.outbox.woke(self.now);
                    self.outbox.doubt(self.now, WITHIN);
                }
                Happening::Take { .. } | Happening::Refuse { .. } => {}
            }
        }

        /// Everything goes well from here on.
        fn finish(&mut self) {
            for _ in 0..10_000 {
                self.step(Happening::Send);
                self.step(Happening::Take {
                    which: 0,
                    is_told: true,
                });
                if self.outbox.is_empty() {
                    return;
                }
                self.step(Happening::Wait(100));
            }
            panic!("stuck: {:?}", self.outbox);
        }
    }

    proptest! {
        #[test]
        fn each_is_stored_and_settled_once_in_the_order_of_its_room(happenings in vec(happening(), 0..300)) {
            let mut world = World {
                outbox: Outbox::new(2),
                now: Instant::now(),
                written: BTreeMap::new(),
                stored: BTreeMap::new(),
                settled: BTreeSet::new(),
                wire: Vec::new(),
                letters: 0,
            };
            for happening in happenings {
                world.step(happening);
                prop_assert!(world.outbox.pace.under_way <= 2);
            }
            world.finish();
            prop_assert_eq!(&world.stored, &world.written);
            prop_assert_eq!(world.settled.len() as u64, world.letters);
            prop_assert_eq!(world.outbox.pace.under_way, 0);
        }
    }

    #[test]
    fn a_rate_limit_holds_back_every_room_and_then_lets_one_through() {
        let now = Instant::now();
        let mut outbox = Outbox::new(8);
        for to in 0..4 {
            outbox.add(room(to), to);
        }
        let numbers: Vec<_> =
            std::iter::from_fn(|| outbox.next(now).map(|(_, number, _)| number)).collect();
        assert_eq!(numbers.len(), 4);
        let later = now + Duration::from_millis(200);
        for number in numbers {
            outbox.put_off(number, later, Wait::Everywhere);
        }
        assert!(outbox.next(now).is_none());
        assert_eq!(outbox.deadline(WITHIN), Some(later));
        let (_, first, _) = outbox.next(later).unwrap();
        assert!(outbox.next(later).is_none());
        outbox.settle(first, true).unwrap();
        assert!(outbox.next(later).is_some() && outbox.next(later).is_some());
    }
}
