//! The task that keeps one live room: it does what the room is told, and gives what is stored to everybody who
//! follows the room here. It never waits for a socket or a link, and
//! decides nothing that the store decides.

use std::sync::Arc;

use protocol::{ErrorCode, RoomId, Seq};
use shared::Refusal;
use tokio::time::{Duration, Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::{
    Command, Listen, Room, appends::Appends, audience::Audience, behind::Looked,
    forwarded::Forwarded, guests::Guests, introductions::Introductions, upstream::Upstream,
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
/// How often a room in which nothing happens sees so, in case it was not told: thousands are idle for each
/// that is not.
const SEEN_IDLE_EVERY: Duration = Duration::from_secs(30);
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
    /// When it was last seen who is still attached.
    counted_at: Instant,
}

/// Takes it out of those that are live when its task has ended, however it came to that.
impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.room.close());
        self.rooms.forget_ended(self.id);
    }
}

impl Keeper {
    /// Keeps a room until it ends. The keeper is made before the future, which so has room for it once only.
    pub(super) fn keep(
        id: RoomId,
        rooms: Rooms,
        room: Room,
        cancel: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        let mut keeper = Self::new(id, rooms, room);
        async move { keeper.run(&cancel).await }
    }

    fn new(id: RoomId, rooms: Rooms, room: Room) -> Self {
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
            counted_at: Instant::now(),
            rooms,
        }
    }

    async fn run(&mut self, cancel: &CancellationToken) {
        let loaded = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(ErrorCode::Unavailable.into()),
            loaded = self.load() => loaded,
        };
        if let Err(refusal) = loaded {
            self.refuse_all(&refusal);
            return;
        }
        debug!(room.id = %self.id, seq = self.next.last().0, "room loaded");
        self.serve(cancel).await;
        debug!(room.id = %self.id, seq = self.next.last().0, "room unloaded");
    }

    /// Deliveries begin where the log stands now: whoever listens reads what came before it from
    /// the store.
    async fn load(&mut self) -> Result<(), Refusal> {
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

    async fn serve(&mut self, cancel: &CancellationToken) {
        while !self.is_over {
            self.ask_if_due();
            self.look_if_behind();
            let deadline = self.deadline();
            // Ending comes first. What is stored leaves before anything new is taken in, so that a
            // busy room cannot run ahead of its deliveries; time comes last, as it can wait.
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                settled = self.appends.settled(), if !self.appends.is_empty() => self.settle(settled),
                settled = self.forwarded.settled(), if !self.forwarded.is_empty() => {
                    self.settle_forwarded(settled);
                }
                looked = self.looking.done() => self.looked(looked),
                commands = self.room.commands() => {
                    for command in commands {
                        self.obey(command);
                    }
                    self.deliver();
                }
                () = sleep_until(deadline) => {
                    if self.tick() {
                        break;
                    }
                }
            }
            self.flush();
        }
        if self.is_over {
            self.refuse_waiting();
        }
        // What came in the very last moment is answered, not lost.
        self.refuse_all(&ErrorCode::Unavailable.into());
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
            Command::Read(user, seq) => self.read(user, seq),
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
            self.counted_at + SEEN_IDLE_EVERY
        };
        let others = [
            self.roster.deadline(),
            self.guests.deadline(),
            self.introductions.deadline(),
            self.upstream
                .as_ref()
                .and_then(|upstream| upstream.deadline()),
        ];
        others.into_iter().flatten().fold(own, Instant::min)
    }

    /// Whether it has nobody to serve, or no socket for whom it would need another node.
    fn is_unused(&self) -> bool {
        self.audience.is_empty() && (self.is_needed || self.guests.is_empty())
    }

    /// Lets time pass; whether the room is unloaded.
    fn tick(&mut self) -> bool {
        let now = Instant::now();
        if now >= self.counted_at + COUNTED_EVERY {
            self.counted_at = now;
            for (connection, user) in self.audience.take_detached() {
                self.left(connection, user);
            }
            self.move_if_due();
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
}
