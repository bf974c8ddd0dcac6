//! The task that owns one live room: it gives messages to the store in order, and what is stored to
//! the sockets that follow the room. It never waits for a socket, and decides nothing that the store
//! decides.

use std::sync::Arc;

use protocol::{
    ConnectionId, ErrorCode, Limits, RoomId, Seq, UserId,
    events::{Event, EventKind},
    frame::{PresenceFrame, ReadFrame, ServerFrame, TypingFrame},
};
use shared::{Refusal, store};
use tokio::{
    sync::mpsc,
    time::{Duration, Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::{
    Command, Listen,
    appends::{Appends, Sending},
    audience::Audience,
    recent::Recent,
};
use crate::{
    delivery::{Next, Verdict},
    encoded::{Encoded, Entry},
    errand::Errand,
    log::Log,
    rooms::Rooms,
    roster::{Effect, Happening, Roster},
};

/// How many commands are taken at once.
const COMMANDS_AT_ONCE: usize = 256;
/// How many events are read from the store at once.
const EVENTS_AT_ONCE: u32 = 500;
/// How often it is seen who is still attached, at most.
const COUNTED_EVERY: Duration = Duration::from_secs(1);
/// How long a room without sockets stays loaded: a page that is loaded again takes less.
const STAYS_LOADED: Duration = Duration::from_secs(10);

/// The task behind a room.
pub(super) struct Owner {
    id: RoomId,
    log: Arc<dyn Log>,
    rooms: Rooms,
    commands: mpsc::Receiver<Command>,
    recent: Arc<Recent>,
    /// The place of the next event to deliver.
    next: Next,
    /// The latest place that the log is known, or said, to have reached.
    target: Seq,
    /// A look at the store, for events that others appended.
    looking: Errand<Result<Looked, Refusal>>,
    appends: Appends,
    audience: Audience,
    roster: Roster,
    empty_since: Instant,
    /// When it was last seen who is still attached.
    counted_at: Instant,
    /// Dropped after `commands`, so that the room is seen to have ended.
    _listed: Listed,
}

/// Takes a room out of those that are live when its task has ended, however it came to that.
struct Listed {
    id: RoomId,
    rooms: Rooms,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.rooms.forget_ended(self.id);
    }
}

/// What a look at the store finds.
enum Looked {
    /// These events follow; none if there are no others.
    Events(Vec<Event>),
    /// The room is deleted.
    Gone,
}

impl Owner {
    pub(super) fn new(
        id: RoomId,
        rooms: Rooms,
        log: Arc<dyn Log>,
        limits: &Limits,
        commands: mpsc::Receiver<Command>,
        recent: Arc<Recent>,
    ) -> Self {
        Self {
            id,
            roster: Roster::new(limits),
            log,
            commands,
            recent,
            next: Next::after(Seq::ZERO),
            target: Seq::ZERO,
            looking: Errand::idle(),
            appends: Appends::default(),
            audience: Audience::new(id),
            empty_since: Instant::now(),
            counted_at: Instant::now(),
            _listed: Listed {
                id,
                rooms: rooms.clone(),
            },
            rooms,
        }
    }

    pub(super) async fn run(mut self, cancel: CancellationToken) {
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
        self.own(cancel).await;
        debug!(room.id = %self.id, seq = self.next.last().0, "room unloaded");
    }

    /// Deliveries begin where the log stands now: whoever listens reads what came before it from
    /// the store.
    async fn load(&mut self) -> Result<(), Refusal> {
        let heads = self.log.heads(vec![self.id]).await?;
        let head = heads.iter().find(|head| head.room == self.id && !head.gone);
        let head = head.ok_or(ErrorCode::RoomNotFound)?.seq;
        self.next = Next::after(head);
        self.recent.begin(head);
        Ok(())
    }

    fn refuse_all(&mut self, refusal: &Refusal) {
        self.commands.close();
        while let Ok(command) = self.commands.try_recv() {
            match command {
                // Whoever no longer waits for the answer does not need it.
                Command::Listen(listen) => drop(listen.loaded.send(Err(refusal.clone()))),
                Command::Send(sending) => sending.refuse(refusal.clone()),
                _ => {}
            }
        }
    }

    async fn own(&mut self, cancel: CancellationToken) {
        let mut taken = Vec::new();
        loop {
            self.look_if_behind();
            let deadline = self.deadline();
            // Ending comes first. What is stored leaves before anything new is taken in, so that a
            // busy room cannot run ahead of its deliveries; time comes last, as it can wait.
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                settled = self.appends.settled(), if !self.appends.is_empty() => self.settle(settled),
                looked = self.looking.done() => self.looked(looked),
                _ = self.commands.recv_many(&mut taken, COMMANDS_AT_ONCE) => {
                    for command in taken.drain(..) {
                        self.obey(command);
                    }
                }
                () = sleep_until(deadline) => {
                    if self.tick() {
                        break;
                    }
                }
            }
        }
        // What came in the very last moment is answered, not lost.
        self.refuse_all(&ErrorCode::Unavailable.into());
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Listen(Listen {
                connection,
                listener,
                loaded,
            }) => {
                self.audience.add(connection, listener);
                drop(loaded.send(Ok(())));
            }
            Command::Enter {
                connection,
                state,
                head,
                member_count,
                online,
            } => {
                if let Some(user) = self.audience.enter(connection, head) {
                    self.happen(Happening::Counted(member_count));
                    self.happen(Happening::Entered(connection, user, state));
                    drop(online.send(self.roster.online()));
                }
            }
            Command::Detach(connection) => {
                if let Some(user) = self.audience.remove(connection) {
                    self.left(connection, user);
                }
            }
            Command::Send(sending) => self.append(*sending),
            Command::Look(seq) => self.target = self.target.max(seq),
            Command::Gone => self.audience.gone(),
            Command::Presence(connection, user, state) => {
                self.happen(Happening::Changed(connection, user, state));
            }
            // Who was put out a moment ago may not know it yet.
            Command::Typing(user, on) => {
                if self.roster.has(user.id) {
                    self.happen(Happening::Typed(user, on));
                }
            }
            Command::Read(user, seq) => {
                if self.roster.has(user) {
                    self.happen(Happening::Read(user, seq.min(self.next.last())));
                }
            }
        }
    }

    fn append(&mut self, sending: Sending) {
        if self.appends.is_full() {
            let refusal = Refusal::from(ErrorCode::Unavailable);
            return sending.refuse(refusal.retry_after(Duration::from_secs(1)));
        }
        match self.log.submit(sending.append.clone()) {
            Ok(receipt) => self.appends.push(sending, receipt),
            Err(refusal) => sending.refuse(refusal),
        }
    }

    /// Answers and delivers what is committed.
    fn settle(&mut self, settled: Vec<(Sending, Result<store::Appended, Refusal>)>) {
        let mut entries = Vec::new();
        for (sending, result) in settled {
            match result {
                Ok(store::Appended::Stored(place)) => {
                    self.target = self.target.max(place.seq);
                    sending.acknowledge(place, false);
                    // Others may have written before it: then it is read with theirs.
                    if self.next.offer(place.seq) == Verdict::Send {
                        entries.push(Entry::new(sending.into_event(place)));
                    }
                }
                Ok(store::Appended::Duplicate(place)) => {
                    self.target = self.target.max(place.seq);
                    sending.acknowledge(place, true);
                }
                Ok(store::Appended::Refused(refusal)) | Err(refusal) => sending.refuse(refusal),
            }
        }
        self.deliver(&entries);
    }

    fn look_if_behind(&mut self) {
        if self.target >= self.next.seq() && self.looking.is_idle() {
            let (log, room, after) = (Arc::clone(&self.log), self.id, self.next.last());
            self.looking.begin(async move {
                let events = log.events(room, after, EVENTS_AT_ONCE).await?;
                if events.is_empty() {
                    let heads = log.heads(vec![room]).await?;
                    if heads.iter().all(|head| head.room != room || head.gone) {
                        return Ok(Looked::Gone);
                    }
                }
                Ok(Looked::Events(events))
            });
        }
    }

    fn looked(&mut self, looked: Result<Looked, Refusal>) {
        match looked {
            Ok(Looked::Events(events)) => {
                if events.is_empty() {
                    // A hint was wrong, or told of what is no event.
                    self.target = self.next.last();
                }
                let mut entries = Vec::with_capacity(events.len());
                for event in events {
                    if self.next.offer(event.seq) == Verdict::Send {
                        self.notice(&event);
                        entries.push(Entry::new(event));
                    }
                }
                self.deliver(&entries);
            }
            Ok(Looked::Gone) => {
                self.target = self.next.last();
                self.audience.gone();
            }
            Err(refusal) => {
                // The next look at all heads, in a second, tries again.
                self.target = self.next.last();
                debug!(room.id = %self.id, error = %refusal, "events cannot be read");
            }
        }
    }

    /// Learns from an event who is a member.
    fn notice(&mut self, event: &Event) {
        let user = match &event.kind {
            EventKind::Leave => event.user.id,
            EventKind::Kick(moderated) | EventKind::Ban(moderated) => moderated.member.id,
            _ => return,
        };
        if self.audience.put_out(user, event.seq) {
            self.happen(Happening::Removed(user));
        }
    }

    fn deliver(&mut self, entries: &[Arc<Entry>]) {
        if !entries.is_empty() {
            // The ring comes first: a socket that drops an event finds it there.
            self.recent.extend(entries);
            self.audience.deliver(entries);
        }
    }

    fn left(&mut self, connection: ConnectionId, user: UserId) {
        self.happen(Happening::Gone(connection, user));
        if self.audience.is_empty() {
            self.empty_since = Instant::now();
        }
    }

    fn happen(&mut self, happening: Happening) {
        let effects = self.roster.apply(happening, Instant::now());
        let room = self.id;
        let frames = effects.into_iter().map(|effect| {
            Encoded::of(&match effect {
                Effect::Presence(user, state) => {
                    ServerFrame::Presence(PresenceFrame { room, user, state })
                }
                Effect::Typing(user, on) => ServerFrame::Typing(TypingFrame { room, user, on }),
                Effect::Read(user, seq) => ServerFrame::Read(ReadFrame { room, user, seq }),
            })
        });
        self.audience.pass(&frames.collect::<Vec<_>>());
    }

    /// When there is something to do even if nothing happens.
    fn deadline(&self) -> Instant {
        let since = if self.audience.is_empty() {
            self.empty_since
        } else {
            self.counted_at
        };
        let own = (since + STAYS_LOADED).max(self.counted_at + COUNTED_EVERY);
        self.roster.deadline().map_or(own, |at| at.min(own))
    }

    /// Lets time pass; whether the room is unloaded.
    fn tick(&mut self) -> bool {
        let now = Instant::now();
        if now >= self.counted_at + COUNTED_EVERY {
            self.counted_at = now;
            for (connection, user) in self.audience.take_detached() {
                self.left(connection, user);
            }
        }
        self.happen(Happening::Tick);
        let is_idle = self.audience.is_empty()
            && self.appends.is_empty()
            && self.empty_since.elapsed() >= STAYS_LOADED;
        is_idle && self.rooms.retire(self.id, &self.commands)
    }
}
