//! One WebSocket: frames in, frames out. The only place that knows the WebSocket library; it does
//! not know what frames say.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use futures_util::{Stream, future::BoxFuture};
use protocol::{Limits, frame::CloseReason};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
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
    stream: WebSocketStream<Queued>,
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
    pub(super) async fn new(wire: Wire, early: Bytes, limits: &Limits) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(limits.client_frame_max_bytes))
            .max_frame_size(Some(limits.client_frame_max_bytes));
        let queued = Queued::new(wire, early);
        Self {
            stream: WebSocketStream::from_raw_socket(queued, Role::Server, Some(config)).await,
        }
    }

    /// Queues a ping.
    pub(super) fn ping(&mut self) {
        self.stream.get_mut().push(PING);
    }

    /// How many bytes have been written.
    pub(super) fn written_bytes(&self) -> u64 {
        self.stream.get_ref().written_bytes
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
        let queued = self.stream.get_mut();
        if poll_fn(|cx| Pin::new(&mut *queued).poll_flush(cx))
            .await
            .is_ok()
        {
            queued.wire.say_no_more();
            let mut buffer = vec![0; READ_BUFFER_BYTES];
            while !matches!(queued.read(&mut buffer).await, Ok(0) | Err(_)) {}
        }
    }
}

/// [`Socket::step`] writes what is queued.
impl FramesOut for Socket {
    fn push(&mut self, frame: Encoded) {
        self.stream.get_mut().push(frame.into_bytes());
    }

    fn queued_bytes(&self) -> usize {
        self.stream.get_ref().queued_bytes
    }
}

/// The connection as the library sees it: what is written waits as whole frames, which leave together.
struct Queued {
    wire: Wire,
    /// What was read before the library was there.
    early: Bytes,
    frames: VecDeque<Bytes>,
    queued_bytes: usize,
    written_bytes: u64,
    /// Wakes the owner when the kernel takes something again.
    writable: Option<BoxFuture<'static, io::Result<()>>>,
}

/// How many frames one write carries at most.
const FRAMES_PER_WRITE: usize = 64;

impl Queued {
    fn new(wire: Wire, early: Bytes) -> Self {
        Self {
            wire,
            early,
            frames: VecDeque::new(),
            queued_bytes: 0,
            written_bytes: 0,
            writable: None,
        }
    }

    fn push(&mut self, frame: Bytes) {
        self.queued_bytes += frame.len();
        self.frames.push_back(frame);
    }

    fn advance(&mut self, mut written: usize) {
        self.queued_bytes -= written;
        self.written_bytes += written as u64;
        while written > 0 {
            let front = self
                .frames
                .front_mut()
                .expect("what was written was queued");
            let part = written.min(front.len());
            front.advance(part);
            written -= part;
            if front.is_empty() {
                self.frames.pop_front();
            }
        }
        if self.frames.is_empty() && self.frames.capacity() > FRAMES_PER_WRITE {
            // An idle socket keeps no memory for its last burst.
            self.frames = VecDeque::new();
        }
    }
}

impl AsyncRead for Queued {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.early.is_empty() {
            let part = self.early.len().min(buffer.remaining());
            buffer.put_slice(&self.early.split_to(part));
            return Poll::Ready(Ok(()));
        }
        let read = ready!(self.wire.poll_read(cx, buffer.initialize_unfilled()))?;
        buffer.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Queued {
    /// Takes everything: only the library writes this way, and only the frames with which it answers a
    /// ping or a close, each at once.
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        frame: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.push(Bytes::copy_from_slice(frame));
        Poll::Ready(Ok(frame.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while !this.frames.is_empty() {
            if let Some(writable) = &mut this.writable {
                ready!(writable.as_mut().poll(cx))?;
                this.writable = None;
            }
            let mut slices = [IoSlice::new(&[]); FRAMES_PER_WRITE];
            let mut count = 0;
            for (slice, frame) in slices.iter_mut().zip(&this.frames) {
                *slice = IoSlice::new(frame);
                count += 1;
            }
            match this.wire.try_write(&slices[..count]) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(written) => this.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let wire = this.wire.clone();
                    this.writable = Some(Box::pin(async move { wire.writable().await }));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
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
