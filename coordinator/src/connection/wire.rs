//! The bytes of one socket: what is read passes through, what is written waits in a queue of whole
//! frames that leave together in as few writes as the kernel takes.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream whose writes are queued until they are flushed.
pub(super) struct Wire<S> {
    stream: S,
    queue: VecDeque<Bytes>,
    queued_bytes: usize,
    written_bytes: u64,
}

/// How many frames one write carries at most.
const FRAMES_PER_WRITE: usize = 64;

impl<S> Wire<S> {
    pub(super) const fn new(stream: S) -> Self {
        Self {
            stream,
            queue: VecDeque::new(),
            queued_bytes: 0,
            written_bytes: 0,
        }
    }

    /// Queues one whole frame.
    pub(super) fn push(&mut self, frame: Bytes) {
        self.queued_bytes += frame.len();
        self.queue.push_back(frame);
    }

    /// How many bytes wait.
    pub(super) const fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    /// How many bytes the kernel has taken so far.
    pub(super) const fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    fn advance(&mut self, mut written: usize) {
        self.queued_bytes -= written;
        self.written_bytes += written as u64;
        while written > 0 {
            let front = self.queue.front_mut().expect("what was written was queued");
            let part = written.min(front.len());
            front.advance(part);
            written -= part;
            if front.is_empty() {
                self.queue.pop_front();
            }
        }
        if self.queue.is_empty() && self.queue.capacity() > FRAMES_PER_WRITE {
            // An idle socket keeps no memory for its last burst.
            self.queue = VecDeque::new();
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    /// Takes everything: only the WebSocket library writes this way, and only the frames with which
    /// it answers a ping or a close, each at once.
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
        while !this.queue.is_empty() {
            let mut slices = [IoSlice::new(&[]); FRAMES_PER_WRITE];
            let mut count = 0;
            for (slice, frame) in slices.iter_mut().zip(&this.queue) {
                *slice = IoSlice::new(frame);
                count += 1;
            }
            let stream = Pin::new(&mut this.stream);
            let written = ready!(stream.poll_write_vectored(cx, &slices[..count]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            this.advance(written);
        }
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
