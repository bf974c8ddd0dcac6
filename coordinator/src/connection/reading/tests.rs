use std::io::{self, Read, Write};

use proptest::{collection::vec, prelude::*};
use tokio_tungstenite::tungstenite::{
    Bytes, Error, Message, WebSocket,
    protocol::{
        CloseFrame, Role, WebSocketConfig,
        frame::{Frame as Sent, Utf8Bytes},
    },
};

use super::*;

const MAX_BYTES: usize = 2_000;

/// What came of a stream of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Event {
    Text(String),
    Binary,
    Ping(Vec<u8>),
    Pong,
    Close(Vec<u8>),
    TooLarge,
    Malformed,
}

impl From<Heard<'_>> for Event {
    fn from(heard: Heard<'_>) -> Self {
        match heard {
            Heard::Text(text) => Self::Text(text.to_owned()),
            Heard::Binary => Self::Binary,
            Heard::Ping(payload) => Self::Ping(payload.to_vec()),
            Heard::Pong => Self::Pong,
            Heard::Close(answer) => Self::Close(answer.to_vec()),
        }
    }
}

/// What we read of a stream that comes in pieces of these lengths, as often as needed, when only so many
/// messages are taken at a time.
fn read_by_us(stream: &[u8], pieces: &[usize], at_a_time: usize) -> Vec<Event> {
    let mut reader = Reader::new(MAX_BYTES, &[]);
    let mut events = Vec::new();
    let mut left = stream.to_vec();
    let mut left = left.as_mut_slice();
    for piece in pieces.iter().cycle() {
        let (now, later) = left.split_at_mut((*piece).min(left.len()));
        left = later;
        let mut now = Some(now);
        loop {
            let mut taken = 0;
            let mut messages = reader.messages(now.take().unwrap_or_default());
            while taken < at_a_time {
                match messages.next() {
                    Ok(Some(heard)) => {
                        events.push(Event::from(heard));
                        taken += 1;
                        if matches!(events.last(), Some(Event::Close(_))) {
                            return events;
                        }
                    }
                    Ok(None) => break,
                    Err(violation) => {
                        events.push(match violation {
                            Violation::TooLarge => Event::TooLarge,
                            Violation::Malformed(_) => Event::Malformed,
                        });
                        return events;
                    }
                }
            }
            if taken < at_a_time {
                break;
            }
        }
        if left.is_empty() {
            return events;
        }
    }
    unreachable!("there is always one more piece")
}

/// A stream that the library reads: all of it is there at once, then it ends.
struct Given<'a>(&'a [u8]);

impl Read for Given<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Given<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the library reads of a stream.
fn read_by_the_library(stream: &[u8]) -> Vec<Event> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_BYTES))
        .max_frame_size(Some(MAX_BYTES));
    let mut socket = WebSocket::from_raw_socket(Given(stream), Role::Server, Some(config));
    let mut events = Vec::new();
    loop {
        events.push(match socket.read() {
            Ok(Message::Text(text)) => Event::Text(text.to_string()),
            Ok(Message::Binary(_)) => Event::Binary,
            Ok(Message::Ping(payload)) => Event::Ping(payload.to_vec()),
            Ok(Message::Pong(_)) => Event::Pong,
            Ok(Message::Close(answer)) => {
                let answer = answer.map(|CloseFrame { code, reason }| {
                    [&u16::from(code).to_be_bytes(), reason.as_bytes()].concat()
                });
                events.push(Event::Close(answer.unwrap_or_default()));
                return events;
            }
            Ok(Message::Frame(_)) => unreachable!("the library reads no single frames"),
            Err(Error::Capacity(_)) => {
                events.push(Event::TooLarge);
                return events;
            }
            Err(Error::Protocol(error)) if error.to_string().contains("without closing") => {
                return events;
            }
            Err(Error::Protocol(_) | Error::Utf8(_)) => {
                events.push(Event::Malformed);
                return events;
            }
            Err(error) => panic!("the library fails: {error}"),
        });
    }
}

/// What the library writes as a client.
fn written(messages: Vec<Message>) -> Vec<u8> {
    let mut socket = WebSocket::from_raw_socket(io::Cursor::new(Vec::new()), Role::Client, None);
    for message in messages {
        socket.write(message).unwrap();
    }
    socket.flush().unwrap();
    socket.get_ref().get_ref().clone()
}

/// A text, whole or parted anywhere, with pings in between.
fn texts() -> impl Strategy<Value = Vec<Message>> {
    let text = prop_oneof![
        9 => "\\PC{0,60}",
        1 => (0..MAX_BYTES).prop_map(|len| "x".repeat(len)),
    ];
    (text, vec(any::<prop::sample::Index>(), 0..4), any::<bool>()).prop_map(
        |(text, cuts, pings)| {
            let bytes = Bytes::from(text.clone().into_bytes());
            let mut cuts: Vec<_> = cuts
                .iter()
                .map(|cut| cut.index(bytes.len() + 1))
                .chain([0, bytes.len()])
                .collect();
            cuts.sort_unstable();
            if cuts.len() == 2 {
                return vec![Message::text(text)];
            }
            let last = cuts.len() - 2;
            let part = |(n, ends): (usize, &[usize])| {
                let kind = OpCode::Data(if n == 0 { Data::Text } else { Data::Continue });
                let frame = Sent::message(bytes.slice(ends[0]..ends[1]), kind, n == last);
                let ping =
                    (pings && n < last).then(|| Message::Ping(Bytes::from_static(b"there?")));
                [Some(Message::Frame(frame)), ping].into_iter().flatten()
            };
            cuts.windows(2).enumerate().flat_map(part).collect()
        },
    )
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let control = || vec(any::<u8>(), 0..=125).prop_map(Bytes::from);
    let one = prop_oneof![
        6 => texts(),
        1 => control().prop_map(|payload| vec![Message::Ping(payload)]),
        1 => control().prop_map(|payload| vec![Message::Pong(payload)]),
        1 => vec(any::<u8>(), 0..300).prop_map(|bytes| vec![Message::binary(bytes)]),
    ];
    let close = prop::option::of(("\\PC{0,30}", 0..6_000_u16).prop_map(|(reason, code)| {
        Message::Close(Some(CloseFrame {
            code: code.into(),
            reason: Utf8Bytes::from(reason),
        }))
    }));
    (vec(one, 0..12), close)
        .prop_map(|(messages, close)| messages.into_iter().flatten().chain(close).collect())
}

/// A frame as nobody should send it, perhaps.
#[derive(Clone, Debug)]
struct Odd {
    header: FrameHeader,
    payload: Vec<u8>,
}

impl Odd {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.header
            .format(self.payload.len() as u64, &mut bytes)
            .unwrap();
        let mut payload = self.payload.clone();
        unmask(&mut payload, self.header.mask.unwrap_or_default());
        bytes.extend(payload);
        bytes
    }
}

fn odd() -> impl Strategy<Value = Odd> {
    let payload = prop_oneof![
        4 => "\\PC{0,8}".prop_map(String::into_bytes),
        2 => vec(any::<u8>(), 0..6),
        1 => vec(Just(b'x'), 100..MAX_BYTES + 100),
    ];
    let opcode = prop_oneof![8 => 0..3_u8, 3 => 8..11_u8, 1 => 0..16_u8];
    let rare = || prop::bool::weighted(0.03);
    let is_masked = prop::bool::weighted(0.97);
    let bits = (any::<bool>(), rare(), rare(), rare());
    (payload, opcode, is_masked, any::<[u8; 4]>(), bits).prop_map(
        |(payload, opcode, is_masked, mask, (is_final, rsv1, rsv2, rsv3))| Odd {
            header: FrameHeader {
                is_final,
                rsv1,
                rsv2,
                rsv3,
                opcode: OpCode::from(opcode),
                mask: is_masked.then_some(mask),
            },
            payload,
        },
    )
}

fn pieces() -> impl Strategy<Value = Vec<usize>> {
    vec(prop_oneof![1..4_usize, 1..200_usize, Just(16_384)], 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn what_the_library_writes_is_read_as_it_reads_it(
        messages in messages(), pieces in pieces(), at_a_time in 1..4_usize,
    ) {
        let stream = written(messages);
        prop_assert_eq!(read_by_us(&stream, &pieces, at_a_time), read_by_the_library(&stream));
    }

    #[test]
    fn a_broken_stream_has_the_verdict_that_the_library_gives(
        frames in vec(odd(), 1..8), pieces in pieces(), at_a_time in 1..4_usize,
    ) {
        let stream: Vec<_> = frames.iter().flat_map(Odd::bytes).collect();
        prop_assert_eq!(read_by_us(&stream, &pieces, at_a_time), read_by_the_library(&stream));
    }

    #[test]
    fn a_stream_that_is_cut_is_never_judged_milder(
        frames in vec(odd(), 1..8), pieces in pieces(), cut in any::<prop::sample::Index>(),
    ) {
        let mut stream: Vec<_> = frames.iter().flat_map(Odd::bytes).collect();
        stream.truncate(cut.index(stream.len() + 1));
        let (ours, theirs) = (read_by_us(&stream, &pieces, 1), read_by_the_library(&stream));
        // A header may give away what the library sees only with the last byte of the frame.
        let ours = ours.get(..theirs.len());
        prop_assert_eq!(ours, Some(theirs.as_slice()));
    }

    #[test]
    fn noise_breaks_nothing(noise in vec(any::<u8>(), 0..3_000), pieces in pieces()) {
        read_by_us(&noise, &pieces, 1);
    }
}

#[test]
fn between_frames_nothing_is_kept() {
    let part = |text: &'static str, kind, is_final| {
        Message::Frame(Sent::message(text, OpCode::Data(kind), is_final))
    };
    let mut stream = written(vec![
        part("Tea ", Data::Text, false),
        part("at ", Data::Continue, false),
        part("four?", Data::Continue, true),
        Message::text("x".repeat(MAX_BYTES)),
    ]);
    let mut reader = Reader::new(MAX_BYTES, &[]);
    let mut seen = 0;
    for byte in stream.chunks_mut(1) {
        let mut messages = reader.messages(byte);
        while let Some(heard) = messages.next().unwrap() {
            seen += 1;
            assert!(matches!(heard, Heard::Text(_)));
        }
        drop(messages);
        assert!(reader.rest.len() < 2 * MAX_BYTES);
        if seen == 1 && reader.rest.is_empty() || seen == 2 {
            assert!(reader.rest.is_empty());
            assert!(reader.fragments.is_none());
        }
    }
    assert_eq!(seen, 2);
    assert!(size_of::<Reader>() <= 40);
}
