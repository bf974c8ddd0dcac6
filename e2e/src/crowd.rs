//! People who talk all the time, and what must be true of it in the end: every message is stored once and
//! acknowledged once, in the order in which its sender wrote it, and everybody hears what is stored.

mod listener;
mod people;
mod steady;

use std::collections::{BTreeMap, VecDeque};

use anyhow::{Context as _, Result, ensure};
use client::{Client, Connection, Session, Start};
use protocol::{RoomId, Seq, events::Event, messages::SendBody};
use tokio::{sync::watch, task::JoinSet};

pub use listener::Listener;
pub use people::{PASSWORD, body, hasty, register, room_of, soon, stored};
pub use steady::Steady;

/// People who write into rooms all the time, and listen to all of them.
pub struct Crowd {
    people: Vec<Session>,
    /// One of each of them.
    pub connections: Vec<Connection>,
    rooms: Vec<RoomId>,
    listeners: Vec<(RoomId, Listener)>,
    senders: JoinSet<Result<Vec<Acked>>>,
    stop: watch::Sender<bool>,
}

/// A message with the place that it was given.
struct Acked {
    room: RoomId,
    text: String,
    seq: Seq,
}

/// So many messages of a sender may wait for their acks at once.
const AHEAD: usize = 3;

impl Crowd {
    /// So many people, each a user of one of `clients`, who begin to talk in so many rooms.
    ///
    /// # Errors
    /// When they cannot register, or make their rooms.
    pub async fn gather(clients: &[Client], people: usize, rooms: usize) -> Result<Self> {
        let mut crowd = Self {
            people: Vec::new(),
            connections: Vec::new(),
            rooms: Vec::new(),
            listeners: Vec::new(),
            senders: JoinSet::new(),
            stop: watch::Sender::new(false),
        };
        for client in clients.iter().cycle().take(people) {
            crowd.people.push(register(client, "crowd").await?);
        }
        let (owner, others) = crowd.people.split_first().context("nobody")?;
        let others: Vec<_> = others.iter().collect();
        for _ in 0..rooms {
            crowd.rooms.push(room_of(owner, &others).await?);
        }
        for (number, person) in crowd.people.iter().enumerate() {
            let connection = person.connect();
            for room in &crowd.rooms {
                let room = connection.room(*room);
                let events = room.events(Start::After(Seq::ZERO, None)).await?;
                crowd.listeners.push((room.id(), Listener::new(events)));
            }
            crowd.connections.push(connection.clone());
            let rooms = turns(&crowd.rooms, number);
            let stop = crowd.stop.subscribe();
            crowd.senders.spawn(talk(connection, number, rooms, stop));
        }
        Ok(crowd)
    }

    /// One of them begins to write over HTTP too.
    pub fn also_call(&mut self) {
        let rooms = turns(&self.rooms, 0);
        let (person, stop) = (self.people[0].clone(), self.stop.subscribe());
        self.senders.spawn(call(person, rooms, stop));
    }

    /// Waits until so many more events were heard by the first listener.
    ///
    /// # Errors
    /// When they are not, or what was heard is not what it should be.
    pub async fn progress(&mut self, events: usize) -> Result<()> {
        let (_, listener) = &mut self.listeners[0];
        let heard = listener.log().len();
        listener.count(heard + events).await
    }

    /// Stops writing, checks what was promised, and answers how many messages there were.
    ///
    /// # Errors
    /// When a promise is broken.
    pub async fn check(mut self) -> Result<usize> {
        self.stop.send_replace(true);
        let mut acked = Vec::new();
        while let Some(sender) = self.senders.join_next().await {
            acked.push(sender??);
        }
        let mut logs = BTreeMap::new();
        for room in &self.rooms {
            let log = stored(&self.people[0], *room).await?;
            let places = (1..).map(Seq).take(log.len());
            ensure!(
                log.iter().map(|event| event.seq).eq(places),
                "the store is not dense"
            );
            logs.insert(*room, log);
        }
        for (room, mut listener) in self.listeners {
            let log = &logs[&room];
            listener.until(log.last().context("a log")?.seq).await?;
            ensure!(
                &listener.log() == log,
                "somebody heard something else than what is stored"
            );
        }
        let count: usize = acked.iter().map(Vec::len).sum();
        let events = logs.values().flatten();
        let messages = events.filter(|event| body(event).is_some()).count();
        ensure!(messages == count, "{count} acks for {messages} messages");
        for of_one in acked {
            check_order(&logs, of_one)?;
        }
        Ok(count)
    }
}

/// The rooms in turn, beginning with another one for each person.
fn turns(rooms: &[RoomId], number: usize) -> impl Iterator<Item = RoomId> + Send + use<> {
    let rooms = rooms.to_vec();
    (number..).map(move |turn| rooms[turn % rooms.len()])
}

/// Writes until `stop`, a few messages ahead of their acks.
async fn talk(
    connection: Connection,
    number: usize,
    mut rooms: impl Iterator<Item = RoomId>,
    stop: watch::Receiver<bool>,
) -> Result<Vec<Acked>> {
    let (mut waiting, mut acked) = (VecDeque::new(), Vec::new());
    for count in 0_u32.. {
        let is_over = *stop.borrow();
        if !is_over {
            let (room, text) = (rooms.next().context("a room")?, format!("{number}-{count}"));
            let receipt = connection.room(room).submit(text.clone()).await?;
            waiting.push_back((room, text, receipt));
        }
        if waiting.len() >= AHEAD || is_over {
            let Some((room, text, receipt)) = waiting.pop_front() else {
                break;
            };
            let ack = soon("an ack", receipt).await?;
            let seq = ack.with_context(|| text.clone())?.seq;
            acked.push(Acked { room, text, seq });
        }
    }
    Ok(acked)
}

/// The same over HTTP, one after the other.
async fn call(
    person: Session,
    rooms: impl Iterator<Item = RoomId>,
    stop: watch::Receiver<bool>,
) -> Result<Vec<Acked>> {
    let mut acked = Vec::new();
    for (count, room) in rooms.enumerate() {
        if *stop.borrow() {
            break;
        }
        let text = format!("call-{count}");
        let body = SendBody {
            body: Some(text.clone()),
            client_id: Some(text.clone()),
            reply_to: None,
            thread: None,
            files: None,
        };
        let sent = soon("an answer", person.send(room, &body)).await?;
        let seq = sent.with_context(|| text.clone())?.message.seq;
        acked.push(Acked { room, text, seq });
    }
    Ok(acked)
}

/// What one of them wrote stands where the acks said, and in the order of writing.
fn check_order(logs: &BTreeMap<RoomId, Vec<Event>>, acked: Vec<Acked>) -> Result<()> {
    let mut last = BTreeMap::new();
    for Acked { room, text, seq } in acked {
        let event = logs[&room].get(usize::try_from(seq.previous().0)?);
        ensure!(
            event.and_then(body) == Some(&text),
            "{text} is not at {seq}"
        );
        ensure!(
            last.insert(room, seq) < Some(seq),
            "{text} overtook another"
        );
    }
    Ok(())
}
