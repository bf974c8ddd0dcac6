//! One WebSocket: what is read from it, and how it closes. It does not know what frames say, and what is
//! written is the outbox's.

use std::{
    future::poll_fn,
    io,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use protocol::{Limits, frame::CloseReason};
use tokio::time::timeout;

use super::{
    reading::{Heard, Reader, with_scratch},
    wire::Wire,
};
use crate::{encoded::Encoded, outbox::Outbox};

/// A server's end of a WebSocket.
pub(super) struct Socket {
    wire: Wire,
    outbox: Outbox,
    reader: Reader,
    /// Whether something was read that nobody has heard yet.
    has_unheard: bool,
    /// Whether the peer has stopped speaking WebSocket.
    is_garbled: bool,
}

const FINAL_CLOSE: u8 = 0x88;
const FINAL_PONG: u8 = 0x8a;
/// How long a closing socket may take to read what it was sent.
const GOODBYE: Duration = Duration::from_secs(3);
/// How long it may then take to close, too.
const LAST_WORD: Duration = Duration::from_secs(1);

impl Socket {
    /// On a connection of which `early` was read already, and to which `outbox` writes.
    pub(super) fn new(wire: Wire, outbox: Outbox, early: &[u8], limits: &Limits) -> Self {
        Self {
            wire,
            outbox,
            reader: Reader::new(limits.client_frame_max_bytes, early),
            has_unheard: !early.is_empty(),
            is_garbled: false,
        }
    }

    /// Answers a ping.
    pub(super) fn pong(&self, payload: &[u8]) {
        self.outbox
            .hold(Encoded::whole(control(FINAL_PONG, &[payload])));
    }

    /// Answers a close.
    pub(super) fn answer_close(&self, payload: &[u8]) {
        self.outbox.hold_last(control(FINAL_CLOSE, &[payload]));
    }

    /// Waits until there is something to hear, be it the end. Cancel-safe.
    pub(super) fn readable(&self) -> impl Future<Output = ()> {
        poll_fn(|cx| self.poll_readable(cx))
    }

    /// Whether there is something to hear, be it the end.
    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_unheard {
            return Poll::Ready(());
        }
        // A connection that is lost can be read: that is how it is known.
        self.wire.poll_readable(cx).map(drop)
    }

    /// Waits until the kernel may take something again. Cancel-safe.
    pub(super) fn writable(&self) -> impl Future<Output = ()> {
        poll_fn(|cx| self.poll_writable(cx))
    }

    /// Whether the kernel may take something again.
    pub(super) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.wire.poll_writable(cx)
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

    /// Sends what waits and a close frame, and waits a little for the peer's.
    pub(super) async fn close(mut self, reason: CloseReason) {
        let (code, words) = (reason.code().to_be_bytes(), reason.as_str().as_bytes());
        self.outbox.hold_last(control(FINAL_CLOSE, &[&code, words]));
        let goodbye = async {
            if self.say_all().await {
                // A peer that does not take part in closing loses its socket all the same.
                drop(timeout(LAST_WORD, self.hear_out()).await);
            }
        };
        drop(timeout(GOODBYE, goodbye).await);
    }

    /// Lets the answer to the peer's close leave.
    pub(super) async fn finish(self) {
        drop(timeout(LAST_WORD, self.say_all()).await);
    }

    /// Waits until everything that waits has left; whether it has.
    async fn say_all(&self) -> bool {
        loop {
            self.outbox.flush();
            let backlog = self.outbox.backlog();
            if backlog.bytes == 0 {
                return !backlog.is_over;
            }
            self.writable().await;
        }
    }

    /// Reads until the peer has closed; what it still says is not heard.
    async fn hear_out(&mut self) {
        while !self.is_garbled {
            self.readable().await;
            if with_scratch(|scratch| self.has_heard_the_last(scratch)) {
                return;
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
}

/// Rooms may hold the outbox for a while yet, and the connection should not live for them.
impl Drop for Socket {
    fn drop(&mut self) {
        self.outbox.end();
    }
}

/// A control frame, whose payload is short.
fn control(kind: u8, payload: &[&[u8]]) -> Bytes {
    let length = payload.iter().map(|part| part.len()).sum::<usize>();
    let length = u8::try_from(length).expect("control frames are short");
    let head: &[u8] = &[kind, length];
    let parts: Vec<_> = [head].into_iter().chain(payload.iter().copied()).collect();
    parts.concat().into()
}
