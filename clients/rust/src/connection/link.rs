//! One open socket and the task that owns it: frames in, frames out, and how it ended. What frames
//! mean is its owner's business.

use std::{
    pin::{Pin, pin},
    time::Duration,
};

use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use protocol::frame::{CloseReason, ServerFrame};
use tokio::{sync::mpsc, time::timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};
use tracing::warn;

use super::frames::Say;
use crate::network::Stream;

pub(super) type Socket = WebSocketStream<Stream>;

/// An open socket. Dropping it says goodbye to the server without waiting for it.
#[derive(Debug)]
pub(super) struct Link {
    outgoing: mpsc::Sender<String>,
    incoming: mpsc::Receiver<Heard>,
}

/// What a socket has to say.
#[derive(Debug)]
pub(super) enum Heard {
    /// A frame.
    Frame(Box<ServerFrame>),
    /// A frame that this client cannot read, as one of a later version of the server.
    Unknown,
    /// Nothing more.
    Ended(Close),
}

/// How a socket ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Close {
    /// Without a word.
    Lost,
    /// With a code and words.
    Said(u16, String),
}

/// Frames that may wait to be written. A server that lets so many wait is not there any more, and
/// the next one is answered by the end of the socket.
const OUTGOING: usize = 4_096;
/// Frames that may wait to be read. When so many do, the socket is not read, and the server holds
/// its frames back.
const INCOMING: usize = 256;
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

impl Link {
    pub(super) fn new(socket: Socket) -> Self {
        let (outgoing, to_write) = mpsc::channel(OUTGOING);
        let (heard, incoming) = mpsc::channel(INCOMING);
        tokio::spawn(run(socket, to_write, heard));
        Self { outgoing, incoming }
    }

    /// Sends a frame. False when so many wait already that the server cannot be there any more; that
    /// the socket ended is told by [`Link::next`].
    #[must_use]
    pub(super) fn say(&self, frame: &Say<'_>) -> bool {
        self.say_text(frame.encode())
    }

    /// The same with a frame's text.
    #[must_use]
    pub(super) fn say_text(&self, text: String) -> bool {
        !matches!(
            self.outgoing.try_send(text),
            Err(mpsc::error::TrySendError::Full(_))
        )
    }

    /// What comes next; the end again and again at the end. Cancel-safe.
    pub(super) async fn next(&mut self) -> Heard {
        self.incoming
            .recv()
            .await
            .unwrap_or(Heard::Ended(Close::Lost))
    }
}

/// Serves a socket until the server ends it, or its owner drops the link.
async fn run(socket: Socket, to_write: mpsc::Receiver<String>, heard: mpsc::Sender<Heard>) {
    let (sink, mut stream) = socket.split();
    let mut writing = pin!(write(sink, to_write));
    let close = tokio::select! {
        // A reading that ends because nobody listens is no end of the socket.
        biased;
        () = heard.closed() => return leave(writing, stream).await,
        close = read(&mut stream, &heard) => close,
        () = &mut writing => {
            // What cannot be written to may still have said why.
            timeout(GOODBYE, read(&mut stream, &heard)).await.unwrap_or(Close::Lost)
        }
    };
    drop(heard.send(Heard::Ended(close)).await);
}

/// Says what is still to be said, and waits for the server's goodbye.
async fn leave(writing: Pin<&mut impl Future<Output = ()>>, mut stream: SplitStream<Socket>) {
    let said = async {
        writing.await;
        while let Some(Ok(_)) = stream.next().await {}
    };
    drop(timeout(GOODBYE, said).await);
}

/// Reads until the socket ends, or nobody listens.
async fn read(stream: &mut SplitStream<Socket>, heard: &mpsc::Sender<Heard>) -> Close {
    while let Some(Ok(message)) = stream.next().await {
        let said = match message {
            Message::Text(text) => match serde_json::from_str(&text) {
                Ok(frame) => Heard::Frame(Box::new(frame)),
                Err(error) => {
                    warn!(%error, "a frame that cannot be read is passed over");
                    Heard::Unknown
                }
            },
            Message::Close(Some(frame)) => {
                return Close::Said(frame.code.into(), frame.reason.to_string());
            }
            Message::Close(None) => return Close::Lost,
            Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_) => {
                continue;
            }
        };
        if heard.send(said).await.is_err() {
            return Close::Lost;
        }
    }
    Close::Lost
}

/// Writes what is said, as much at once as waits, and a goodbye when there is no more.
async fn write(mut sink: SplitSink<Socket, Message>, mut to_write: mpsc::Receiver<String>) {
    while let Some(text) = to_write.recv().await {
        let mut next = Some(text);
        while let Some(text) = next {
            if sink.feed(Message::text(text)).await.is_err() {
                return;
            }
            next = to_write.try_recv().ok();
        }
        if sink.flush().await.is_err() {
            return;
        }
    }
    let reason = CloseReason::Normal.as_str().into();
    let close = Message::Close(Some(CloseFrame {
        code: CloseCode::Normal,
        reason,
    }));
    drop(sink.send(close).await);
}
