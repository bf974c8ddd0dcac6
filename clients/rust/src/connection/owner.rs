//! The task behind a connection: it owns the socket, and decides when there is another one.

mod heard;
mod pulse;
mod reconnect;

use std::{collections::BTreeMap, sync::Arc};

use futures_util::future::BoxFuture;
use protocol::{RoomId, Seq, events::EventList, frame::PresenceState};
use pulse::Pulse;
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};
use tracing::{Instrument as _, debug, info, info_span};

use super::{
    Command, Ended, Status, Unacked,
    door::{NotOpened, Opened},
    events::RoomEnded,
    follows::Follows,
    frames::Say,
    link::{Heard, Link},
    outbox::Outbox,
    room::Letter,
};
use crate::{Error, Result, Session, Settings, backoff::Backoff, session::Access};

/// The task's state.
struct Owner {
    session: Session,
    settings: Arc<Settings>,
    status: watch::Sender<Status>,
    rooms_changed: watch::Sender<u64>,
    wake: Arc<Notify>,
    /// The socket in use.
    live: Option<Live>,
    /// The socket being opened, perhaps while another one still works.
    opening: Option<BoxFuture<'static, Result<Opened, NotOpened>>>,
    /// When to open the next one.
    open_at: Option<Instant>,
    /// Where to, if the server named a place.
    elsewhere: Option<String>,
    backoff: Backoff,
    /// An access token that is on its way, for the socket or for the next one.
    renewal: Option<BoxFuture<'static, Result<Access>>>,
    /// A page of a room's log that is on its way.
    reading: Option<BoxFuture<'static, (RoomId, Result<EventList>)>>,
    outbox: Outbox<Letter>,
    follows: Follows,
    /// Read marks that wait for a socket.
    marks: BTreeMap<RoomId, Seq>,
    /// As the program wants to be seen, if it said so.
    presence: Option<PresenceState>,
    closing: Option<Closing>,
}

/// A socket in use.
struct Live {
    link: Link,
    pulse: Pulse,
    /// The token that it lives as long as.
    access: Access,
    /// When to show it another token; never, once the server took none.
    renew_at: Option<Instant>,
    /// Most bytes of a frame that the server takes.
    frame_max_bytes: usize,
}

/// The program wants to leave.
struct Closing {
    by: Instant,
    done: oneshot::Sender<Result<(), Unacked>>,
}

/// What a turn of the task begins with.
enum Happened {
    Asked(Option<Command>),
    Heard(Heard),
    Opened(Box<Result<Opened, NotOpened>>),
    Renewed(Result<Access>),
    Read(RoomId, Result<EventList>),
    Woke,
    Time,
}

/// Where whoever holds the connection is told how things are.
pub(super) struct Told {
    /// How the connection stands.
    pub(super) status: watch::Sender<Status>,
    /// How often the rooms of the user changed.
    pub(super) rooms_changed: watch::Sender<u64>,
}

/// Runs a connection to its end.
pub(super) async fn run(
    session: Session,
    settings: Arc<Settings>,
    commands: mpsc::Receiver<Command>,
    told: Told,
    wake: Arc<Notify>,
) {
    let span = info_span!("client", user.id = %session.user());
    let mut owner = Owner {
        backoff: Backoff::new(&settings),
        outbox: Outbox::new(settings.sends_at_once),
        live: None,
        opening: None,
        open_at: Some(Instant::now()),
        elsewhere: None,
        renewal: None,
        reading: None,
        follows: Follows::new(settings.complete),
        marks: BTreeMap::new(),
        presence: None,
        closing: None,
        session,
        settings,
        status: told.status,
        rooms_changed: told.rooms_changed,
        wake,
    };
    async {
        let ended = owner.run_inner(commands).await;
        owner.finish(ended);
    }
    .instrument(span)
    .await;
}

impl Owner {
    async fn run_inner(&mut self, mut commands: mpsc::Receiver<Command>) -> Ended {
        loop {
            if let Some(ended) = self.closed() {
                return ended;
            }
            self.say_what_is_due();
            let happened = self.happened(&mut commands).await;
            let turn = match happened {
                Happened::Asked(Some(command)) => {
                    self.asked(command);
                    Ok(())
                }
                Happened::Asked(None) => Err(Ended::Closed),
                Happened::Heard(heard) => self.heard(heard),
                Happened::Opened(opened) => self.opened(*opened),
                Happened::Renewed(renewed) => self.renewed(renewed),
                Happened::Read(room, page) => {
                    self.follows.read(room, page, Instant::now());
                    Ok(())
                }
                Happened::Woke => {
                    if !self.follows.woke(self.live.as_ref().map(|live| &live.link)) {
                        self.lose("it takes nothing");
                    }
                    Ok(())
                }
                Happened::Time => {
                    self.pass_time(Instant::now());
                    Ok(())
                }
            };
            if let Err(ended) = turn {
                return ended;
            }
        }
    }

    /// Waits for the next thing to happen.
    async fn happened(&mut self, commands: &mut mpsc::Receiver<Command>) -> Happened {
        let deadline = self.deadline();
        let heard = async {
            match &mut self.live {
                Some(live) => live.link.next().await,
                None => std::future::pending().await,
            }
        };
        let time = async {
            match deadline {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            command = commands.recv() => Happened::Asked(command),
            heard = heard => Happened::Heard(heard),
            opened = done(&mut self.opening) => Happened::Opened(Box::new(opened)),
            renewed = done(&mut self.renewal) => Happened::Renewed(renewed),
            (room, page) = done(&mut self.reading) => Happened::Read(room, page),
            () = self.wake.notified() => Happened::Woke,
            () = time => Happened::Time,
        }
    }

    /// The next moment at which something is to be done.
    fn deadline(&self) -> Option<Instant> {
        let live = self.live.as_ref();
        let moments = [
            self.open_at.filter(|_| self.opening.is_none()),
            self.closing.as_ref().map(|closing| closing.by),
            live.map(|live| live.pulse.deadline()),
            live.filter(|_| self.renewal.is_none())
                .and_then(|live| live.renew_at),
            live.and_then(|_| self.outbox.deadline(self.settings.ack_within)),
            live.and_then(|_| self.follows.deadline(self.settings.ack_within)),
        ];
        moments.into_iter().flatten().min()
    }

    /// Does what is due by now.
    fn pass_time(&mut self, now: Instant) {
        if self.open_at.is_some_and(|at| now >= at) && self.opening.is_none() {
            self.open();
        }
        let Some(live) = &mut self.live else { return };
        if live.renew_at.is_some_and(|at| now >= at) && self.renewal.is_none() {
            let session = self.session.clone();
            self.renewal = Some(Box::pin(async move { session.access().await }));
        }
        self.outbox.woke(now);
        if self.outbox.doubt(now, self.settings.ack_within) {
            debug!("a message has no answer, sending it again");
            live.pulse.doubt(now);
        }
        self.follows.ripen(now, self.settings.ack_within);
        match live.pulse.due(now) {
            pulse::Due::Nothing => {}
            pulse::Due::Ping => {
                if !live.link.say(&Say::Ping) {
                    self.lose("it takes nothing");
                }
            }
            pulse::Due::Lost => self.lose("it is silent"),
        }
    }

    /// Sends the messages and the questions whose turn it is.
    fn say_what_is_due(&mut self) {
        let Some(live) = &self.live else { return };
        if self.reading.is_none()
            && let Some((room, find)) = self.follows.next_page()
        {
            let session = self.session.clone();
            self.reading = Some(Box::pin(async move {
                (room, session.events(room, &find).await)
            }));
        }
        let now = Instant::now();
        let mut is_taken = self.follows.ask(&live.link, now);
        let mut too_large = Vec::new();
        while is_taken && let Some((room, number, letter)) = self.outbox.next(now) {
            let (body, reply_to, thread) = letter.draft.parts();
            let (id, client_id) = (heard::name(number), &letter.client_id);
            let text = Say::Send {
                id: &id,
                room,
                client_id,
                body,
                reply_to,
                thread,
            }
            .encode();
            // The server closes a socket over a frame that is too large, for good.
            if text.len() > live.frame_max_bytes {
                too_large.push(number);
            } else {
                is_taken = live.link.say_text(text);
            }
        }
        for number in too_large {
            self.refuse_as_too_large(number);
        }
        if !is_taken {
            self.lose("it takes nothing");
        }
    }

    /// A handle asks for something.
    fn asked(&mut self, command: Command) {
        let say = match command {
            Command::Submit(_, letter) if self.closing.is_some() => {
                return letter.settle(Err(Error::Ended(Ended::Closed)));
            }
            Command::Submit(room, letter) => return self.outbox.add(room, letter),
            Command::Follow(room, start, queue) => return self.follows.add(room, start, queue),
            Command::Close(by, done) => return self.closing = Some(Closing { by, done }),
            Command::Read(room, seq) => {
                if self.live.is_none() {
                    let mark = self.marks.entry(room).or_default();
                    *mark = seq.max(*mark);
                }
                Say::Read { room, seq }
            }
            Command::Typing(room, on) => Say::Typing { room, on },
            Command::Presence(state) => {
                self.presence = Some(state);
                Say::Presence { state }
            }
        };
        if self.live.as_ref().is_some_and(|live| !live.link.say(&say)) {
            self.lose("it takes nothing");
        }
    }

    /// Whether the program has left: with every answer, or without some at the end of its patience.
    fn closed(&self) -> Option<Ended> {
        let closing = self.closing.as_ref()?;
        (self.outbox.is_empty() || Instant::now() >= closing.by).then_some(Ended::Closed)
    }

    /// Tells everybody that it is over.
    fn finish(self, ended: Ended) {
        info!(%ended, "the connection is over");
        let unanswered = self.outbox.len();
        self.status.send_replace(Status::Ended(ended.clone()));
        for letter in self.outbox.into_letters() {
            letter.settle(Err(Error::Ended(ended.clone())));
        }
        self.follows.end(&RoomEnded::Connection(ended));
        if let Some(closing) = self.closing {
            let left = if unanswered == 0 {
                Ok(())
            } else {
                Err(Unacked { count: unanswered })
            };
            if closing.done.send(left).is_err() {
                debug!("nobody waited for the end");
            }
        }
    }
}

/// Waits for the task in `slot`, if there is one, and empties it. Cancel-safe.
async fn done<T>(slot: &mut Option<BoxFuture<'static, T>>) -> T {
    let Some(task) = slot else {
        return std::future::pending().await;
    };
    let output = task.await;
    *slot = None;
    output
}
