//! The task that keeps one live room while something happens in it: it does what the room is told, and gives what
//! is stored to everybody who follows the room here. It never waits for a socket or a link, and decides nothing
//! that the store decides.

use std::{collections::VecDeque, pin::pin, sync::Arc};

use metrics::gauge;
use protocol::{ErrorCode, RoomId, Seq};
use shared::Refusal;
use tokio::time::{Duration, Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::{
    Command, Listen, Room, appends::Appends, audience::Audience, behind::Looked,
    forwarded::Forwarded, guests::Guests, introductions::Introductions, resting::Resting,
    upstream::Upstream,
};
use crate::{
    burst::Burst,
    delivery::{Next, Verdict},
    encoded::{Ends, Entry},
    errand::Errand,
    outbox::Outbox,
    peers::frame::{News, Word},
    rooms::Rooms,
    roster::{Happening, Roster},
};

/// How often it is seen who is still attached, at most.
const COUNTED_EVERY: Duration = Duration::from_secs(1);
/// How often it is seen if there is nothing else to do.
const SEEN_EVERY: Duration = Duration::from_secs(30);
/// How long a room that nobody follows stays loaded: a page that is loaded again takes less.
const STAYS_LOADED: Duration = Duration::from_secs(10);

/// The task behind a room.
pub(super) struct Keeper {
    pub(super) id: RoomId,
    pub(super) rooms: Rooms,
    /// What the others see of it.
    pub(super) room: Room,
    /// The place of the next event to deliver.
    pub(super) next: Next,
    /// The latest place that the log is known, or said, to have reached.
    pub(super) target: Seq,
    /// Events that are next and are about to be delivered.
    pub(super) fresh: Vec<Arc<Entry>>,
    /// Sockets for which answers are held until the end of the turn.
    pub(super) answered: Vec<Outbox>,
    /// A look at the store, for events that others appended.
    pub(super) looking: Errand<Result<Looked, Refusal>>,
    /// Whether the log may be another than the one that was delivered: only the store knows.
    pub(super) doubts: bool,
    /// Whether it is. Then nothing is delivered any more, and the room ends.
    pub(super) is_over: bool,
    /// What the log is asked to store.
    pub(super) appends: Appends,
    /// What the node that the room is with is asked to store.
    pub(super) forwarded: Forwarded,
    pub(super) audience: Audience,
    pub(super) guests: Guests,
    pub(super) roster: Roster,
    /// The node that the room is with, if that is not this one, for as long as it is needed.
    pub(super) upstream: Option<Box<Upstream>>,
    /// Whether sockets of this node need the room. Who follows it for other nodes only acts as if the room
    /// were with it: nodes that hold on to each other's room would never let go of it.
    pub(super) is_needed: bool,
    pub(super) introductions: Introductions,
    /// Since when nobody follows it.
    pub(super) unused_since: Instant,
    /// When something last happened, but for time.
    pub(super) active_at: Instant,
    /// When it was last seen who is still attached.
    counted_at: Instant,
}

/// A room's being live. It ends with its task, however that came to its end, unless the room rests.
struct Life {
    id: RoomId,
    rooms: Rooms,
    room: Room,
    goes_on: bool,
}

impl Drop for Life {
    fn drop(&mut self) {
        gauge!("chatx_rooms_awake").decrement(1.0);
        if !self.goes_on {
            drop(self.room.close());
            self.rooms.forget_ended(self.id);
        }
    }
}

impl Keeper {
    /// Loads a room, and keeps it until it rests or ends.
    pub(super) async fn load(id: RoomId, rooms: Rooms, room: Room) {
        let mut keeper = Self::new(id, rooms, room);
        let mut life = keeper.life();
        let cancel = keeper.rooms.cancel().clone();
        let loaded = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(ErrorCode::Unavailable.into()),
            loaded = keeper.read_head() => loaded,
        };
        if let Err(refusal) = loaded {
            return keeper.refuse_all(&refusal);
        }
        debug!(room.id = %id, seq = keeper.next.last().0, "room loaded");
        life.goes_on = keeper.serve(&cancel).await;
    }

    /// Keeps a room that has rested, until it rests again or ends.
    pub(super) async fn take_up(resting: Resting, rooms: Rooms, room: Room) {
        let keeper = resting.kept(rooms, room);
        let mut life = keeper.life();
        let cancel = keeper.rooms.cancel().clone();
        life.goes_on = keeper.serve(&cancel).await;
    }

    fn life(&self) -> Life {
        gauge!("chatx_rooms_awake").increment(1.0);
        Life {
            id: self.id,
            rooms: self.rooms.clone(),
            room: self.room.clone(),
            goes_on: false,
        }
    }

    /// One that has nothing to do yet.
    pub(super) fn new(id: RoomId, rooms: Rooms, room: Room) -> Self {
        Self {
            id,
            roster: Roster::new(rooms.limits()),
            room,
            next: Next::after(Seq::ZERO),
            target: Seq::ZERO,
            fresh: Vec::new(),
            answered: Vec::new(),
            looking: Errand::idle(),
            doubts: false,
            is_over: false,
            appends: Appends::default(),
            forwarded: Forwarded::default(),
            audience: Audience::new(id, rooms.tasks().clone()),
            guests: Guests::new(id),
            upstream: None,
            is_needed: false,
            introductions: Introductions::default(),
            unused_since: Instant::now(),
            active_at: Instant::now(),
            counted_at: Instant::now(),
            rooms,
        }
    }

    /// Deliveries begin where the log stands now: whoever listens reads what came before it from
    /// the store.
    async fn read_head(&mut self) -> Result<(), Refusal> {
        let heads = self.rooms.log().heads(vec![self.id]).await?;
        let head = heads.iter().find(|head| head.room == self.id && !head.gone);
        let head = head.ok_or(ErrorCode::RoomNotFound)?.seq;
        self.next = Next::after(head);
        self.room.recent().begin(head);
        Ok(())
    }

    fn refuse_all(&mut self, refusal: &Refusal) {
        for command in self.room.close() {
            self.refuse(command, refusal);
        }
    }

    fn refuse(&self, command: Command, refusal: &Refusal) {
        match command {
            // Whoever no longer waits for the answer does not need it.
            Command::Listen(listen) => drop(listen.loaded.send(Err(refusal.clone()))),
            Command::Send(sending) => sending.refuse(refusal.clone()),
            Command::Guest(guest, Word::Append { number, .. }) => {
                guest.answer(number, Err(refusal.clone()));
            }
            Command::Guest(guest, Word::Attach { .. })
                if refusal.code == ErrorCode::RoomNotFound =>
            {
                guest.tell(self.id, News::Gone);
            }
            _ => {}
        }
    }

    /// Serves the room until it rests or ends; whether it rests.
    async fn serve(mut self, cancel: &CancellationToken) -> bool {
        // Both last longer than a turn: to begin to wait for them, and to stop, costs as much as a turn does.
        let mut cancelled = pin!(cancel.cancelled());
        let mut alarm = pin!(sleep_until(self.deadline()));
        while !self.is_over {
            self.ask_if_due();
            self.look_if_behind();
            let deadline = self.deadline();
            if deadline < alarm.deadline() {
                alarm.as_mut().reset(deadline);
            }
            // Ending comes first. What is stored leaves before anything new is taken in, so that a
            // busy room cannot run ahead of its deliveries; time comes last, as it can wait.
            tokio::select! {
                biased;
                () = &mut cancelled => break,
                settled = self.appends.settled(), if !self.appends.is_empty() => self.settle(settled),
                settled = self.forwarded.settled(), if !self.forwarded.is_empty() => {
                    self.settle_forwarded(settled);
                    // The events of what was answered came with the answers, and leave in one write with them.
                    self.obey_all(self.room.waiting_commands());
                }
                looked = self.looking.done() => self.looked(looked),
                commands = self.room.commands() => self.obey_all(commands),
                () = &mut alarm => {
                    // It may be that of a turn before.
                    alarm.as_mut().reset(deadline);
                    if Instant::now() < deadline {
                        continue;
                    }
                    if self.tick() {
                        break;
                    }
                    self.flush();
                    match self.rest() {
                        None => return true,
                        Some(awake) => self = awake,
                    }
                    continue;
                }
            }
            self.active_at = Instant::now();
            self.flush();
        }
        if self.is_over {
            self.refuse_waiting();
        }
        // What came in the very last moment is answered, not lost.
        self.refuse_all(&ErrorCode::Unavailable.into());
        debug!(room.id = %self.id, seq = self.next.last().0, "room unloaded");
        false
    }

    fn obey_all(&mut self, commands: VecDeque<Command>) {
        for command in commands {
            self.obey(command);
        }
        self.deliver();
    }

    fn obey(&mut self, command: Command) {
        if self.is_over {
            return self.refuse(command, &ErrorCode::Unavailable.into());
        }
        // Events that come one after the other are delivered together; everything else finds them delivered.
        match command {
            Command::Hear(link, News::Event(entry)) => return self.hear_event(&link, entry),
            _ => self.deliver(),
        }
        match command {
            Command::Listen(listen) => self.listen(*listen),
            Command::Enter(enter) => self.enter(enter),
            Command::Detach(connection) => {
                if let Some(user) = self.audience.remove(connection) {
                    self.left(connection, user);
                }
            }
            Command::Send(sending) => self.send(sending),
            Command::Look(seq) => {
                self.target = self.target.max(seq);
                if let Some(upstream) = &mut self.upstream {
                    upstream.say(Word::Hint(seq));
                }
            }
            Command::Gone => self.gone(),
            Command::WentBack(seq) => self.went_back(seq),
            Command::Presence(connection, user, state) => {
                self.happen(Happening::Changed(connection, user, state));
            }
            Command::Typing(user, on) => self.typed(user, on),
            Command::Read(user, seq) => {
                self.happen(Happening::Read(user, seq));
            }
            Command::Hear(link, news) => self.hear(&link, news),
            Command::Guest(guest, word) => self.host(&guest, word),
            Command::Moved => self.move_if_due(),
        }
    }

    fn listen(&mut self, listen: Listen) {
        let Listen { listener, loaded } = listen;
        self.audience.add(listener);
        drop(loaded.send(Ok(())));
        self.need();
    }

    /// Takes in an event, if it is the next one.
    pub(super) fn take(&mut self, entry: Arc<Entry>) -> Verdict {
        let verdict = self.next.offer(entry.seq);
        if verdict == Verdict::Send {
            if let Some(Ends::Of(user, _)) = entry.ends {
                self.put_out(user, entry.seq);
            }
            self.fresh.push(entry);
        }
        verdict
    }

    /// Delivers what was taken in.
    pub(super) fn deliver(&mut self) {
        if !self.fresh.is_empty() {
            // The ring comes first: a socket that is behind finds there what it does not get.
            self.room.recent().extend(&self.fresh);
            while let Some(burst) = Burst::take(&mut self.fresh) {
                self.audience.deliver(&burst);
                self.guests.deliver(burst.entries());
            }
        }
    }

    /// Writes what did not leave with an event of this turn.
    fn flush(&mut self) {
        for outbox in self.answered.drain(..) {
            outbox.flush();
        }
        self.audience.flush();
    }

    pub(super) fn gone(&self) {
        self.audience.gone();
        self.guests.gone();
    }

    /// When there is something to do even if nothing happens.
    fn deadline(&self) -> Instant {
        let own = if self.is_unused() {
            (self.unused_since + STAYS_LOADED).max(self.counted_at + COUNTED_EVERY)
        } else {
            self.rests_at().unwrap_or(self.counted_at + SEEN_EVERY)
        };
        self.due_at().map_or(own, |due_at| due_at.min(own))
    }

    /// When something is to be done for those who follow the room.
    pub(super) fn due_at(&self) -> Option<Instant> {
        let upstream = self.upstream.as_ref();
        let times = [
            self.roster.deadline(),
            self.guests.deadline(),
            self.introductions.deadline(),
            upstream.and_then(|upstream| upstream.deadline()),
        ];
        times.into_iter().flatten().min()
    }

    /// Whether it has nobody to serve, or no socket for whom it would need another node.
    pub(super) fn is_unused(&self) -> bool {
        self.audience.is_empty() && (self.is_needed || self.guests.is_empty())
    }

    /// Lets time pass; whether the room is unloaded.
    fn tick(&mut self) -> bool {
        if self.counted_at.elapsed() >= COUNTED_EVERY {
            self.count();
        }
        self.happen(Happening::Tick);
        self.guests.tell_head(self.next.last());
        if self.introductions.are_due() {
            self.introduce();
        }
        let is_answered = self.appends.is_empty() && self.forwarded.is_empty();
        if !is_answered || !self.is_unused() || self.unused_since.elapsed() < STAYS_LOADED {
            return false;
        }
        // The other node is let go before the room is: who loads it anew attaches anew.
        self.is_needed = false;
        self.move_if_due();
        self.guests.is_empty() && self.rooms.retire(self.id, &self.room)
    }

    /// Sees who is still attached, and where the room should be.
    pub(super) fn count(&mut self) {
        self.counted_at = Instant::now();
        for (connection, user) in self.audience.take_detached() {
            self.left(connection, user);
        }
        self.move_if_due();
    }
}
