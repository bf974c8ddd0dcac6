//! People who say something at a steady pace, whatever the answers do.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{MissedTickBehavior, interval_at, timeout},
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::Message};

use super::upgrade;
use crate::{
    account::{create_room, join, register},
    servers::fleet::Fleet,
};

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// One message and its answer.
#[derive(Clone, Copy)]
pub(super) struct Sample {
    /// When it was to be sent.
    pub(super) sent_at: Instant,
    /// How long the answer took from then on.
    pub(super) took: Duration,
    /// Whether it was refused, which a rate may do.
    pub(super) refused: bool,
}

/// Clients under way, which end when this is dropped.
pub(super) struct Talkers {
    log: Log,
    _tasks: JoinSet<Result<()>>,
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Talk>>);

#[derive(Default)]
struct Talk {
    samples: Vec<Sample>,
    /// Of each message without an answer, when it was to be sent.
    unanswered: HashMap<String, Instant>,
}

/// Longer than any answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

impl Talkers {
    /// Registers, joins and connects everybody, then lets them talk, one after the other.
    ///
    /// # Errors
    /// When a server refuses.
    pub(super) async fn start(
        fleet: &Fleet,
        clients: usize,
        rooms: usize,
        every: Duration,
    ) -> Result<Self> {
        let handlers = fleet.handlers.address();
        let mut open = Vec::new();
        let mut known: Vec<String> = Vec::new();
        for client in 0..clients {
            let token = register(&handlers, &format!("talker{client}")).await?;
            let room = match known.get(client % rooms) {
                Some(room) => {
                    join(&handlers, &token, room).await?;
                    room.clone()
                }
                None => {
                    let room = create_room(&handlers, &token, &format!("talk {client}")).await?;
                    known.push(room.clone());
                    room
                }
            };
            let stream = connect(&fleet.coordinator(client)?.address(), &token, &room).await?;
            open.push((stream, room));
        }
        let log = Log::default();
        let mut tasks = JoinSet::new();
        for (client, (stream, room)) in open.into_iter().enumerate() {
            // Evenly spread, so that the load is the same at every moment.
            let first = Instant::now() + every * u32::try_from(client)? / u32::try_from(clients)?;
            let (sink, frames) = stream.split();
            tasks.spawn(hear(frames, log.clone()));
            tasks.spawn(talk(sink, log.clone(), client, room, first, every));
        }
        Ok(Self { log, _tasks: tasks })
    }

    /// Everything that was answered so far.
    ///
    /// # Errors
    /// When messages have waited for an answer for too long.
    pub(super) fn samples(&self) -> Result<Vec<Sample>> {
        let talk = self.log.talk();
        let lost = talk
            .unanswered
            .values()
            .filter(|at| at.elapsed() > super::LAST_ANSWERS);
        let lost = lost.count();
        ensure!(lost == 0, "{lost} messages were never answered");
        Ok(talk.samples.clone())
    }
}

impl Log {
    fn talk(&self) -> MutexGuard<'_, Talk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answered(&self, client_id: &str, refused: bool) {
        let now = Instant::now();
        let mut talk = self.talk();
        if let Some(sent_at) = talk.unanswered.remove(client_id) {
            talk.samples.push(Sample {
                sent_at,
                took: now - sent_at,
                refused,
            });
        }
    }
}

async fn connect(address: &str, token: &str, room: &str) -> Result<Stream> {
    let url = format!("ws://{address}/v1/socket");
    let (mut stream, _) = tokio_tungstenite::connect_async(upgrade(&url, Some(token))?).await?;
    let frame = json!({"type": "subscribe", "room": room, "limit": 0});
    stream.send(Message::text(frame.to_string())).await?;
    let subscribed = async {
        while let Some(message) = stream.next().await {
            if frame_of(&message?)["type"] == "subscribed" {
                return anyhow::Ok(());
            }
        }
        anyhow::bail!("the socket ended")
    };
    timeout(PATIENCE, subscribed)
        .await
        .context("no `subscribed`")??;
    Ok(stream)
}

async fn talk(
    mut sink: SplitSink<Stream, Message>,
    log: Log,
    client: usize,
    room: String,
    first: Instant,
    every: Duration,
) -> Result<()> {
    let body = "a message of about the length that people write to each other in a chat";
    let mut tick = interval_at(first.into(), every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for number in 0_u64.. {
        let sent_at = tick.tick().await.into_std();
        // A frame's id is echoed in every answer, a refusal too.
        let id = format!("{client}-{number}");
        let frame = json!({"type": "send", "id": id, "room": room, "client_id": id, "body": body});
        log.talk().unanswered.insert(id, sent_at);
        sink.send(Message::text(frame.to_string())).await?;
    }
    Ok(())
}

async fn hear(mut frames: SplitStream<Stream>, log: Log) -> Result<()> {
    while let Some(message) = frames.next().await {
        let frame = frame_of(&message?);
        let refused = match frame["type"].as_str() {
            Some("ack") => false,
            Some("error") => true,
            _ => continue,
        };
        log.answered(frame["id"].as_str().unwrap_or_default(), refused);
    }
    anyhow::bail!("a socket ended")
}

/// What a message says; nothing if it is no text.
fn frame_of(message: &Message) -> Value {
    let text = message.to_text().unwrap_or_default();
    serde_json::from_str(text).unwrap_or_default()
}
