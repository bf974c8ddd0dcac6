//! The least that a chat server can do: it upgrades, reads frames, acknowledges each, frames an event once and writes all
//! that waits for a socket in one call. It checks nothing and knows nobody. It stores nothing, or, when it is durable, what
//! was said in a file, on the disk before anybody hears it.

mod journal;

use std::{
    collections::HashMap,
    io::{ErrorKind, IoSlice, Read, Write},
    net::SocketAddr,
};

use anyhow::Result;
use mio::{
    Events, Interest, Poll, Token,
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{Sizes, event_payload};
use journal::Journal;

/// Serves at `address` until the process ends. The room is the path of the upgrade.
///
/// # Errors
/// When the machine refuses.
pub(crate) fn serve(address: SocketAddr, sizes: Sizes, is_durable: bool) -> Result<()> {
    let mut listener = TcpListener::bind(address)?;
    let poll = Poll::new()?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    let floor = Floor {
        poll,
        listener,
        sockets: Vec::new(),
        free: Vec::new(),
        rooms: HashMap::new(),
        scratch: vec![0; 64 * 1_024],
        ack: frame(&format!(
            r#"{{"type":"ack","{}":1}}"#,
            "x".repeat(sizes.ack_bytes.saturating_sub(22))
        )),
        event_bytes: sizes.event_bytes,
        journal: is_durable.then(Journal::open).transpose()?,
    };
    floor.run()
}

struct Floor {
    poll: Poll,
    listener: TcpListener,
    sockets: Vec<Option<Socket>>,
    /// Places of sockets that ended.
    free: Vec<usize>,
    rooms: HashMap<Vec<u8>, Room>,
    scratch: Vec<u8>,
    ack: Vec<u8>,
    event_bytes: usize,
    journal: Option<Journal>,
}

struct Socket {
    stream: TcpStream,
    room: Option<Vec<u8>>,
    /// The beginning of what is not whole yet: the request, then a frame.
    unread: Vec<u8>,
    /// What the kernel did not take, and answers of this turn.
    unsent: Vec<u8>,
}

#[derive(Default)]
struct Room {
    members: Vec<usize>,
    /// What was said in this turn, framed.
    said: Vec<u8>,
}

const LISTENER: Token = Token(usize::MAX);

impl Floor {
    fn run(mut self) -> Result<()> {
        let mut ready = Events::with_capacity(1_024);
        loop {
            match self.poll.poll(&mut ready, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other?,
            }
            let mut spoke = Vec::new();
            for event in &ready {
                if event.token() == LISTENER {
                    self.accept()?;
                } else {
                    let socket = event.token().0;
                    if event.is_writable() {
                        self.write(socket, &[]);
                    }
                    if event.is_readable() && self.read(socket).is_none() {
                        self.end(socket);
                    }
                    spoke.push(socket);
                }
            }
            self.store(&spoke)?;
            self.deliver(&spoke);
        }
    }

    fn accept(&mut self) -> Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            stream.set_nodelay(true)?;
            let place = self.free.pop().unwrap_or(self.sockets.len());
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll
                .registry()
                .register(&mut stream, Token(place), interest)?;
            let socket = Socket {
                stream,
                room: None,
                unread: Vec::new(),
                unsent: Vec::new(),
            };
            if place == self.sockets.len() {
                self.sockets.push(Some(socket));
            } else {
                self.sockets[place] = Some(socket);
            }
        }
    }

    /// Reads what has come; nothing when the socket has ended.
    fn read(&mut self, place: usize) -> Option<()> {
        loop {
            let socket = self.sockets.get_mut(place)?.as_mut()?;
            let count = match socket.stream.read(&mut self.scratch) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Some(()),
                Err(_) | Ok(0) => return None,
                Ok(count) => count,
            };
            let mut bytes = std::mem::take(&mut socket.unread);
            bytes.extend_from_slice(&self.scratch[..count]);
            let taken = match &socket.room {
                None => self.upgrade(place, &bytes)?,
                Some(_) => self.take_frames(place, &mut bytes)?,
            };
            if taken < bytes.len() {
                bytes.drain(..taken);
                self.sockets.get_mut(place)?.as_mut()?.unread = bytes;
            }
            if count < self.scratch.len() {
                return Some(());
            }
        }
    }

    fn upgrade(&mut self, place: usize, request: &[u8]) -> Option<usize> {
        let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Some(0);
        };
        let socket = self.sockets.get_mut(place)?.as_mut()?;
        let head = std::str::from_utf8(&request[..end]).ok()?;
        let path = head.split(' ').nth(1)?;
        let key = head
            .lines()
            .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))?;
        let accept = derive_accept_key(key.as_bytes());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        socket.unsent.extend(answer.as_bytes());
        let room = path.as_bytes().to_vec();
        socket.room = Some(room.clone());
        self.rooms.entry(room).or_default().members.push(place);
        Some(end + 4)
    }

    /// Takes whole frames; answers how many bytes they were.
    fn take_frames(&mut self, place: usize, bytes: &mut [u8]) -> Option<usize> {
        let socket = self.sockets.get_mut(place)?.as_mut()?;
        let room = self.rooms.get_mut(socket.room.as_ref()?)?;
        let mut taken = 0;
        while let Some((header, length)) = client_header(&bytes[taken..]) {
            if bytes.len() < taken + header + length {
                break;
            }
            let opcode = bytes[taken] & 0x0f;
            if opcode == 8 {
                return None;
            }
            if opcode == 1 {
                let mask_at = taken + header - 4;
                let mask: [u8; 4] = bytes[mask_at..mask_at + 4].try_into().ok()?;
                let payload = &mut bytes[taken + header..taken + header + length];
                for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
                    *byte ^= mask;
                }
                let said = std::str::from_utf8(payload).ok()?;
                room.said
                    .extend(frame(&event_payload(said, self.event_bytes)));
                socket.unsent.extend_from_slice(&self.ack);
            }
            taken += header + length;
        }
        Some(taken)
    }

    /// Puts what was said in this turn on the disk, in one go.
    fn store(&mut self, spoke: &[usize]) -> Result<()> {
        let Some(mut journal) = self.journal.take() else {
            return Ok(());
        };
        for &speaker in spoke {
            if let Some(room) = self.room_of(speaker) {
                journal.add(&room.said)?;
            }
        }
        journal.commit()?;
        self.journal = Some(journal);
        Ok(())
    }

    /// One write to each socket that something waits for.
    fn deliver(&mut self, spoke: &[usize]) {
        for &speaker in spoke {
            let room = self.sockets.get(speaker).and_then(Option::as_ref);
            let room = room.and_then(|socket| socket.room.clone());
            let Some(room) = room.and_then(|room| self.rooms.get_mut(&room)) else {
                continue;
            };
            if !room.said.is_empty() {
                let said = std::mem::take(&mut room.said);
                let members = std::mem::take(&mut room.members);
                for &member in &members {
                    self.write(member, &said);
                }
                if let Some(room) = self.room_of(speaker) {
                    room.members = members;
                }
            }
        }
        for &speaker in spoke {
            self.write(speaker, &[]);
        }
    }

    fn room_of(&mut self, place: usize) -> Option<&mut Room> {
        let room = self.sockets.get(place)?.as_ref()?.room.as_ref()?;
        self.rooms.get_mut(room)
    }

    /// Writes what waits for a socket and `bytes` after it, and keeps what the kernel does not take.
    fn write(&mut self, place: usize, bytes: &[u8]) {
        let Some(Some(socket)) = self.sockets.get_mut(place) else {
            return;
        };
        let waits = socket.unsent.len();
        if waits + bytes.len() == 0 {
            return;
        }
        let both = [IoSlice::new(&socket.unsent), IoSlice::new(bytes)];
        let written = match waits {
            0 => socket.stream.write(bytes),
            _ => socket.stream.write_vectored(&both),
        };
        // Who is gone is seen when their socket is read.
        let written = written.unwrap_or(0);
        socket.unsent.drain(..written.min(waits));
        socket
            .unsent
            .extend_from_slice(&bytes[written.saturating_sub(waits)..]);
    }

    fn end(&mut self, place: usize) {
        let Some(socket) = self.sockets.get_mut(place).and_then(Option::take) else {
            return;
        };
        if let Some(room) = socket.room.and_then(|room| self.rooms.get_mut(&room)) {
            room.members.retain(|member| *member != place);
        }
        self.free.push(place);
    }
}

/// The lengths of a client's frame header and payload, if the header is whole.
fn client_header(bytes: &[u8]) -> Option<(usize, usize)> {
    let (header, length) = match bytes.get(1)? & 0x7f {
        126 => (
            8,
            usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)),
        ),
        // Nobody who talks to the floor says more.
        127 => return None,
        length => (6, usize::from(length)),
    };
    (bytes.len() >= header).then_some((header, length))
}

/// A server's text frame.
fn frame(payload: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match u8::try_from(payload.len()) {
        Ok(length) if length < 126 => frame.push(length),
        _ => {
            let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
            frame.push(126);
            frame.extend(length.to_be_bytes());
        }
    }
    frame.extend(payload.as_bytes());
    frame
}
