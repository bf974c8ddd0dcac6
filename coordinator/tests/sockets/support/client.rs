//! A client that believes nothing: of every room it checks that events come one after the other, and
//! that nothing comes after the room's last frame.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use futures_util::{SinkExt, StreamExt};
use protocol::{
    ErrorCode, RoomId, Seq,
    events::{Event, EventKind},
    frame::{
        Ack, ErrorFrame, Ok as Done, Ready, SUBPROTOCOL, ServerFrame, Subscribed, UnsubscribeReason,
    },
};
use serde_json::{Value, json};
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Message,
        client::IntoClientRequest,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

/// Longer than anything may take; reaching it is a failure.
const DEADLINE: Duration = Duration::from_secs(30);

/// One socket of a client.
pub(crate) struct Client {
    stream: WebSocketStream<TcpStream>,
    pub(crate) ready: Ready,
    /// What it knows of each room.
    pub(crate) logs: HashMap<RoomId, Log>,
    frames_sent: u64,
}

/// What a client knows of a room.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    pub(crate) events: Vec<Event>,
    /// The place of the latest event.
    pub(crate) last: Seq,
    /// The place of the event that came last; before `last` while what is known comes again, because
    /// this client asked for it.
    pub(crate) position: Seq,
    /// Whether its last frame has come.
    pub(crate) ended: Option<UnsubscribeReason>,
}

impl Client {
    /// Connects and waits for `ready`.
    pub(crate) async fn connect(address: SocketAddr, token: &str) -> Result<Self> {
        Self::greet(Self::open(address, token, None).await?).await
    }

    /// Connects with a small buffer, so that what it does not read soon waits at the server.
    pub(crate) async fn connect_narrow(address: SocketAddr, token: &str) -> Result<Self> {
        Self::greet(Self::open(address, token, Some(4_096)).await?).await
    }

    async fn open(
        address: SocketAddr,
        token: &str,
        buffer_bytes: Option<u32>,
    ) -> Result<WebSocketStream<TcpStream>> {
        let mut request = format!("ws://{address}/v1/socket").into_client_request()?;
        let headers = request.headers_mut();
        headers.insert("authorization", format!("Bearer {token}").parse()?);
        headers.insert("sec-websocket-protocol", SUBPROTOCOL.parse()?);
        let socket = TcpSocket::new_v4()?;
        if let Some(bytes) = buffer_bytes {
            socket.set_recv_buffer_size(bytes)?;
        }
        let stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        let (stream, response) = client_async(request, stream).await?;
        ensure!(
            response
                .headers()
                .get("sec-websocket-protocol")
                .is_some_and(|it| it == SUBPROTOCOL)
        );
        Ok(stream)
    }

    async fn greet(mut stream: WebSocketStream<TcpStream>) -> Result<Self> {
        let first = timeout(DEADLINE, stream.next())
            .await?
            .context("closed at once")??;
        let ServerFrame::Ready(ready) = serde_json::from_str(first.to_text()?)? else {
            bail!("the first frame is {first}");
        };
        Ok(Self {
            stream,
            ready,
            logs: HashMap::new(),
            frames_sent: 0,
        })
    }

    /// Says something, with a new id; answers the id.
    pub(crate) async fn say(&mut self, mut frame: Value) -> Result<String> {
        self.frames_sent += 1;
        let id = self.frames_sent.to_string();
        frame["id"] = json!(id);
        self.say_raw(&frame.to_string()).await?;
        Ok(id)
    }

    /// Says exactly this.
    pub(crate) async fn say_raw(&mut self, text: &str) -> Result<()> {
        self.say_message(Message::text(text)).await
    }

    pub(crate) async fn say_message(&mut self, message: Message) -> Result<()> {
        Ok(timeout(DEADLINE, self.stream.send(message)).await??)
    }

    /// The next frame.
    pub(crate) async fn next(&mut self) -> Result<ServerFrame> {
        match timeout(DEADLINE, self.step())
            .await
            .context("nothing came in time")??
        {
            Ok(frame) => Ok(frame),
            Err(close) => bail!("closed: {close:?}"),
        }
    }

    /// Lets events pass up to this place of a room, and looks at nothing but their number.
    pub(crate) async fn let_pass(&mut self, head: Seq, room: RoomId) -> Result<()> {
        let mut last = self.logs[&room].last;
        while last < head {
            let message = timeout(DEADLINE, self.stream.next()).await?;
            let message = message.context("closed")??;
            if message.to_text()?.starts_with(r#"{"type":"event""#) {
                last = last.next();
            }
        }
        Ok(())
    }

    /// Reads until the server closes; the code.
    pub(crate) async fn closed(&mut self) -> Result<u16> {
        loop {
            match timeout(DEADLINE, self.step())
                .await
                .context("not closed in time")??
            {
                Ok(_) => {}
                Err(Some(close)) => return Ok(close.code.into()),
                Err(None) => return Ok(CloseCode::Abnormal.into()),
            }
        }
    }

    async fn step(&mut self) -> Result<Result<ServerFrame, Option<CloseFrame>>> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => {
                    ensure!(
                        text.len() <= self.ready.limits.server_frame_max_bytes,
                        "a frame too large"
                    );
                    let frame: ServerFrame = serde_json::from_str(&text)
                        .with_context(|| format!("a frame that no client understands: {text}"))?;
                    self.note(&frame)?;
                    return Ok(Ok(frame));
                }
                Some(Ok(Message::Close(close))) => return Ok(Err(close)),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Ok(Err(None)),
            }
        }
    }

    /// Reads until a frame is the one that is waited for.
    pub(crate) async fn until<T>(
        &mut self,
        mut wanted: impl FnMut(ServerFrame) -> Option<T>,
    ) -> Result<T> {
        loop {
            if let Some(found) = wanted(self.next().await?) {
                return Ok(found);
            }
        }
    }

    /// Reads until the log of a room reaches `seq`.
    pub(crate) async fn reach(&mut self, room: RoomId, seq: Seq) -> Result<()> {
        while self.logs.get(&room).is_none_or(|log| log.last < seq) {
            self.next().await.with_context(|| {
                format!(
                    "waiting for {seq}, at {:?}",
                    self.logs.get(&room).map(|log| log.last)
                )
            })?;
        }
        Ok(())
    }

    /// Asks, and waits for the answer to it.
    pub(crate) async fn ask(&mut self, frame: Value) -> Result<ServerFrame> {
        let id = self.say(frame).await?;
        self.until(|frame| {
            let echoed = match &frame {
                ServerFrame::Subscribed(Subscribed { id, .. })
                | ServerFrame::Ack(Ack { id, .. })
                | ServerFrame::Ok(Done { id, .. })
                | ServerFrame::Error(ErrorFrame { id, .. }) => id.as_ref(),
                ServerFrame::Pong(pong) => pong.id.as_ref(),
                _ => None,
            };
            echoed
                .is_some_and(|echoed| echoed.as_str() == id)
                .then_some(frame)
        })
        .await
    }

    /// Asks, and expects to be refused.
    pub(crate) async fn refused(&mut self, frame: Value) -> Result<ErrorCode> {
        match self.ask(frame).await? {
            ServerFrame::Error(error) => Ok(error.code),
            other => bail!("not refused: {other:?}"),
        }
    }

    /// Asks, and expects the result.
    pub(crate) async fn result(&mut self, frame: Value) -> Result<Value> {
        match self.ask(frame).await? {
            ServerFrame::Ok(done) => Ok(done.result.unwrap_or_default()),
            other => bail!("not done: {other:?}"),
        }
    }

    /// Follows a room from its first event on, or from what this client has of it.
    pub(crate) async fn subscribe(&mut self, room: RoomId) -> Result<Subscribed> {
        let after = self.logs.get(&room).map_or(Seq::ZERO, |log| log.last);
        self.subscribe_with(json!({ "type": "subscribe", "room": room, "after": after }))
            .await
    }

    pub(crate) async fn subscribe_with(&mut self, frame: Value) -> Result<Subscribed> {
        match self.ask(frame).await? {
            ServerFrame::Subscribed(subscribed) => Ok(subscribed),
            other => bail!("not subscribed: {other:?}"),
        }
    }

    /// Sends a message and waits until it is stored.
    pub(crate) async fn send(&mut self, room: RoomId, text: &str) -> Result<Ack> {
        let client_id = format!("{}/{}", self.ready.connection, self.frames_sent);
        self.send_as(room, text, &client_id).await
    }

    pub(crate) async fn send_as(
        &mut self,
        room: RoomId,
        text: &str,
        client_id: &str,
    ) -> Result<Ack> {
        let frame = json!({ "type": "send", "room": room, "client_id": client_id, "body": text });
        match self.ask(frame).await? {
            ServerFrame::Ack(ack) => Ok(ack),
            other => bail!("not stored: {other:?}"),
        }
    }

    /// Ends without a word, as a process does that is killed.
    pub(crate) fn vanish(self) -> HashMap<RoomId, Log> {
        self.logs
    }

    fn note(&mut self, frame: &ServerFrame) -> Result<()> {
        match frame {
            ServerFrame::Subscribed(subscribed) => {
                let log = self.logs.entry(subscribed.room).or_default();
                log.ended = None;
                if subscribed.reset {
                    *log = Log::default();
                }
                log.position = match subscribed.events.first() {
                    Some(event) => event.seq.previous(),
                    None => subscribed.head,
                };
                if log.last == Seq::ZERO {
                    // The latest events only, as they were asked for.
                    log.last = log.position;
                }
                ensure!(log.position <= log.last, "{} is missing", log.last.next());
                for event in &subscribed.events {
                    log.push(event)?;
                }
            }
            ServerFrame::Event(event) => {
                let log = self
                    .logs
                    .get_mut(&event.room)
                    .context("an event of a room not followed")?;
                log.push(event)?;
            }
            ServerFrame::Unsubscribed(unsubscribed) => {
                let log = self
                    .logs
                    .get_mut(&unsubscribed.room)
                    .context("no such room")?;
                ensure!(log.ended.is_none(), "unsubscribed twice");
                log.ended = Some(unsubscribed.reason);
            }
            _ => {}
        }
        Ok(())
    }
}

impl Log {
    fn push(&mut self, event: &Event) -> Result<()> {
        ensure!(
            self.ended.is_none(),
            "{} comes after the last frame",
            event.seq
        );
        ensure!(
            event.seq == self.position.next(),
            "{} comes after {}",
            event.seq,
            self.position
        );
        self.position = event.seq;
        if event.seq > self.last {
            self.last = event.seq;
            self.events.push(event.clone());
        } else if let Some(known) = self.events.iter().find(|known| known.seq == event.seq) {
            ensure!(known == event, "{} was another event before", event.seq);
        }
        Ok(())
    }

    /// The texts of its messages.
    pub(crate) fn texts(&self) -> Vec<&str> {
        self.events
            .iter()
            .filter_map(|event| match &event.kind {
                EventKind::Message(content) => Some(content.body.as_str()),
                _ => None,
            })
            .collect()
    }
}
