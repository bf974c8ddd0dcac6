//! How a socket's owner listens: what has come is heard where it was read, message by message, and only as
//! fast as there is room for what it leads to. What texts ask for is `frames`' business.

use protocol::frame::CloseReason;
use tokio::time::Instant;
use tracing::debug;

use super::{
    Owner,
    ending::End,
    pace::Paced,
    reading::{Heard, Violation, with_scratch},
};

impl Owner {
    /// Whether there is room for what the peer may say.
    pub(super) fn listens(&self) -> bool {
        !self.connection.outbox.backlog().has_many_answers && self.sends.have_room()
    }

    /// Hears what has come; why the socket ends, if it does.
    pub(super) fn listen(&mut self) -> Option<End> {
        let now = Instant::now();
        with_scratch(|scratch| {
            let Some((mut reader, read)) = self.socket.read(scratch) else {
                return Some(End::Peer);
            };
            let mut messages = reader.messages(&mut scratch[..read]);
            let mut end = None;
            let mut has_unheard = true;
            while end.is_none() && self.listens() {
                match messages.next() {
                    Ok(Some(heard)) => end = self.hear_one(heard, now),
                    Ok(None) => {
                        has_unheard = false;
                        break;
                    }
                    Err(violation) => end = Some(self.break_off(violation)),
                }
            }
            drop(messages);
            self.socket.put_back(reader, has_unheard);
            end
        })
    }

    fn hear_one(&mut self, heard: Heard<'_>, now: Instant) -> Option<End> {
        self.pulse.heard(now);
        match heard {
            Heard::Text(text) => return self.hear(text).err().map(End::Closed),
            Heard::Binary => return Some(End::Closed(CloseReason::Malformed)),
            Heard::Close(answer) => {
                self.socket.answer_close(answer);
                return Some(End::Peer);
            }
            Heard::Ping(payload) => self.socket.pong(payload),
            Heard::Pong => {}
        }
        // Pings cost little, and a flood of them is a flood.
        let is_flood = self.pace.frame(&self.node.app.settings.rates, now) == Paced::Flooding;
        is_flood.then_some(End::Closed(CloseReason::Flooding))
    }

    fn break_off(&mut self, violation: Violation) -> End {
        debug!(connection.id = %self.connection.id, error = %violation, "a peer does not speak WebSocket");
        self.socket.garbled();
        End::Closed(match violation {
            Violation::TooLarge => CloseReason::FrameTooLarge,
            Violation::Malformed(_) => CloseReason::Malformed,
        })
    }
}
