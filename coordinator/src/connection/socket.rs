//! One WebSocket: what is read from it, and what waits to be written. It does not know what frames say.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io::{self, IoSlice},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use futures_util::future::BoxFuture;
use protocol::{Limits, frame::CloseReason};
use tokio::time::timeout;

use super::{
    reading::{Heard, Reader, with_scratch},
    subscriptions::FramesOut,
    wire::{Begun, Wire},
};
use crate::encoded::Encoded;

/// A server's end of a WebSocket.
pub(super) struct Socket {
    wire: Wire,
    reader: Reader,
    /// Whether something was read that nobody has heard yet.
    has_unheard: bool,
    /// Whether the peer has stopped speaking WebSocket.
    is_garbled: bool,
    /// Whole frames, which leave together.
    frames: VecDeque<Bytes>,
    queued_bytes: usize,
    written_bytes: u64,
    /// Wakes the owner when the kernel takes something again.
    writable: Option<BoxFuture<'static, io::Result<()>>>,
}

/// What happened on a socket.
#[derive(Debug)]
pub(super) enum Step {
    /// There is something to hear.
    Readable,
    /// Everything queued has left.
    Written,
    /// The connection is gone.
    Gone,
}

/// A ping without payload.
const PING: Bytes = Bytes::from_static(&[0x89, 0]);
const FINAL_CLOSE: u8 = 0x88;
const FINAL_PONG: u8 = 0x8a;
/// How long a closing socket may take to read what it was sent.
const GOODBYE: Duration = Duration::from_secs(3);
/// How long it may then take to close, too.
const LAST_WORD: Duration = Duration::from_secs(1);

impl Socket {
    pub(super) fn new(begun: Begun, limits: &Limits) -> Self {
        let Begun {
            wire,
            read,
            unwritten,
        } = begun;
        let mut socket = Self {
            wire,
            reader: Reader::new(limits.client_frame_max_bytes, &read),
            has_unheard: !read.is_empty(),
            is_garbled: false,
            frames: VecDeque::new(),
            queued_bytes: 0,
            written_bytes: 0,
            writable: None,
        };
        if !unwritten.is_empty() {
            socket.queue(unwritten);
        }
        socket
    }

    /// Queues a ping.
    pub(super) fn ping(&mut self) {
        self.queue(PING);
    }

    /// Queues the answer to a ping.
    pub(super) fn pong(&mut self, payload: &[u8]) {
        self.queue(control(FINAL_PONG, &[payload]));
    }

    /// Queues the answer to a close.
    pub(super) fn answer_close(&mut self, payload: &[u8]) {
        self.queue(control(FINAL_CLOSE, &[payload]));
    }

    /// How many bytes have been written.
    pub(super) const fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// Writes what is queued and waits for something to hear, whichever comes first; with `read` unset it only
    /// writes. Cancel-safe.
    pub(super) async fn step(&mut self, read: bool) -> Step {
        poll_fn(|cx| self.poll_step(cx, read)).await
    }

    fn poll_step(&mut self, cx: &mut Context<'_>, read: bool) -> Poll<Step> {
        let had_queued = self.queued_bytes > 0;
        let flushed = self.poll_flush(cx);
        if matches!(flushed, Poll::Ready(Err(_))) {
            return Poll::Ready(Step::Gone);
        }
        if read && (self.has_unheard || self.wire.poll_readable(cx).is_ready()) {
            return Poll::Ready(Step::Readable);
        }
        if had_queued && flushed.is_ready() {
            return Poll::Ready(Step::Written);
        }
        Poll::Pending
    }

    /// Reads what has come into `scratch`, unless some of what came before was not heard yet, and lends out
    /// the reader for it. Nothing when the connection is gone.
    pub(super) fn read(&mut self, scratch: &mut [u8]) -> Option<(Reader, usize)> {
        let read = match self.has_unheard {
            true => Ok(0),
            false => self.wire.try_read(scratch),
        };
        let is_blocked = |error: &io::Error| error.kind() == io::ErrorKind::WouldBlock;
        match read {
            Ok(0) if !self.has_unheard => None,
            Ok(read) => Some((self.reader.take(), read)),
            Err(error) if is_blocked(&error) => Some((self.reader.take(), 0)),
            Err(_) => None,
        }
    }

    /// Takes the reader back, with what was not heard.
    pub(super) fn put_back(&mut self, reader: Reader, has_unheard: bool) {
        self.reader = reader;
        self.has_unheard = has_unheard;
    }

    /// Notes that the peer has stopped speaking WebSocket.
    pub(super) const fn garbled(&mut self) {
        self.is_garbled = true;
    }

    /// Writes what is queued and a close frame, and waits a little for the peer's.
    pub(super) async fn close(mut self, reason: CloseReason) {
        let (code, words) = (reason.code().to_be_bytes(), reason.as_str().as_bytes());
        self.queue(control(FINAL_CLOSE, &[&code, words]));
        let goodbye = async {
            if self.flush().await.is_ok() {
                // A peer that does not take part in closing loses its socket all the same.
                drop(timeout(LAST_WORD, self.hear_out()).await);
            }
        };
        drop(timeout(GOODBYE, goodbye).await);
    }

    /// Lets the answer to the peer's close leave.
    pub(super) async fn finish(mut self) {
        drop(timeout(LAST_WORD, self.flush()).await);
    }

    /// Reads until the peer has closed; what it still says is not heard.
    async fn hear_out(&mut self) {
        while !self.is_garbled {
            match self.step(true).await {
                Step::Gone => return,
                Step::Written => {}
                Step::Readable => {
                    if with_scratch(|scratch| self.has_heard_the_last(scratch)) {
                        return;
                    }
                }
            }
        }
        self.pass_over().await;
    }

    /// Whether what has come is the end.
    fn has_heard_the_last(&mut self, scratch: &mut [u8]) -> bool {
        let Some((mut reader, read)) = self.read(scratch) else {
            return true;
        };
        self.has_unheard = false;
        let mut messages = reader.messages(&mut scratch[..read]);
        let is_last = loop {
            match messages.next() {
                Ok(Some(Heard::Close(_))) => break true,
                Ok(Some(_)) => {}
                Ok(None) => break false,
                Err(_) => {
                    self.is_garbled = true;
                    break false;
                }
            }
        };
        drop(messages);
        self.reader = reader;
        is_last
    }

    /// Reads to the end what cannot be understood: a socket that is closed with bytes unread resets the
    /// connection, and the peer would never see the close frame.
    async fn pass_over(&mut self) {
        self.wire.say_no_more();
        loop {
            if poll_fn(|cx| self.wire.poll_readable(cx)).await.is_err() {
                return;
            }
            match with_scratch(|scratch| self.wire.try_read(scratch)) {
                Ok(0) => return,
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return,
                _ => {}
            }
        }
    }

    fn queue(&mut self, frame: Bytes) {
        self.queued_bytes += frame.len();
        self.frames.push_back(frame);
    }

    async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.frames.is_empty() {
            if let Some(writable) = &mut self.writable {
                ready!(writable.as_mut().poll(cx))?;
                self.writable = None;
            }
            let mut slices = [IoSlice::new(&[]); FRAMES_PER_WRITE];
            let mut count = 0;
            for (slice, frame) in slices.iter_mut().zip(&self.frames) {
                *slice = IoSlice::new(frame);
                count += 1;
            }
            match self.wire.try_write(&slices[..count]) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(written) => self.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let wire = self.wire.clone();
                    self.writable = Some(Box::pin(async move { wire.writable().await }));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
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

/// [`Socket::step`] writes what is queued.
impl FramesOut for Socket {
    fn push(&mut self, frame: Encoded) {
        self.queue(frame.into_bytes());
    }

    fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }
}

/// How many frames one write carries at most.
const FRAMES_PER_WRITE: usize = 64;

/// A control frame, whose payload is short.
fn control(kind: u8, payload: &[&[u8]]) -> Bytes {
    let length = payload.iter().map(|part| part.len()).sum::<usize>();
    let length = u8::try_from(length).expect("control frames are short");
    let head: &[u8] = &[kind, length];
    let parts: Vec<_> = [head].into_iter().chain(payload.iter().copied()).collect();
    parts.concat().into()
}
