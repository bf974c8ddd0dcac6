//! Many sockets in one thread, as light as a client can be: bytes are read into one buffer and counted, so that what is
//! measured is the server.

use std::{
    io::{ErrorKind, Read, Write},
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use mio::{Events, Interest, Poll, Token, net::TcpStream};

use crate::frames::{Heard, pong_frame};

/// How one socket comes in.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) address: SocketAddr,
    /// The HTTP request that asks for a WebSocket.
    pub(crate) request: Vec<u8>,
    /// What it says as soon as it has one.
    pub(crate) first_frames: Vec<u8>,
    /// How many `subscribed` it waits for.
    pub(crate) subscriptions: u64,
}

/// Sockets that are in, or on their way.
pub(crate) struct Crowd {
    poll: Poll,
    ready: Events,
    members: Vec<Member>,
    buffer: Vec<u8>,
    turn: Vec<News>,
    /// How many events all sockets together have had, and by how many reads.
    pub(crate) events: u64,
    pub(crate) reads: u64,
    /// How many came in vain and came again.
    pub(crate) refused: u64,
}

struct Member {
    entry: Entry,
    heard: Heard,
    stage: Stage,
}

enum Stage {
    Away,
    /// Not to come before then.
    Waiting(Instant),
    Connecting(TcpStream),
    /// What came of the answer's head.
    Upgrading(TcpStream, Vec<u8>),
    In(TcpStream),
}

/// What one read brought.
#[derive(Clone, Copy)]
pub(crate) struct News {
    pub(crate) member: usize,
    pub(crate) at: Instant,
    /// How many events the member has had by now.
    pub(crate) events: u64,
    pub(crate) acks: u64,
}

/// How long sockets may take to come in before the benchmark gives up.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long nothing must come before all counts as told.
const QUIET: Duration = Duration::from_millis(200);
/// When who was refused tries again.
const AGAIN: Duration = Duration::from_millis(500);
/// As much as a burst to one socket weighs; larger ones are read in parts.
const BUFFER_BYTES: usize = 256 * 1_024;
/// Few, so that who speaks is heard before the others of the same moment are read.
const READY_AT_ONCE: usize = 128;

impl Crowd {
    /// Sockets that are not in yet.
    ///
    /// # Errors
    /// When the machine refuses.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            ready: Events::with_capacity(READY_AT_ONCE),
            members: Vec::new(),
            buffer: vec![0; BUFFER_BYTES],
            turn: Vec::new(),
            events: 0,
            reads: 0,
            refused: 0,
        })
    }

    /// Lets `entries` come in, so many at once, in their order.
    ///
    /// # Errors
    /// When one is still not in after two minutes.
    pub(crate) fn join(&mut self, entries: Vec<Entry>, at_once: usize) -> Result<()> {
        let first = self.members.len();
        self.members.extend(entries.into_iter().map(|entry| Member {
            entry,
            heard: Heard::default(),
            stage: Stage::Away,
        }));
        self.bring_in(first, at_once, |_| Ok(()))
    }

    /// Brings in all from `first` on, calling `meanwhile` once a turn.
    ///
    /// # Errors
    /// When one is still not in after two minutes.
    pub(crate) fn bring_in(
        &mut self,
        first: usize,
        at_once: usize,
        mut meanwhile: impl FnMut(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut next = first;
        let mut open = Vec::new();
        while next < self.members.len() || !open.is_empty() {
            // A few a turn, so that those who are in are still heard.
            let until = self.members.len().min(next + READY_AT_ONCE);
            while next < until && open.len() < at_once {
                self.connect(next)?;
                open.push(next);
                next += 1;
            }
            self.turn(Duration::from_millis(5))?;
            for &member in &open {
                if matches!(self.members[member].stage, Stage::Waiting(at) if at <= Instant::now())
                {
                    self.connect(member)?;
                }
            }
            open.retain(|&member| !self.members[member].is_settled());
            meanwhile(self)?;
            ensure!(
                Instant::now() < deadline,
                "{} sockets are not in after {PATIENCE:?}",
                open.len()
            );
        }
        Ok(())
    }

    /// Gives up all from `first` on at once, without a goodbye, as they were never there.
    pub(crate) fn lose(&mut self, first: usize) {
        for member in &mut self.members[first..] {
            member.stage = Stage::Away;
            member.heard = Heard::default();
        }
    }

    /// Takes what has come, waiting for it for so long at most, and answers pings.
    ///
    /// # Errors
    /// When a socket that was in is lost, or was told an error.
    pub(crate) fn turn(&mut self, patience: Duration) -> Result<&[News]> {
        self.turn.clear();
        match self.poll.poll(&mut self.ready, Some(patience)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(&self.turn),
            other => other?,
        }
        let ready: Vec<_> = self.ready.iter().map(|event| event.token().0).collect();
        for member in ready {
            self.hear(member)
                .with_context(|| format!("socket {member}"))?;
        }
        Ok(&self.turn)
    }

    /// What the last turn brought.
    pub(crate) fn news(&self, number: usize) -> Option<News> {
        self.turn.get(number).copied()
    }

    /// Takes what comes until nothing more does.
    ///
    /// # Errors
    /// As [`Crowd::turn`].
    pub(crate) fn settle(&mut self) -> Result<()> {
        while !self.turn(QUIET)?.is_empty() {}
        Ok(())
    }

    /// Writes frames on a socket that is in.
    ///
    /// # Errors
    /// When the kernel does not take them at once.
    pub(crate) fn say(&mut self, member: usize, frames: &[u8]) -> Result<()> {
        let Stage::In(stream) = &mut self.members[member].stage else {
            bail!("socket {member} is not in");
        };
        let written = stream.write(frames)?;
        ensure!(
            written == frames.len(),
            "a socket took only {written} bytes"
        );
        Ok(())
    }

    pub(crate) fn heard(&self, member: usize) -> &Heard {
        &self.members[member].heard
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// Gives a member that is away another way to come in.
    pub(crate) fn readdress(&mut self, member: usize, entry: Entry) {
        self.members[member].entry = entry;
    }

    fn connect(&mut self, member: usize) -> Result<()> {
        let mut stream = TcpStream::connect(self.members[member].entry.address)?;
        // Edges of both kinds are asked for once, so that nothing is asked for again later.
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll
            .registry()
            .register(&mut stream, Token(member), interest)?;
        self.members[member].stage = Stage::Connecting(stream);
        Ok(())
    }

    fn hear(&mut self, number: usize) -> Result<()> {
        let member = &mut self.members[number];
        if let Stage::Connecting(stream) = &mut member.stage {
            match stream.write(&member.entry.request) {
                Err(error) if is_early(&error) => return Ok(()),
                Err(_) => {
                    member.turn_away(&mut self.refused);
                    return Ok(());
                }
                Ok(written) => ensure!(written == member.entry.request.len()),
            }
            stream.set_nodelay(true)?;
            let Stage::Connecting(stream) = std::mem::replace(&mut member.stage, Stage::Away)
            else {
                unreachable!("it was connecting a moment ago");
            };
            member.stage = Stage::Upgrading(stream, Vec::new());
        }
        let before = (member.heard.events, member.heard.acks);
        loop {
            let (Stage::Upgrading(stream, _) | Stage::In(stream)) = &mut member.stage else {
                return Ok(());
            };
            let count = match stream.read(&mut self.buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Ok(count) if count > 0 => count,
                lost if !member.is_settled() => {
                    drop(lost);
                    member.turn_away(&mut self.refused);
                    return Ok(());
                }
                Ok(_) => bail!("the server hung up"),
                Err(error) => return Err(error.into()),
            };
            self.reads += 1;
            member.take(&self.buffer[..count], &mut self.refused)?;
            // A short read has emptied the socket.
            if count < self.buffer.len() {
                break;
            }
        }
        let Heard { events, acks, .. } = member.heard;
        self.events += events - before.0;
        if (events, acks) != before {
            self.turn.push(News {
                member: number,
                at: Instant::now(),
                events,
                acks,
            });
        }
        Ok(())
    }
}

impl Member {
    /// Whether it is in, with all its subscriptions.
    fn is_settled(&self) -> bool {
        matches!(self.stage, Stage::In(_)) && self.heard.subscribed >= self.entry.subscriptions
    }

    fn turn_away(&mut self, refused: &mut u64) {
        *refused += 1;
        self.heard = Heard::default();
        self.stage = Stage::Waiting(Instant::now() + AGAIN);
    }

    fn take(&mut self, bytes: &[u8], refused: &mut u64) -> Result<()> {
        match std::mem::replace(&mut self.stage, Stage::Away) {
            Stage::Upgrading(mut stream, mut head) => {
                head.extend_from_slice(bytes);
                let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") else {
                    self.stage = Stage::Upgrading(stream, head);
                    return Ok(());
                };
                if !head.starts_with(b"HTTP/1.1 101") {
                    let is_busy =
                        head.starts_with(b"HTTP/1.1 503") || head.starts_with(b"HTTP/1.1 429");
                    ensure!(is_busy, "no upgrade: {}", String::from_utf8_lossy(&head));
                    self.turn_away(refused);
                    return Ok(());
                }
                if !self.entry.first_frames.is_empty() {
                    let written = stream.write(&self.entry.first_frames)?;
                    ensure!(written == self.entry.first_frames.len());
                }
                self.stage = Stage::In(stream);
                self.heard.take(&head[end + 4..]);
            }
            Stage::In(stream) => {
                self.stage = Stage::In(stream);
                self.heard.take(bytes);
            }
            other => self.stage = other,
        }
        if let (Some(ping), Stage::In(stream)) = (self.heard.ping.take(), &mut self.stage) {
            stream.write_all(&pong_frame(&ping))?;
        }
        ensure!(self.heard.errors == 0, "the server answered an error");
        Ok(())
    }
}

fn is_early(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::NotConnected
    )
}
