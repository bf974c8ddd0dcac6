//! The TCP connection below one socket: the task that owns the socket reads from it, and whoever has
//! something for the socket writes to it. It knows nothing of frames.

use std::{
    io::{self, IoSlice},
    net::{self, Shutdown},
    os::fd::AsFd as _,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::{rt::TokioIo, server::conn::auto::upgrade};
use shared::internal_tls::Stream;
use tokio::{io::Interest, net::TcpStream};

use crate::outbox::TryWrite;

/// A connection. Cloning gives the same one; it is closed when the last is dropped.
#[derive(Clone)]
pub(crate) struct Wire(Arc<TcpStream>);

/// A connection that is a WebSocket from here on.
pub(crate) struct Begun {
    /// The connection.
    pub(super) wire: Wire,
    /// What was read from it already.
    pub(super) read: Bytes,
    /// What is written to it first.
    pub(super) unwritten: Bytes,
}

impl Begun {
    /// What is below an upgraded connection; `None` if that is no TCP of this process, because a listener
    /// encrypts what clients say.
    pub(crate) fn below(upgraded: Upgraded) -> Option<Self> {
        let (stream, read) = match upgrade::downcast::<TokioIo<Stream>>(upgraded) {
            Ok(parts) => match parts.io.into_inner() {
                Stream::Plain(stream) => (stream, parts.read_buf),
                Stream::Tls(_) => return None,
            },
            // A listener that leads nowhere else takes TCP as it is.
            Err(upgraded) => {
                let parts = upgrade::downcast::<TokioIo<TcpStream>>(upgraded).ok()?;
                (parts.io.into_inner(), parts.read_buf)
            }
        };
        Some(Self {
            wire: Wire::new(stream),
            read,
            unwritten: Bytes::new(),
        })
    }

    /// A connection that still waits for this answer.
    pub(crate) fn answering(stream: TcpStream, answer: Bytes) -> Self {
        Self {
            wire: Wire::new(stream),
            read: Bytes::new(),
            unwritten: answer,
        }
    }
}

impl Wire {
    /// Of a connection.
    pub(crate) fn new(stream: TcpStream) -> Self {
        // What is written is whole: waiting for more would only make it late. A connection that refuses
        // is gone already, which the first look at it tells.
        drop(stream.set_nodelay(true));
        Self(Arc::new(stream))
    }

    /// Whether the kernel may take something again. Only one task may ask.
    pub(crate) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        // A connection that is lost takes everything; the next write tells.
        self.0.poll_write_ready(cx).map(drop)
    }

    /// Ends what this side says; it may hear on.
    pub(super) fn say_no_more(&self) {
        // A connection that refuses has ended on both sides.
        let same = self
            .0
            .as_fd()
            .try_clone_to_owned()
            .map(net::TcpStream::from);
        drop(same.and_then(|stream| stream.shutdown(Shutdown::Write)));
    }

    /// Waits until something has come, or the end. Only one task may.
    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_read_ready(cx)
    }

    /// Reads what has come, at once; nothing at the end.
    ///
    /// # Errors
    /// `WouldBlock` if nothing has come; any other when the connection is gone.
    pub(super) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut part = None;
        let read = self.0.try_io(Interest::READABLE, || {
            let read = self.0.try_read(buffer)?;
            if read == 0 || read == buffer.len() {
                return Ok(read);
            }
            // There was no more: said this way, nobody has to ask the kernel once more to know it.
            part = Some(read);
            Err(io::ErrorKind::WouldBlock.into())
        });
        part.map_or(read, Ok)
    }
}

impl TryWrite for Wire {
    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match slices {
            // The kernel has a shorter way for this.
            [slice] => self.0.try_write(slice),
            slices => self.0.try_write_vectored(slices),
        }
    }
}
