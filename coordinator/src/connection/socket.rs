//! One WebSocket: frames in, frames out. The only place that knows the WebSocket library; it does
//! not know what frames say.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::Stream;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use protocol::{Limits, frame::CloseReason};
use tokio::{
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message, Utf8Bytes,
        error::{CapacityError, ProtocolError},
        protocol::{Role, WebSocketConfig},
    },
};

use super::{subscriptions::FramesOut, wire::Wire};
use crate::encoded::Encoded;

/// A server's end of a WebSocket.
pub(super) struct Socket {
    stream: WebSocketStream<Wire<TokioIo<Upgraded>>>,
}

/// What happened on a socket.
#[derive(Debug)]
pub(super) enum Step {
    /// The peer sent a text frame.
    Text(Utf8Bytes),
    /// The peer showed that it lives.
    Heard,
    /// Everything queued has left.
    Written,
    /// The peer closed, in order or not.
    Gone,
    /// The peer broke the protocol.
    Broken(CloseReason),
}

/// A ping without payload.
const PING: Bytes = Bytes::from_static(&[0x89, 0]);
const FINAL_CLOSE: u8 = 0x88;
/// How long a closing socket may take to read what it was sent.
const GOODBYE: Duration = Duration::from_secs(3);
/// How long it may then take to close, too.
const LAST_WORD: Duration = Duration::from_secs(1);
/// Idle sockets are many, and the library fills its whole buffer with zeros before every read.
const READ_BUFFER_BYTES: usize = 4_096;

impl Socket {
    pub(super) async fn new(upgraded: Upgraded, limits: &Limits) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(limits.client_frame_max_bytes))
            .max_frame_size(Some(limits.client_frame_max_bytes));
        let wire = Wire::new(TokioIo::new(upgraded));
        Self {
            stream: WebSocketStream::from_raw_socket(wire, Role::Server, Some(config)).await,
        }
    }

    /// Queues a ping.
    pub(super) fn ping(&mut self) {
        self.stream.get_mut().push(PING);
    }

    /// How many bytes have been written.
    pub(super) fn written_bytes(&self) -> u64 {
        self.stream.get_ref().written_bytes()
    }

    /// Writes what is queued and reads the next frame, whichever comes first; with `read` unset it
    /// only writes. Cancel-safe.
    pub(super) async fn step(&mut self, read: bool) -> Step {
        poll_fn(|cx| self.poll_step(cx, read)).await
    }

    fn poll_step(&mut self, cx: &mut Context<'_>, read: bool) -> Poll<Step> {
        // Reading comes first because the library may queue an answer to a ping or a close.
        let had_queued = self.queued_bytes() > 0;
        let message = if read {
            Pin::new(&mut self.stream).poll_next(cx)
        } else {
            Poll::Pending
        };
        let flushed = Pin::new(self.stream.get_mut()).poll_flush(cx);
        match (message, flushed) {
            (Poll::Ready(Some(Ok(message))), _) => Poll::Ready(Step::from(message)),
            (Poll::Ready(Some(Err(error))), _) => Poll::Ready(Step::from(error)),
            (Poll::Ready(None), _) | (_, Poll::Ready(Err(_))) => Poll::Ready(Step::Gone),
            (Poll::Pending, Poll::Ready(Ok(()))) if had_queued => Poll::Ready(Step::Written),
            (Poll::Pending, _) => Poll::Pending,
        }
    }

    /// Writes what is queued and a close frame, and waits a little for the peer's.
    pub(super) async fn close(mut self, reason: CloseReason) {
        let code = reason.code().to_be_bytes();
        let words = reason.as_str().as_bytes();
        let length = u8::try_from(code.len() + words.len()).expect("reasons are short");
        let mut frame = vec![FINAL_CLOSE, length];
        frame.extend_from_slice(&code);
        frame.extend_from_slice(words);
        self.stream.get_mut().push(frame.into());
        let goodbye = async {
            while self.queued_bytes() > 0 {
                if matches!(self.step(false).await, Step::Gone) {
                    return;
                }
            }
            // A peer that does not take part in closing loses its socket all the same.
            drop(timeout(LAST_WORD, self.hear_out()).await);
        };
        drop(timeout(GOODBYE, goodbye).await);
    }

    /// Lets the library finish its answer to the peer's close.
    pub(super) async fn finish(mut self) {
        drop(timeout(LAST_WORD, self.hear_out()).await);
    }

    /// Reads until the peer has closed; what it still says is not heard.
    async fn hear_out(&mut self) {
        loop {
            match self.step(true).await {
                Step::Gone => return,
                Step::Text(_) | Step::Heard | Step::Written => {}
                Step::Broken(_) => return self.pass_over().await,
            }
        }
    }

    /// Writes what is queued and reads to the end what cannot be understood: a socket that is closed
    /// with bytes unread resets the connection, and the peer would never see the close frame.
    async fn pass_over(&mut self) {
        let wire = self.stream.get_mut();
        if wire.shutdown().await.is_ok() {
            let mut buffer = vec![0; READ_BUFFER_BYTES];
            while !matches!(wire.read(&mut buffer).await, Ok(0) | Err(_)) {}
        }
    }
}

/// [`Socket::step`] writes what is queued.
impl FramesOut for Socket {
    fn push(&mut self, frame: Encoded) {
        self.stream.get_mut().push(frame.into_bytes());
    }

    fn queued_bytes(&self) -> usize {
        self.stream.get_ref().queued_bytes()
    }
}

impl From<Message> for Step {
    fn from(message: Message) -> Self {
        match message {
            Message::Text(text) => Self::Text(text),
            Message::Ping(_) | Message::Pong(_) => Self::Heard,
            Message::Binary(_) | Message::Frame(_) => Self::Broken(CloseReason::Malformed),
            Message::Close(_) => Self::Gone,
        }
    }
}

impl From<Error> for Step {
    fn from(error: Error) -> Self {
        match error {
            Error::Capacity(CapacityError::MessageTooLong { .. }) => {
                Self::Broken(CloseReason::FrameTooLarge)
            }
            Error::Utf8(_) => Self::Broken(CloseReason::Malformed),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::Gone,
            Error::Protocol(error) => {
                tracing::debug!(%error, "a peer does not speak WebSocket");
                Self::Broken(CloseReason::Malformed)
            }
            _ => Self::Gone,
        }
    }
}
