//! WebSocket frames at the least cost: a client's are written as they are, a server's are told apart and counted, and
//! never read.

/// A client's text frame. Its mask is zero, so that the payload goes as it is.
pub(crate) fn text_frame(payload: &str) -> Vec<u8> {
    client_frame(0x81, payload.as_bytes())
}

/// A client's answer to a ping.
pub(crate) fn pong_frame(payload: &[u8]) -> Vec<u8> {
    client_frame(0x8a, payload)
}

fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match u8::try_from(payload.len()) {
        Ok(length) if length < 126 => frame.push(0x80 | length),
        _ => {
            let length = u16::try_from(payload.len()).expect("benchmark frames are short");
            frame.push(0x80 | 126);
            frame.extend(length.to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// What a server has said on one socket, counted wherever the stream of its bytes is cut.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) events: u64,
    pub(crate) acks: u64,
    pub(crate) errors: u64,
    pub(crate) subscribed: u64,
    /// What the latest event weighed, its header included.
    pub(crate) event_bytes: usize,
    /// What the latest ack weighed.
    pub(crate) ack_bytes: usize,
    /// The latest ping that was not answered.
    pub(crate) ping: Option<Vec<u8>>,
    frame: Unfinished,
}

/// A frame of which the end is not there yet.
#[derive(Debug, Default)]
struct Unfinished {
    header: Vec<u8>,
    /// The first bytes of the payload, which tell what it is; all of a ping.
    start: Vec<u8>,
    left: usize,
    bytes: usize,
}

/// `{"type":"` comes first in every frame; what follows it tells them apart.
const TYPE_AT: usize = 9;
const START_BYTES: usize = TYPE_AT + 2;
const PING: u8 = 9;
const CONTROL_MAX_BYTES: usize = 125;

impl Heard {
    /// Takes the next bytes of the stream.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.frame.left == 0 {
                let (&first, rest) = bytes.split_first().expect("it is not empty");
                bytes = rest;
                self.frame.header.push(first);
                if let Some(length) = payload_length(&self.frame.header) {
                    self.frame.left = length;
                    self.frame.bytes = self.frame.header.len() + length;
                    if length == 0 {
                        self.end();
                    }
                }
                continue;
            }
            let (part, rest) = bytes.split_at(self.frame.left.min(bytes.len()));
            bytes = rest;
            let wanted = match self.frame.opcode() {
                PING => CONTROL_MAX_BYTES,
                _ => START_BYTES,
            };
            let missing = wanted.saturating_sub(self.frame.start.len());
            self.frame
                .start
                .extend_from_slice(&part[..part.len().min(missing)]);
            self.frame.left -= part.len();
            if self.frame.left == 0 {
                self.end();
            }
        }
    }

    fn end(&mut self) {
        match (self.frame.opcode(), self.frame.start.get(TYPE_AT..)) {
            (PING, _) => self.ping = Some(self.frame.start.clone()),
            (_, Some(b"ev")) => {
                self.events += 1;
                self.event_bytes = self.frame.bytes;
            }
            (_, Some(b"ac")) => {
                self.acks += 1;
                self.ack_bytes = self.frame.bytes;
            }
            (_, Some(b"er")) => self.errors += 1,
            (_, Some(b"su")) => self.subscribed += 1,
            _ => {}
        }
        self.frame.header.clear();
        self.frame.start.clear();
    }
}

impl Unfinished {
    fn opcode(&self) -> u8 {
        self.header.first().map_or(0, |first| first & 0x0f)
    }
}

/// The length that a server's whole frame header tells.
fn payload_length(header: &[u8]) -> Option<usize> {
    let rest = header.get(2..)?;
    match header[1] & 0x7f {
        126 => Some(usize::from(u16::from_be_bytes(
            rest.get(..2)?.try_into().ok()?,
        ))),
        127 => usize::try_from(u64::from_be_bytes(rest.get(..8)?.try_into().ok()?)).ok(),
        length => Some(usize::from(length)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_told_apart_wherever_the_stream_is_cut() {
        let frames = [
            (
                1,
                format!(r#"{{"type":"event","body":"{}"}}"#, "x".repeat(200)),
            ),
            (9, String::from("are you there")),
            (1, String::from(r#"{"type":"ack","seq":1}"#)),
            (
                1,
                format!(
                    r#"{{"type":"subscribed","events":"{}"}}"#,
                    "x".repeat(70_000)
                ),
            ),
            (1, String::from(r#"{"type":"error"}"#)),
            (1, String::new()),
            (1, String::from(r#"{"type":"event"}"#)),
        ];
        let mut stream = Vec::new();
        for (opcode, payload) in &frames {
            stream.push(0x80 | opcode);
            match payload.len() {
                length @ 0..126 => stream.push(u8::try_from(length).unwrap()),
                length @ 126..65_536 => {
                    stream.push(126);
                    stream.extend(u16::try_from(length).unwrap().to_be_bytes());
                }
                length => {
                    stream.push(127);
                    stream.extend((length as u64).to_be_bytes());
                }
            }
            stream.extend(payload.as_bytes());
        }
        for cut in [1, 2, 3, 7, 100, stream.len()] {
            let mut heard = Heard::default();
            for part in stream.chunks(cut) {
                heard.take(part);
            }
            let counts = [heard.events, heard.acks, heard.errors, heard.subscribed];
            assert_eq!(counts, [2, 1, 1, 1], "cut every {cut}");
            assert_eq!(heard.ping.as_deref(), Some(b"are you there".as_slice()));
            assert_eq!((heard.event_bytes, heard.ack_bytes), (18, 24));
        }
    }
}
