//! People who talk all the time, and what must be true of it in the end.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use client::{Client, Connection, Session, Start};
use protocol::{RoomId, Seq, events::Event, frame::Ack};
use tokio::{sync::watch, task::JoinSet};

use super::{Listener, body, register, room_of, soon, stored};

/// People who write into two rooms all the time, and listen to both.
pub(crate) struct Crowd {
    people: Vec<Session>,
    pub(crate) connections: Vec<Connection>,
    rooms: [RoomId; 2],
    listeners: Vec<(RoomId, Listener)>,
    senders: JoinSet<Result<Vec<(RoomId, String, Ack)>>>,
    stop: watch::Sender<bool>,
}

/// So many messages of a sender may wait for their acks at once.
const AHEAD: usize = 3;

impl Crowd {
    pub(crate) async fn gather(clients: &[Client], size: usize) -> Result<Self> {
        let mut people = Vec::new();
        for client in clients.iter().cycle().take(size) {
            people.push(register(client, "crowd").await?);
        }
        let others: Vec<_> = people.iter().skip(1).collect();
        let rooms = [
            room_of(&people[0], &others).await?,
            room_of(&people[0], &others).await?,
        ];
        let (stop, stopped) = watch::channel(false);
        let (mut listeners, mut senders) = (Vec::new(), JoinSet::new());
        let mut connections = Vec::new();
        for (number, person) in people.iter().enumerate() {
            let connection = person.connect();
            for room in rooms {
                let events = connection
                    .room(room)
                    .events(Start::After(Seq::ZERO, None))
                    .await?;
                listeners.push((room, Listener::new(events)));
            }
            connections.push(connection.clone());
            let stopped = stopped.clone();
            senders.spawn(async move {
                let mut waiting = std::collections::VecDeque::new();
                let mut acked = Vec::new();
                for count in 0_u32.. {
                    if *stopped.borrow() && waiting.is_empty() {
                        break;
                    }
                    if !*stopped.borrow() {
                        let room = rooms[(count as usize + number) % 2];
                        let text = format!("{number}-{count}");
                        waiting.push_back((
                            room,
                            text.clone(),
                            connection.room(room).submit(text).await?,
                        ));
                    }
                    if waiting.len() >= AHEAD || *stopped.borrow() {
                        let (room, text, receipt) =
                            waiting.pop_front().context("something waits")?;
                        let ack = soon("an ack", receipt)
                            .await?
                            .with_context(|| text.clone())?;
                        acked.push((room, text, ack));
                    }
                }
                Ok(acked)
            });
        }
        Ok(Self {
            people,
            connections,
            rooms,
            listeners,
            senders,
            stop,
        })
    }

    /// Waits until so many more events were heard by the first listener.
    pub(crate) async fn progress(&mut self, events: usize) -> Result<()> {
        let (_, listener) = &mut self.listeners[0];
        let heard = listener.log().len();
        listener.count(heard + events).await
    }

    /// Stops writing, checks what was promised, and answers how many messages there were.
    pub(crate) async fn check(mut self) -> Result<usize> {
        self.stop.send_replace(true);
        let mut acked = Vec::new();
        while let Some(sender) = self.senders.join_next().await {
            acked.push(sender??);
        }
        let mut logs = BTreeMap::new();
        for room in self.rooms {
            let log = stored(&self.people[0], room).await?;
            let seqs: Vec<_> = log.iter().map(|event| event.seq.0).collect();
            ensure!(
                seqs == (1..=log.len() as u64).collect::<Vec<_>>(),
                "the store is not dense"
            );
            logs.insert(room, log);
        }
        for (room, mut listener) in self.listeners {
            let log = &logs[&room];
            listener.until(Seq(log.len() as u64)).await?;
            ensure!(
                &listener.log() == log,
                "somebody heard something else than what is stored"
            );
        }
        let count: usize = acked.iter().map(Vec::len).sum();
        let is_message = |event: &&Event| body(event).is_some();
        let messages: usize = logs
            .values()
            .map(|log| log.iter().filter(is_message).count())
            .sum();
        ensure!(messages == count, "{count} acks for {messages} messages");
        for acks in acked {
            let mut last = BTreeMap::new();
            for (room, text, ack) in acks {
                let event = &logs[&room][usize::try_from(ack.seq.0)? - 1];
                ensure!(body(event) == Some(&text), "{text} is not at {}", ack.seq);
                ensure!(
                    last.insert(room, ack.seq) < Some(ack.seq),
                    "{text} overtook another"
                );
            }
        }
        Ok(count)
    }
}
