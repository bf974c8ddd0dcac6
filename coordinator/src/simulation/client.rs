//! Somebody on a socket: follows rooms, writes, sends again what has no answer, comes back from where
//! they were, and holds the server to what it promises.

mod hearing;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use protocol::{
    ConnectionId, Limits, RoomId, Seq,
    accounts::UserSummary,
    events::Event,
    frame::{ClientFrame, FrameId, Incoming, PresenceState, SendFrame, Subscribe},
    messages::NewMessage,
    text::{ClientId, MessageBody},
};
use uuid::Uuid;

use super::{
    chance::Chance,
    logs::Logs,
    machine::{Machine, Order},
    pipe::Pipe,
    world::{World, note},
};

/// One person at one device; a person may have several.
pub(super) struct Client {
    pub(super) number: usize,
    pub(super) user: UserSummary,
    world: Arc<World>,
    chance: Chance,
    session: Option<Session>,
    /// When it tries to connect again.
    connects_at_ms: u64,
    /// It reads nothing before.
    reads_at_ms: u64,
    rooms: BTreeMap<RoomId, Followed>,
    /// What has no answer yet, oldest first.
    outgoing: VecDeque<Outgoing>,
    /// What was answered.
    pub(super) acked: Vec<Acked>,
    names: u64,
    sessions: u64,
    pub(super) broken: Vec<String>,
}

/// A socket.
struct Session {
    pipe: Pipe,
    node: usize,
    state: PresenceState,
    subscriptions: BTreeMap<RoomId, Subscription>,
    /// Names what is asked.
    asked: u64,
}

/// What this socket has of a room.
enum Subscription {
    /// It was asked for, under this name.
    Asked { id: u64, after: Option<Seq> },
    /// Live since the log stood at `head`; `next` comes next.
    Live { head: Seq, next: Seq },
    /// Not any more; what is on its way may still come, unless the server said that nothing will.
    Left { by_server: bool },
}

/// A room, over all sockets.
#[derive(Default)]
struct Followed {
    /// Whether it is to be followed, and from when on it may be asked for again.
    wanted: bool,
    asks_at_ms: u64,
    /// What it had of it: a stretch of the log without a hole.
    log: Vec<Event>,
}

/// A message on its way.
struct Outgoing {
    name: ClientId,
    room: RoomId,
    body: MessageBody,
    /// What everybody knew to be stored when it was first sent.
    floor: Seq,
    /// On which of the client's sockets it was first sent.
    first_session: u64,
    sent_at_ms: Option<u64>,
    /// When it is sent again, after it was refused for a while.
    again_at_ms: Option<u64>,
    was_refused: bool,
}

/// A message that was answered.
pub(super) struct Acked {
    pub(super) name: ClientId,
    pub(super) room: RoomId,
    pub(super) seq: Seq,
    pub(super) floor: Seq,
    pub(super) first_session: u64,
    /// Whether it was answered on the very socket that it was first sent on, and never refused.
    pub(super) at_once: bool,
}

/// What everybody knows of the rooms: the highest place that was acked.
pub(super) type Known = BTreeMap<RoomId, Seq>;

/// As long as a server may take to answer once nothing is wrong: an append waits five seconds.
pub(super) const ANSWERED_WITHIN_MS: u64 = 12_000;
const SUBSCRIBED_LIMIT: u32 = 5;

impl Client {
    pub(super) fn new(number: usize, user: UserSummary, world: Arc<World>) -> Self {
        Self {
            number,
            user,
            chance: Chance::new(world.seed, &format!("client {number}")),
            world,
            session: None,
            connects_at_ms: 0,
            reads_at_ms: 0,
            rooms: BTreeMap::new(),
            outgoing: VecDeque::new(),
            acked: Vec::new(),
            names: 0,
            sessions: 0,
            broken: Vec::new(),
        }
    }

    /// Wants to follow a room, if it does not already.
    pub(super) fn want(&mut self, room: RoomId) {
        self.rooms.entry(room).or_default().wanted = true;
    }

    /// Goes, for good.
    pub(super) fn go(&mut self) {
        self.connects_at_ms = u64::MAX;
        self.hang_up();
    }

    /// How it is in a room, if it follows it on a socket that lives.
    pub(super) fn presence(&self, room: RoomId) -> Option<PresenceState> {
        let session = self.session.as_ref().filter(|it| !it.pipe.is_closed())?;
        matches!(
            session.subscriptions.get(&room),
            Some(Subscription::Live { .. })
        )
        .then_some(session.state)
    }

    /// Whether it has nothing left to do but to listen.
    pub(super) fn is_settled(&self) -> bool {
        let is_live = |room| self.presence(room).is_some();
        self.outgoing.is_empty()
            && self
                .rooms
                .iter()
                .all(|(room, followed)| !followed.wanted || is_live(*room))
    }

    /// What it has of each room that it follows.
    pub(super) fn logs(&self) -> impl Iterator<Item = (RoomId, bool, &[Event])> {
        let rooms = self.rooms.iter();
        rooms.map(|(room, followed)| (*room, self.presence(*room).is_some(), &followed.log[..]))
    }

    /// Lives for a moment. While `is_active` it begins new things.
    pub(super) fn act(
        &mut self,
        machines: &[Arc<Machine>],
        logs: &Logs,
        known: &mut Known,
        is_active: bool,
    ) {
        let now_ms = self.world.now_ms();
        if self
            .session
            .as_ref()
            .is_some_and(|session| session.pipe.is_closed())
        {
            // What came before the end is read in half of all cases.
            if self.chance.per_mille(500) {
                self.read(logs, known);
            }
            self.hang_up();
        }
        if self.session.is_none() && now_ms >= self.connects_at_ms {
            self.connect(machines);
        }
        if now_ms >= self.reads_at_ms {
            self.read(logs, known);
        }
        self.ask();
        self.send_again();
        if is_active {
            self.do_something(known);
        } else {
            self.reads_at_ms = self.reads_at_ms.min(now_ms);
        }
    }

    /// Does what a client does without being asked.
    fn do_something(&mut self, known: &Known) {
        let Some(room) = self.some_room() else { return };
        let now_ms = self.world.now_ms();
        match self.chance.within(0..1_000) {
            0..60 => {
                for _ in 0..self.chance.within(1..4) {
                    self.write(room, known);
                }
            }
            60..63 => self.hang_up(),
            63..66 => self.reads_at_ms = now_ms + self.chance.within(100..4_000),
            66..70 => self.subscribe(room),
            70..73 => self.unsubscribe(room),
            73..78 => self.want(room),
            78..83 => {
                let states = [
                    PresenceState::Online,
                    PresenceState::Away,
                    PresenceState::Dnd,
                ];
                let state = self.chance.one_of(&states);
                note!(self.world, "client {} is {state:?}", self.number);
                self.say(ClientFrame::Presence(state));
                if let Some(session) = &mut self.session {
                    session.state = state;
                }
            }
            83..93 => {
                let on = self.chance.per_mille(700);
                self.say(ClientFrame::Typing(room, on));
            }
            93..98 => {
                let seq = self
                    .rooms
                    .get(&room)
                    .and_then(|followed| followed.log.last());
                if let Some(seq) = seq.map(|event| event.seq) {
                    self.say(ClientFrame::Read(room, seq));
                }
            }
            _ => {}
        }
    }

    fn some_room(&mut self) -> Option<RoomId> {
        let rooms: Vec<_> = self.rooms.keys().copied().collect();
        (!rooms.is_empty()).then(|| self.chance.one_of(&rooms))
    }

    fn connect(&mut self, machines: &[Arc<Machine>]) {
        let open: Vec<_> = machines
            .iter()
            .filter(|machine| machine.is_open())
            .collect();
        if open.is_empty() {
            return;
        }
        let machine = self.chance.one_of(&open);
        let id = ConnectionId::from_uuid(Uuid::from_u128(self.world.unique()));
        let window = usize::try_from(self.chance.one_of(&[700, 4_000, 30_000])).unwrap_or(700);
        let pipe = Pipe::new(id, self.user.clone(), window);
        machine.order(Order::Serve(pipe.clone()));
        self.sessions += 1;
        note!(
            self.world,
            "client {} connects to node {}",
            self.number,
            machine.number
        );
        self.session = Some(Session {
            pipe,
            node: machine.number,
            state: PresenceState::Online,
            subscriptions: BTreeMap::new(),
            asked: 0,
        });
        for outgoing in &mut self.outgoing {
            outgoing.sent_at_ms = None;
            outgoing.again_at_ms = None;
        }
    }

    fn hang_up(&mut self) {
        if let Some(session) = self.session.take() {
            note!(
                self.world,
                "client {} loses node {}",
                self.number,
                session.node
            );
            session.pipe.close();
            let wait_ms = self.chance.within(10..1_500);
            self.connects_at_ms = self.connects_at_ms.max(self.world.now_ms() + wait_ms);
        }
    }

    fn say(&self, frame: ClientFrame) {
        self.say_as(None, frame);
    }

    fn say_as(&self, id: Option<String>, frame: ClientFrame) {
        if let Some(session) = &self.session {
            let id = id.map(|id| FrameId::parse(id).expect("it is short"));
            session.pipe.say(Incoming { id, frame });
        }
    }

    /// Asks for every room that is wanted and is neither asked for nor live.
    fn ask(&mut self) {
        let now_ms = self.world.now_ms();
        let Some(session) = &self.session else { return };
        let is_asked = |room: &RoomId| {
            matches!(
                session.subscriptions.get(room),
                Some(Subscription::Asked { .. } | Subscription::Live { .. })
            )
        };
        let wanted = self.rooms.iter().filter(|(room, followed)| {
            followed.wanted && now_ms >= followed.asks_at_ms && !is_asked(room)
        });
        let wanted: Vec<_> = wanted.map(|(room, _)| *room).collect();
        for room in wanted {
            self.subscribe(room);
        }
    }

    fn subscribe(&mut self, room: RoomId) {
        let followed = self.rooms.entry(room).or_default();
        followed.wanted = true;
        let last = followed.log.last();
        let (after, after_id) = (last.map(|event| event.seq), last.map(|event| event.id));
        let Some(session) = &mut self.session else {
            return;
        };
        session.asked += 1;
        let id = session.asked;
        session
            .subscriptions
            .insert(room, Subscription::Asked { id, after });
        let subscribe = Subscribe {
            room,
            after,
            after_id,
            limit: SUBSCRIBED_LIMIT,
        };
        self.say_as(Some(format!("s{id}")), ClientFrame::Subscribe(subscribe));
    }

    fn unsubscribe(&mut self, room: RoomId) {
        self.rooms.entry(room).or_default().wanted = false;
        if let Some(session) = &mut self.session {
            let left = Subscription::Left { by_server: false };
            session.subscriptions.insert(room, left);
        }
        self.say(ClientFrame::Unsubscribe(room));
    }

    fn write(&mut self, room: RoomId, known: &Known) {
        self.names += 1;
        let name = format!("c{}-{}", self.number, self.names);
        let padding = "x".repeat(self.chance.index(120));
        let body = format!("{name} {padding}");
        let body = MessageBody::parse(body, &Limits::default()).expect("it is short");
        self.outgoing.push_back(Outgoing {
            name: ClientId::parse(&name).expect("it is short"),
            room,
            body,
            floor: known.get(&room).copied().unwrap_or(Seq::ZERO),
            first_session: 0,
            sent_at_ms: None,
            again_at_ms: None,
            was_refused: false,
        });
        self.send_again();
    }

    /// Sends what is not sent yet on this socket, in order.
    fn send_again(&mut self) {
        let now_ms = self.world.now_ms();
        if self.session.is_none() {
            return;
        }
        let mut due = Vec::new();
        for outgoing in &mut self.outgoing {
            let is_new = outgoing.sent_at_ms.is_none();
            let is_due = outgoing.again_at_ms.is_some_and(|at_ms| now_ms >= at_ms);
            if is_new || is_due {
                if outgoing.first_session == 0 {
                    outgoing.first_session = self.sessions;
                }
                outgoing.sent_at_ms = Some(now_ms);
                outgoing.again_at_ms = None;
                due.push((outgoing.room, outgoing.name.clone(), outgoing.body.clone()));
            }
        }
        for (room, name, body) in due {
            note!(self.world, "client {} sends {}", self.number, name.as_str());
            let id = format!("m{}", name.as_str());
            let message = NewMessage {
                body,
                client_id: Some(name),
                reply_to: None,
                thread: None,
                files: Vec::new(),
            };
            self.say_as(Some(id), ClientFrame::Send(SendFrame { room, message }));
        }
    }

    /// Messages that were not answered for too long on a socket that lives.
    pub(super) fn unanswered(&self) -> Vec<String> {
        let now_ms = self.world.now_ms();
        let is_late = |outgoing: &&Outgoing| {
            outgoing
                .sent_at_ms
                .is_some_and(|at_ms| now_ms > at_ms + ANSWERED_WITHIN_MS)
                && outgoing.again_at_ms.is_none()
        };
        let late = self.outgoing.iter().filter(is_late);
        late.map(|outgoing| outgoing.name.as_str().to_owned())
            .collect()
    }
}
