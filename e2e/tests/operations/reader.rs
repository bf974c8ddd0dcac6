//! One who reads over a socket that is cut, or who is late and slow, and who believes nothing: events come one after
//! the other, nothing comes of a room that has ended, and whoever is put out is told by an event before.

use std::{collections::HashMap, net::SocketAddr};

use anyhow::{Context as _, Result, bail, ensure};
use chatx_e2e::{Ended, Person, Socket};
use protocol::{
    RoomId,
    events::{Event, EventKind},
    frame::{ServerFrame, Subscribed, UnsubscribeReason, Unsubscribed},
};
use serde_json::json;
use tokio::{sync::mpsc, task::JoinHandle};

use crate::log::Log;

/// What a reader is told to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// To come, or to come back.
    Come,
    /// To go without a word.
    Vanish,
    /// To read nothing, and to stay.
    Doze,
    /// To read on.
    Wake,
    /// To end once every room is read up to there.
    Finish(HashMap<RoomId, u64>),
}

/// Somebody who reads, as a task.
pub(crate) struct Reader {
    commands: mpsc::Sender<Command>,
    task: JoinHandle<Result<HashMap<RoomId, Log>>>,
}

impl Reader {
    /// Reads these rooms as `person`, once told to come.
    pub(crate) fn start(person: Person, address: SocketAddr, rooms: &[RoomId]) -> Self {
        let (commands, told) = mpsc::channel(64);
        let state = State {
            person,
            address,
            socket: None,
            dozes: false,
            rooms: rooms
                .iter()
                .map(|room| (*room, Following::default()))
                .collect(),
            asked: 0,
            goal: None,
        };
        Self {
            commands,
            task: tokio::spawn(state.run(told)),
        }
    }

    pub(crate) async fn tell(&mut self, command: Command) -> Result<()> {
        if self.commands.send(command).await.is_err() {
            // It has failed, and says why.
            (&mut self.task).await??;
            bail!("it has ended");
        }
        Ok(())
    }

    /// What it has once it has read up to there.
    pub(crate) async fn finish(
        mut self,
        heads: HashMap<RoomId, u64>,
    ) -> Result<HashMap<RoomId, Log>> {
        self.tell(Command::Finish(heads)).await?;
        self.task.await?
    }
}

struct State {
    person: Person,
    address: SocketAddr,
    socket: Option<Socket>,
    dozes: bool,
    rooms: HashMap<RoomId, Following>,
    asked: u64,
    goal: Option<HashMap<RoomId, u64>>,
}

#[derive(Default)]
struct Following {
    log: Log,
    stand: Stand,
}

/// How one stands to a room on the socket that is open.
#[derive(Debug, Default, PartialEq, Eq)]
enum Stand {
    #[default]
    Out,
    /// By the frame of this id.
    Asked(String),
    Live,
}

impl State {
    async fn run(mut self, mut told: mpsc::Receiver<Command>) -> Result<HashMap<RoomId, Log>> {
        while !self.is_done() {
            let reads = !self.dozes;
            tokio::select! {
                command = told.recv() => self.obey(command.context("nobody tells any more")?).await?,
                frame = next(&mut self.socket), if reads => match frame? {
                    Ok(frame) => self.hear(frame).await?,
                    // It was cut, or we were too slow.
                    Err(Ended::Broken | Ended::Closed(1001 | 4408)) => self.come().await?,
                    Err(ended) => bail!("the socket ended: {ended:?}"),
                },
            }
        }
        Ok(self
            .rooms
            .into_iter()
            .map(|(room, following)| (room, following.log))
            .collect())
    }

    fn is_done(&self) -> bool {
        let is_read = |(room, head): (&RoomId, &u64)| {
            let following = &self.rooms[room];
            following.stand == Stand::Live && following.log.last >= *head
        };
        self.goal
            .as_ref()
            .is_some_and(|goal| goal.iter().all(is_read))
    }

    async fn obey(&mut self, command: Command) -> Result<()> {
        match command {
            Command::Come => self.come().await?,
            Command::Vanish => self.socket = None,
            Command::Doze => self.dozes = true,
            Command::Wake => self.dozes = false,
            Command::Finish(goal) => {
                self.goal = Some(goal);
                self.dozes = false;
                if self.socket.is_none() {
                    return self.come().await;
                }
                let out = self
                    .rooms
                    .iter()
                    .filter(|(_, following)| following.stand == Stand::Out);
                for room in out.map(|(room, _)| *room).collect::<Vec<_>>() {
                    self.subscribe(room).await?;
                }
            }
        }
        Ok(())
    }

    async fn come(&mut self) -> Result<()> {
        const TRIES: usize = 10;
        self.socket = None;
        let (address, token) = (
            self.address.to_string(),
            self.person.http.token().unwrap_or_default().to_owned(),
        );
        let mut connected = Socket::connect(&address, &token).await;
        // The way may be cut while we come.
        for _ in 0..TRIES {
            if connected.is_err() {
                connected = Socket::connect(&address, &token).await;
            }
        }
        self.socket = Some(connected?);
        for room in self.rooms.keys().copied().collect::<Vec<_>>() {
            self.subscribe(room).await?;
        }
        Ok(())
    }

    async fn subscribe(&mut self, room: RoomId) -> Result<()> {
        self.asked += 1;
        let id = self.asked.to_string();
        let following = self.rooms.get_mut(&room).context("a room that is read")?;
        following.stand = Stand::Asked(id.clone());
        let last = following.log.events.last();
        let frame = json!({
            "type": "subscribe", "id": id, "room": room, "after": following.log.last, "after_id": last.map(|event| event.id),
        });
        if let Some(socket) = &mut self.socket {
            // One that is gone is noticed where it is read.
            let _ = socket.say(&frame).await;
        }
        Ok(())
    }

    async fn hear(&mut self, frame: ServerFrame) -> Result<()> {
        match frame {
            ServerFrame::Subscribed(subscribed) => self.subscribed(subscribed).await?,
            ServerFrame::Event(event) => {
                let following = self
                    .rooms
                    .get_mut(&event.room)
                    .context("an event of a room that is not read")?;
                match following.stand {
                    Stand::Live => following.log.take(event)?,
                    // What was on its way of the subscription before; it comes again.
                    Stand::Asked(_) => {}
                    Stand::Out => bail!("an event after the last frame of its room: {event:?}"),
                }
            }
            ServerFrame::Unsubscribed(ended) => self.ended(ended)?,
            ServerFrame::RoomAdded(added) if self.is_out_of(added.room) => {
                self.subscribe(added.room).await?;
            }
            ServerFrame::Error(error) => {
                let id = error
                    .id
                    .as_ref()
                    .map(|id| id.as_str().to_owned())
                    .context("an error that answers nothing")?;
                for following in self.rooms.values_mut() {
                    if following.stand == Stand::Asked(id.clone()) {
                        ensure!(self.goal.is_none(), "a room cannot be read: {error:?}");
                        following.stand = Stand::Out;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn is_out_of(&self, room: RoomId) -> bool {
        self.rooms
            .get(&room)
            .is_some_and(|following| following.stand == Stand::Out)
    }

    async fn subscribed(&mut self, subscribed: Subscribed) -> Result<()> {
        let following = self
            .rooms
            .get_mut(&subscribed.room)
            .context("a room that is read")?;
        let id = subscribed
            .id
            .as_ref()
            .map(|id| id.as_str().to_owned())
            .unwrap_or_default();
        if following.stand != Stand::Asked(id) {
            return Ok(());
        }
        following.stand = Stand::Live;
        following.log.begin_at(subscribed.first.0);
        if subscribed.reset {
            // More was missed than a socket gives.
            let from = subscribed
                .events
                .first()
                .map_or(subscribed.head.0, |event| event.seq.0);
            while following.log.last + 1 < from {
                let path = format!(
                    "/v1/rooms/{}/events?after={}&limit=200",
                    subscribed.room, following.log.last
                );
                let page = self.person.http.get(&path).await?;
                if page.status == 403 {
                    // Put out meanwhile: the socket will say so.
                    following.stand = Stand::Asked("no longer".to_owned());
                    return Ok(());
                }
                let events: Vec<Event> =
                    serde_json::from_value(page.expect(200)?["events"].clone())?;
                ensure!(!events.is_empty(), "what was missed is not there");
                for event in events {
                    following.log.take(event)?;
                }
            }
        }
        for event in subscribed.events {
            following.log.take(event)?;
        }
        Ok(())
    }

    fn ended(&mut self, ended: Unsubscribed) -> Result<()> {
        let me = self.person.id;
        let following = self
            .rooms
            .get_mut(&ended.room)
            .context("a room that is read")?;
        if following.stand == Stand::Live {
            let last = following
                .log
                .events
                .last()
                .map(|event| (event.user.id, &event.kind));
            let is_told = match (ended.reason, last) {
                (UnsubscribeReason::Left, Some((by, EventKind::Leave))) => by == me,
                (UnsubscribeReason::Kicked, Some((_, EventKind::Kick(done))))
                | (UnsubscribeReason::Banned, Some((_, EventKind::Ban(done)))) => {
                    done.member.id == me
                }
                (UnsubscribeReason::Archived, Some((_, EventKind::Archive(archive)))) => {
                    archive.archived
                }
                _ => false,
            };
            ensure!(is_told, "{ended:?} comes after {last:?}");
        }
        following.stand = Stand::Out;
        Ok(())
    }
}

impl Log {
    /// What is before may not be read.
    fn begin_at(&mut self, first: u64) {
        self.first = first;
        if self.last + 1 < first {
            self.last = first - 1;
        }
        self.events.retain(|event| event.seq.0 >= first);
    }

    fn take(&mut self, event: Event) -> Result<()> {
        if event.seq.0 <= self.last {
            return Ok(());
        }
        ensure!(
            event.seq.0 == self.last + 1,
            "{} comes after {}",
            event.seq,
            self.last
        );
        self.last = event.seq.0;
        self.events.push(event);
        Ok(())
    }
}

/// The next frame of the socket that is open; never, if none is.
async fn next(socket: &mut Option<Socket>) -> Result<Result<ServerFrame, Ended>> {
    match socket {
        Some(socket) => socket.next().await,
        None => std::future::pending().await,
    }
}
