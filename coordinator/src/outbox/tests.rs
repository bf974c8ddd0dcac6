//! Whatever a peer takes, and when: what reaches it is whole, in order and complete.

use std::collections::VecDeque;

use futures_util::FutureExt as _;
use proptest::prelude::*;
use protocol::{
    EventId, Timestamp, UserId,
    accounts::UserSummary,
    events::{Event, EventKind},
    frame::{Pong, PresenceFrame, PresenceState},
};
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::{Duration, sleep, timeout},
};
use uuid::Uuid;

use super::*;
use crate::{connection::Wire, encoded::first_frame};

/// A peer that takes everything, or only as much as it is told to. Cloning gives the same one.
#[derive(Clone, Default)]
pub(crate) struct Peer(Arc<Ears>);

#[derive(Default)]
struct Ears {
    /// What it was sent and did not read, and how much more it takes.
    taken: Mutex<(Vec<u8>, Option<usize>)>,
    heard: Notify,
}

impl Peer {
    fn taking(bytes: usize) -> Self {
        let peer = Self::default();
        peer.taken().1 = Some(bytes);
        peer
    }

    /// The next frame.
    pub(crate) async fn heard(&self) -> ServerFrame {
        loop {
            if let Some(frame) = first_frame(&mut self.taken().0) {
                return frame;
            }
            self.0.heard.notified().await;
        }
    }

    fn taken(&self) -> MutexGuard<'_, (Vec<u8>, Option<usize>)> {
        self.0.taken.lock().unwrap()
    }
}

impl TryWrite for Peer {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let (taken, space) = &mut *self.taken();
        let before = taken.len();
        for slice in slices {
            let part = space.unwrap_or(usize::MAX).min(slice.len());
            taken.extend_from_slice(&slice[..part]);
            *space = space.map(|space| space - part);
        }
        self.0.heard.notify_one();
        match taken.len() - before {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            written => Ok(written),
        }
    }
}

const CAPACITY: Capacity = Capacity {
    bytes: 4_000,
    frames: 16,
};
const ROOMS: usize = 3;

fn room(number: usize) -> RoomId {
    RoomId::from_uuid(Uuid::from_u128(number as u128))
}

fn number_of(room: RoomId) -> usize {
    usize::try_from(room.uuid().as_u128()).unwrap()
}

fn ada() -> UserSummary {
    UserSummary {
        id: UserId::from_uuid(Uuid::nil()),
        username: "ada".to_owned(),
        display_name: "Ada".to_owned(),
    }
}

fn event(number: usize, seq: u64) -> Arc<Entry> {
    Entry::new(Event {
        room: room(number),
        seq: Seq(seq),
        id: EventId::from_uuid(Uuid::from_u128(seq.into())),
        n: 0,
        at: Timestamp::from_unix_ms(0),
        user: ada(),
        kind: EventKind::Join,
    })
}

fn pong(number: i64) -> ServerFrame {
    ServerFrame::Pong(Pong {
        id: None,
        at: Timestamp::from_unix_ms(number),
        heads: std::collections::BTreeMap::new(),
    })
}

/// What may be lost.
fn passing(number: usize) -> Encoded {
    Encoded::of(&ServerFrame::Presence(PresenceFrame {
        room: room(number),
        user: ada(),
        state: PresenceState::Away,
    }))
}

/// The logs of some rooms, of which one socket is told.
struct Rooms([Mutex<Vec<Arc<Entry>>>; ROOMS]);

impl Rooms {
    fn new() -> Self {
        Self([const { Mutex::new(Vec::new()) }; ROOMS])
    }

    fn head(&self, number: usize) -> Seq {
        Seq(self.0[number].lock().unwrap().len() as u64)
    }

    /// So many events more, delivered as a room does.
    fn say(&self, number: usize, count: u64, outbox: &Outbox) {
        let first = self.head(number).next().0;
        let mut fresh: Vec<_> = (first..first + count)
            .map(|seq| event(number, seq))
            .collect();
        self.0[number].lock().unwrap().extend(fresh.iter().cloned());
        while let Some(burst) = Burst::take(&mut fresh) {
            outbox.deliver(&burst);
        }
    }

    /// Brings what a room is behind, one event at a time, as the owner of a socket does while there is space.
    fn catch_up(&self, behind: &mut VecDeque<RoomId>, outbox: &Outbox, space: usize) {
        behind.extend(outbox.take_concerns().behind);
        while outbox.backlog().bytes < space
            && let Some(room) = behind.pop_front()
        {
            let number = number_of(room);
            let Some(Place::Behind(next)) = outbox.place(room) else {
                continue;
            };
            let index = usize::try_from(next.last().0).unwrap();
            let entry = self.0[number].lock().unwrap().get(index).cloned();
            let is_live = match entry {
                Some(entry) => {
                    assert!(outbox.hold_behind(&entry));
                    false
                }
                None => outbox.go_live(room, || self.head(number)),
            };
            if !is_live {
                behind.push_back(room);
            }
        }
    }
}

/// What a peer has heard.
#[derive(Default)]
struct Heard {
    bytes: Vec<u8>,
    heads: [u64; ROOMS],
    answers: i64,
}

impl Heard {
    /// Every frame is whole and comes in its turn.
    fn hear(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        while let Some(frame) = first_frame(&mut self.bytes) {
            match frame {
                ServerFrame::Event(event) => {
                    let head = &mut self.heads[number_of(event.room)];
                    *head += 1;
                    assert_eq!(event.seq.0, *head);
                }
                ServerFrame::Pong(pong) => {
                    assert_eq!(pong.at, Timestamp::from_unix_ms(self.answers));
                    self.answers += 1;
                }
                ServerFrame::Presence(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

fn follow_all(outbox: &Outbox) -> VecDeque<RoomId> {
    let rooms: VecDeque<_> = (0..ROOMS).map(room).collect();
    for room in &rooms {
        outbox.follow(*room, Next::after(Seq::ZERO));
    }
    rooms
}

#[derive(Clone, Debug)]
enum Act {
    Answer,
    Events(usize, u64),
    Passing(usize),
    Flush,
    Takes(usize),
    CatchUp,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        2 => Just(Act::Answer),
        6 => (0..ROOMS, 1_u64..6).prop_map(|(room, count)| Act::Events(room, count)),
        2 => (0..ROOMS).prop_map(Act::Passing),
        2 => Just(Act::Flush),
        4 => (1_usize..3_000).prop_map(Act::Takes),
        2 => Just(Act::CatchUp),
    ];
    proptest::collection::vec(act, 0..200)
}

proptest! {
    /// However a peer takes it, and wherever its frames are torn: no answer is lost, every room's events come
    /// out in order and all of them in the end, and no more waits than may.
    #[test]
    fn what_arrives_is_in_order_and_complete(acts in acts()) {
        let peer = Peer::taking(0);
        let outbox = Outbox::new(CAPACITY, peer.clone());
        let (rooms, mut heard) = (Rooms::new(), Heard::default());
        let mut behind = follow_all(&outbox);
        let mut answers = 0;
        for act in acts {
            match act {
                Act::Answer => {
                    outbox.hold(Encoded::of(&pong(answers)));
                    answers += 1;
                }
                Act::Events(number, count) => rooms.say(number, count, &outbox),
                Act::Passing(number) => outbox.hold_passing(room(number), &[passing(number)]),
                Act::Flush => outbox.flush(),
                Act::Takes(bytes) => {
                    peer.taken().1 = Some(bytes);
                    outbox.flush();
                    heard.hear(&mem::take(&mut peer.taken().0));
                }
                Act::CatchUp => rooms.catch_up(&mut behind, &outbox, CAPACITY.bytes / 2),
            }
            let leaving = outbox.leaving();
            let answer_bytes = leaving.waiting.answers() * pong_bytes();
            prop_assert!(leaving.waiting.bytes() <= CAPACITY.bytes + answer_bytes);
        }
        peer.taken().1 = None;
        rooms.catch_up(&mut behind, &outbox, usize::MAX);
        outbox.flush();
        heard.hear(&mem::take(&mut peer.taken().0));
        prop_assert_eq!(heard.answers, answers);
        prop_assert_eq!(heard.heads, [0, 1, 2].map(|number| rooms.head(number).0));
        prop_assert_eq!(outbox.backlog().bytes, 0);
    }
}

fn pong_bytes() -> usize {
    Encoded::of(&pong(i64::from(u16::MAX))).len() + 8
}

/// Both ends of a connection, of which the far one hears little at a time.
async fn narrow() -> (Wire, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (far, _) = listener.accept().await.unwrap();
    (Wire::new(near), far)
}

/// Two tasks write events of their rooms while a third answers, the owner watches for space, and the peer
/// reads in fits and starts; all over a real connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_peer_that_reads_in_fits_and_starts_misses_nothing() {
    const EVENTS: u64 = 20_000;
    const ANSWERS: i64 = 2_000;
    const SPACE: usize = 64 * 1_024;
    let (wire, mut far) = narrow().await;
    let outbox = Outbox::new(Capacity::default(), wire.clone());
    let rooms = Arc::new(Rooms::new());
    let mut behind = follow_all(&outbox);
    let (owned, of_owner) = (outbox.clone(), Arc::clone(&rooms));
    let owner = tokio::spawn(async move {
        loop {
            of_owner.catch_up(&mut behind, &owned, SPACE);
            owned.flush();
            let Backlog {
                bytes, is_stuck, ..
            } = owned.backlog();
            tokio::select! {
                () = owned.due() => {}
                () = poll_fn(|cx| wire.poll_writable(cx)), if is_stuck => {}
                // All that found space was taken at once.
                () = tokio::task::yield_now(), if bytes < SPACE && !behind.is_empty() => {}
            }
        }
    });
    for number in 0..2 {
        let (rooms, outbox) = (Arc::clone(&rooms), outbox.clone());
        tokio::spawn(async move {
            for turn in 0..EVENTS / 5 {
                rooms.say(number, 1 + turn % 9, &outbox);
                tokio::task::yield_now().await;
            }
        });
    }
    let answering = outbox.clone();
    tokio::spawn(async move {
        for number in 0..ANSWERS {
            answering.answer(&pong(number));
            tokio::task::yield_now().await;
        }
    });
    let all: u64 = (0..EVENTS / 5).map(|turn| 1 + turn % 9).sum();
    let mut heard = Heard::default();
    let hearing = async {
        let mut buffer = vec![0; 256 * 1_024];
        for turn in 0_usize.. {
            // From a few bytes to more than the kernel holds, and pauses in which it fills up.
            let size = 1 + (turn * 7_919) % buffer.len();
            let read = far.read(&mut buffer[..size]).await.unwrap();
            heard.hear(&buffer[..read]);
            if turn % 16 == 0 {
                sleep(Duration::from_millis(5)).await;
            }
            if heard.heads == [all, all, 0] && heard.answers == ANSWERS {
                return;
            }
        }
    };
    timeout(Duration::from_secs(60), hearing).await.unwrap();
    assert_eq!(outbox.backlog().bytes, 0);
    owner.abort();
}

#[test]
fn a_room_that_is_gone_is_told_once_and_nothing_follows_the_last_word() {
    let peer = Peer::default();
    let outbox = Outbox::new(CAPACITY, peer.clone());
    for _ in 0..100 {
        outbox.gone(room(1));
    }
    outbox.gone(room(2));
    assert_eq!(outbox.take_concerns().gone, [room(1), room(2)]);
    outbox.follow(room(0), Next::after(Seq::ZERO));
    assert!(outbox.go_live(room(0), || Seq::ZERO));
    outbox.hold_last(Bytes::from_static(b"bye"));
    let rooms = Rooms::new();
    rooms.say(0, 1, &outbox);
    outbox.answer(&pong(0));
    outbox.flush();
    assert_eq!(peer.taken().0, b"bye");
}

#[test]
fn an_owner_that_saw_much_wait_is_told_when_somebody_else_has_written_it() {
    let outbox = Outbox::new(CAPACITY, Peer::default());
    for _ in 0..=CAPACITY.frames / 2 {
        outbox.hold(Encoded::of(&pong(0)));
    }
    let is_due = || outbox.due().now_or_never().is_some();
    // It reads no more questions, and waits.
    assert!(outbox.backlog().has_many_answers);
    assert!(!is_due());
    outbox.flush();
    assert!(is_due());
}
