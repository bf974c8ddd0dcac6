//! One socket of `chatx.v1`, frame by frame.

use std::collections::VecDeque;

use anyhow::{Context as _, Result, anyhow, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::{Request, header};
use protocol::{
    ErrorCode, RoomId,
    events::Event,
    frame::{Ack, ErrorFrame, Ready, SUBPROTOCOL, ServerFrame, Subscribed},
};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{self, Message, client::IntoClientRequest as _, handshake::client},
};

use crate::PATIENCE;

/// Frames that may wait here while an answer is awaited; nothing in these tests comes near.
const MOST_KEPT: usize = 1_000_000;

/// An open socket.
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// What came while an answer was awaited.
    kept: VecDeque<ServerFrame>,
    asked: u64,
    pub ready: Ready,
}

/// How a socket ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With this close code.
    Closed(u16),
    /// Without a word.
    Broken,
}

impl Socket {
    /// Connects with a bearer token.
    ///
    /// # Errors
    /// When the upgrade is refused or the first frame is not `ready`.
    pub async fn connect(address: &str, token: &str) -> Result<Self> {
        let mut request = request(&format!("ws://{address}/v1/socket"))?;
        request
            .headers_mut()
            .insert(header::AUTHORIZATION, format!("Bearer {token}").parse()?);
        Self::open(request).await
    }

    /// Connects by a request of the caller's own making.
    ///
    /// # Errors
    /// When the upgrade is refused or the first frame is not `ready`.
    pub async fn open(request: client::Request) -> Result<Self> {
        let connected = timeout(PATIENCE, connect_async(request))
            .await
            .context("the upgrade is not answered")?;
        let (mut stream, _) = connected?;
        match next(&mut stream).await? {
            Ok(ServerFrame::Ready(ready)) => Ok(Self {
                stream,
                kept: VecDeque::new(),
                asked: 0,
                ready,
            }),
            other => bail!("{other:?} instead of ready"),
        }
    }

    /// The HTTP status with which an upgrade is refused; 101 if it is not.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn status(request: client::Request) -> Result<u16> {
        match timeout(PATIENCE, connect_async(request)).await? {
            Ok((_, response)) => Ok(response.status().as_u16()),
            Err(tungstenite::Error::Http(response)) => Ok(response.status().as_u16()),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends one frame and awaits nothing.
    ///
    /// # Errors
    /// When the socket is gone.
    pub async fn say(&mut self, frame: &Value) -> Result<()> {
        self.say_raw(Message::text(frame.to_string())).await
    }

    /// Sends anything.
    ///
    /// # Errors
    /// When the socket is gone.
    pub async fn say_raw(&mut self, message: Message) -> Result<()> {
        timeout(PATIENCE, self.stream.send(message))
            .await
            .context("the socket takes nothing")??;
        Ok(())
    }

    /// The next frame, or how the socket ended.
    ///
    /// # Errors
    /// When neither comes, or a frame is none of the contract's.
    pub async fn next(&mut self) -> Result<Result<ServerFrame, Ended>> {
        match self.kept.pop_front() {
            Some(frame) => Ok(Ok(frame)),
            None => next(&mut self.stream).await,
        }
    }

    /// The next frame of a socket that is to stay.
    ///
    /// # Errors
    /// When it ends, or none comes.
    pub async fn frame(&mut self) -> Result<ServerFrame> {
        self.next()
            .await?
            .map_err(|ended| anyhow!("the socket ended: {ended:?}"))
    }

    /// The next frame that `wanted` makes something of; the ones before it are dropped.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn until<T>(
        &mut self,
        mut wanted: impl FnMut(ServerFrame) -> Option<T>,
    ) -> Result<T> {
        let found = async {
            loop {
                if let Some(found) = wanted(self.frame().await?) {
                    return anyhow::Ok(found);
                }
            }
        };
        timeout(PATIENCE, found)
            .await
            .context("other frames came, but not that one")?
    }

    /// The next event; presence, typing and the like are passed over.
    ///
    /// # Errors
    /// When none comes.
    pub async fn event(&mut self) -> Result<Event> {
        self.until(|frame| {
            if let ServerFrame::Event(event) = frame {
                Some(event)
            } else {
                None
            }
        })
        .await
    }

    /// Sends a frame and awaits its answer; what comes before is kept for later.
    ///
    /// # Errors
    /// When the socket ends or no answer comes.
    pub async fn ask(&mut self, frame: &Value) -> Result<ServerFrame> {
        self.asked += 1;
        let id = format!("e2e-{}", self.asked);
        let mut frame = frame.clone();
        frame["id"] = id.clone().into();
        self.say(&frame).await?;
        let answered = async {
            loop {
                let frame = next(&mut self.stream)
                    .await?
                    .map_err(|ended| anyhow!("the socket ended: {ended:?}"))?;
                if answers(&frame) == Some(id.as_str()) {
                    return Ok(frame);
                }
                anyhow::ensure!(self.kept.len() < MOST_KEPT, "too many frames wait");
                self.kept.push_back(frame);
            }
        };
        timeout(PATIENCE, answered)
            .await
            .with_context(|| format!("no answer to {frame}"))?
    }

    /// Follows a room.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn subscribe(&mut self, room: RoomId, after: Option<u64>) -> Result<Subscribed> {
        match self
            .ask(&json!({"type": "subscribe", "room": room, "after": after}))
            .await?
        {
            ServerFrame::Subscribed(subscribed) => Ok(subscribed),
            other => bail!("{other:?} instead of subscribed"),
        }
    }

    /// Sends a message and awaits its ack, or its refusal.
    ///
    /// # Errors
    /// When the socket ends or neither comes.
    pub async fn send(
        &mut self,
        room: RoomId,
        client_id: &str,
        body: &str,
    ) -> Result<Result<Ack, ErrorFrame>> {
        let frame = json!({"type": "send", "room": room, "client_id": client_id, "body": body});
        match self.ask(&frame).await? {
            ServerFrame::Ack(ack) => Ok(Ok(ack)),
            ServerFrame::Error(error) => Ok(Err(error)),
            other => bail!("{other:?} instead of ack"),
        }
    }

    /// The code with which a frame is refused; nothing if it is not.
    ///
    /// # Errors
    /// When the socket ends or no answer comes.
    pub async fn refusal(&mut self, frame: &Value) -> Result<Option<ErrorCode>> {
        Ok(match self.ask(frame).await? {
            ServerFrame::Error(error) => Some(error.code),
            _ => None,
        })
    }

    /// Waits for the end of the socket.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn until_ended(&mut self) -> Result<Ended> {
        let ended = async {
            loop {
                if let Err(ended) = self.next().await? {
                    return anyhow::Ok(ended);
                }
            }
        };
        timeout(PATIENCE, ended)
            .await
            .context("the socket does not end")?
    }

    /// Says goodbye properly.
    ///
    /// # Errors
    /// When the socket is gone already.
    pub async fn close(mut self) -> Result<()> {
        Ok(self.stream.close(None).await?)
    }
}

/// An upgrade to the subprotocol, for the caller to add to.
///
/// # Errors
/// When the url is none.
pub fn request(url: &str) -> Result<client::Request> {
    let mut request: Request<()> = url.into_client_request()?;
    request
        .headers_mut()
        .insert(header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL.parse()?);
    Ok(request)
}

async fn next(
    stream: &mut WebSocketStream<MaybeTlsStream<TcpStream>>,
) -> Result<Result<ServerFrame, Ended>> {
    loop {
        let message = timeout(PATIENCE, stream.next())
            .await
            .context("nothing comes")?;
        return Ok(match message {
            Some(Ok(Message::Text(text))) => Ok(serde_json::from_str(&text)
                .with_context(|| format!("no frame of the contract: {text}"))?),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Close(frame))) => {
                Err(frame.map_or(Ended::Broken, |frame| Ended::Closed(frame.code.into())))
            }
            Some(Ok(other)) => bail!("{other:?} is no text"),
            Some(Err(_)) | None => Err(Ended::Broken),
        });
    }
}

/// The id that a frame echoes.
fn answers(frame: &ServerFrame) -> Option<&str> {
    let id = match frame {
        ServerFrame::Subscribed(subscribed) => &subscribed.id,
        ServerFrame::Ack(ack) => &ack.id,
        ServerFrame::Ok(ok) => &ok.id,
        ServerFrame::Error(error) => &error.id,
        ServerFrame::Pong(pong) => &pong.id,
        _ => return None,
    };
    id.as_ref().map(protocol::frame::FrameId::as_str)
}
