//! The client's half of a WebSocket as the server reads it (RFC 6455): bytes in, messages out, parsed in
//! the buffer they were read into. It reads from no socket, answers nothing, and does not know what
//! texts say.

#[cfg(test)]
mod tests;

use std::{cell::RefCell, io::Cursor, mem, ops::Range, str::from_utf8};

use tokio_tungstenite::tungstenite::protocol::frame::{
    FrameHeader,
    coding::{CloseCode, Control, Data, OpCode},
};

/// Reads one client. Between two reads it remembers what is unfinished, and nothing else.
pub(super) struct Reader {
    /// What one message may have at most.
    max_bytes: usize,
    /// Bytes that were given and not yet understood.
    rest: Box<[u8]>,
    /// A message of which more is to come; rare, so it weighs nothing when there is none.
    fragments: Option<Box<Fragments>>,
}

/// What the client said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard<'a> {
    /// A message of text.
    Text(&'a str),
    /// A message of bytes.
    Binary,
    /// A ping, whose payload the pong repeats.
    Ping(&'a [u8]),
    /// A pong.
    Pong,
    /// The end: nothing that follows counts. The close frame that answers it has this payload.
    Close(&'a [u8]),
}

/// How a client broke the protocol. Nothing is understood after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Violation {
    /// A frame or message is larger than clients may send.
    #[error("a message is too large")]
    TooLarge,
    /// Everything else.
    #[error("{0}")]
    Malformed(&'static str),
}

/// The messages in what was read, one after the other. What is not taken when it is dropped is there the
/// next time, as is an unfinished frame.
pub(super) struct Messages<'a> {
    reader: &'a mut Reader,
    /// What the reader had not understood; comes before `new`.
    old: Vec<u8>,
    /// Where the next frame begins in `old`.
    old_at: usize,
    /// What was read now.
    new: &'a mut [u8],
    /// Where the next frame begins in `new`.
    new_at: usize,
    /// A message that came in fragments, while it is looked at.
    whole: String,
}

/// A message of which more is to come.
enum Fragments {
    /// Text, and how much of it is known to be text: a character may be parted.
    Text { bytes: Vec<u8>, checked: usize },
    /// Of bytes only the number counts, since nobody hears them.
    Binary { len: usize },
}

/// A frame that is there to the end.
struct Frame {
    opcode: OpCode,
    is_final: bool,
    /// Whether it lies in what was read before.
    is_old: bool,
    payload: Range<usize>,
}

/// How far the bytes at hand go.
enum Extent {
    /// At least so many more are needed to know more.
    Short(usize),
    /// The frame ends here.
    Whole {
        header: FrameHeader,
        header_len: usize,
        len: usize,
    },
}

/// As much is read at once.
const SCRATCH_BYTES: usize = 16 * 1_024;

thread_local! {
    /// Where bytes lie while they are heard, so that no socket has a buffer of its own.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH_BYTES].into());
}

/// Lends out the buffer of this thread.
pub(crate) fn with_scratch<T>(reads: impl FnOnce(&mut [u8]) -> T) -> T {
    SCRATCH.with_borrow_mut(|scratch| reads(scratch))
}

/// RFC 6455 lets control frames have no more.
const CONTROL_MAX_BYTES: usize = 125;
const NO_TEXT: Violation = Violation::Malformed("a text is not UTF-8");
/// 1002 and the words for it: the answer to a close frame whose code nobody may send.
const BAD_CLOSE: &[u8] = b"\x03\xeaProtocol violation";

impl Reader {
    /// Of a client whose messages may have so many bytes, and of which `early` was read already.
    pub(super) fn new(max_bytes: usize, early: &[u8]) -> Self {
        Self {
            max_bytes,
            rest: early.into(),
            fragments: None,
        }
    }

    /// The reader, which leaves one behind that has read nothing.
    pub(super) fn take(&mut self) -> Self {
        Self {
            max_bytes: self.max_bytes,
            rest: mem::take(&mut self.rest),
            fragments: self.fragments.take(),
        }
    }

    /// The messages in what was left and `bytes`, which are unmasked in place.
    pub(super) fn messages<'a>(&'a mut self, bytes: &'a mut [u8]) -> Messages<'a> {
        Messages {
            old: mem::take(&mut self.rest).into_vec(),
            old_at: 0,
            reader: self,
            new: bytes,
            new_at: 0,
            whole: String::new(),
        }
    }
}

impl Messages<'_> {
    /// The next message; nothing if it is not there to the end. After a close or a violation, nothing
    /// that comes has a meaning.
    ///
    /// # Errors
    /// How the client broke the protocol.
    pub(super) fn next(&mut self) -> Result<Option<Heard<'_>>, Violation> {
        while let Some(frame) = self.frame()? {
            match frame.opcode {
                OpCode::Control(control) => {
                    let payload = self.payload(&frame);
                    return Ok(Some(match control {
                        Control::Ping => Heard::Ping(payload),
                        Control::Close => Heard::Close(close_answer(payload)?),
                        Control::Pong | Control::Reserved(_) => Heard::Pong,
                    }));
                }
                OpCode::Data(Data::Text) if frame.is_final => {
                    let text = from_utf8(self.payload(&frame)).map_err(|_| NO_TEXT)?;
                    return Ok(Some(Heard::Text(text)));
                }
                OpCode::Data(kind) => {
                    let begun = self.reader.fragments.take();
                    let mut fragments = begun.unwrap_or_else(|| Box::new(Fragments::of(kind)));
                    fragments.extend(self.payload(&frame), self.reader.max_bytes)?;
                    if frame.is_final {
                        return self.complete(*fragments).map(Some);
                    }
                    self.reader.fragments = Some(fragments);
                }
            }
        }
        Ok(None)
    }

    /// The next frame, unmasked; nothing if it is not there to the end.
    fn frame(&mut self) -> Result<Option<Frame>, Violation> {
        loop {
            let is_old = self.old_at < self.old.len();
            let (bytes, at) = if is_old {
                (self.old.as_mut_slice(), &mut self.old_at)
            } else {
                // What is understood is given back.
                (self.old, self.old_at) = (Vec::new(), 0);
                (&mut *self.new, &mut self.new_at)
            };
            let bytes = &mut bytes[*at..];
            match self.reader.extent(bytes)? {
                Extent::Whole {
                    header,
                    header_len,
                    len,
                } => {
                    let payload = *at + header_len..*at + len;
                    unmask(&mut bytes[header_len..len], header.mask.unwrap_or_default());
                    *at += len;
                    return Ok(Some(Frame {
                        opcode: header.opcode,
                        is_final: header.is_final,
                        is_old,
                        payload,
                    }));
                }
                Extent::Short(more) if is_old && self.new_at < self.new.len() => {
                    self.lengthen(more);
                }
                Extent::Short(_) => return Ok(None),
            }
        }
    }

    /// Moves some of what was read behind what was left, so that a frame lies in one piece.
    fn lengthen(&mut self, more: usize) {
        let until = self.new.len().min(self.new_at + more);
        self.old.drain(..mem::take(&mut self.old_at));
        self.old.extend_from_slice(&self.new[self.new_at..until]);
        self.new_at = until;
    }

    fn payload(&self, frame: &Frame) -> &[u8] {
        let bytes = if frame.is_old { &*self.old } else { &*self.new };
        &bytes[frame.payload.clone()]
    }

    fn complete(&mut self, fragments: Fragments) -> Result<Heard<'_>, Violation> {
        match fragments {
            Fragments::Text { bytes, .. } => {
                self.whole = String::from_utf8(bytes).map_err(|_| NO_TEXT)?;
                Ok(Heard::Text(&self.whole))
            }
            Fragments::Binary { .. } => Ok(Heard::Binary),
        }
    }
}

impl Drop for Messages<'_> {
    fn drop(&mut self) {
        let (old, new) = (&self.old[self.old_at..], &self.new[self.new_at..]);
        if !old.is_empty() || !new.is_empty() {
            self.reader.rest = [old, new].concat().into();
        }
    }
}

impl Reader {
    /// How far the frame at the beginning of `bytes` goes. What its header says is judged at once: the rest
    /// of a frame that is refused anyway is not waited for.
    fn extent(&self, bytes: &[u8]) -> Result<Extent, Violation> {
        let mut cursor = Cursor::new(bytes);
        let parsed = FrameHeader::parse(&mut cursor)
            .map_err(|_| Violation::Malformed("a frame is of no known kind"))?;
        let Some((header, payload_len)) = parsed else {
            return Ok(Extent::Short(1));
        };
        let payload_len = usize::try_from(payload_len)
            .ok()
            .filter(|len| *len <= self.max_bytes)
            .ok_or(Violation::TooLarge)?;
        self.judge(&header, payload_len)?;
        let header_len = usize::try_from(cursor.position()).expect("headers are short");
        let len = header_len + payload_len;
        Ok(match len.checked_sub(bytes.len()) {
            None | Some(0) => Extent::Whole {
                header,
                header_len,
                len,
            },
            Some(missing) => Extent::Short(missing),
        })
    }

    fn judge(&self, header: &FrameHeader, payload_len: usize) -> Result<(), Violation> {
        let is_under_way = self.fragments.is_some();
        let wrong = match header.opcode {
            _ if header.mask.is_none() => "a frame is not masked",
            _ if header.rsv1 || header.rsv2 || header.rsv3 => "a reserved bit is set",
            OpCode::Control(_) if !header.is_final => "a control frame comes in fragments",
            OpCode::Control(_) if payload_len > CONTROL_MAX_BYTES => "a control frame is too long",
            OpCode::Data(Data::Continue) if !is_under_way => "a message lacks its first frame",
            OpCode::Data(Data::Text | Data::Binary) if is_under_way => {
                "a message begins within another"
            }
            _ => return Ok(()),
        };
        Err(Violation::Malformed(wrong))
    }
}

impl Fragments {
    const fn of(kind: Data) -> Self {
        match kind {
            Data::Text => Self::Text {
                bytes: Vec::new(),
                checked: 0,
            },
            _ => Self::Binary { len: 0 },
        }
    }

    /// Adds what a frame brings.
    fn extend(&mut self, payload: &[u8], max_bytes: usize) -> Result<(), Violation> {
        let fits = |len: usize| {
            let fits = len + payload.len() <= max_bytes;
            fits.then_some(()).ok_or(Violation::TooLarge)
        };
        match self {
            Self::Text { bytes, checked } => {
                fits(bytes.len())?;
                bytes.extend_from_slice(payload);
                match from_utf8(&bytes[*checked..]) {
                    Ok(_) => *checked = bytes.len(),
                    Err(error) if error.error_len().is_none() => *checked += error.valid_up_to(),
                    Err(_) => return Err(NO_TEXT),
                }
            }
            Self::Binary { len } => {
                fits(*len)?;
                *len += payload.len();
            }
        }
        Ok(())
    }
}

/// Takes the mask off, a word at a time: it repeats every four bytes.
fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let twice = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, last) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ twice).to_ne_bytes();
    }
    for (byte, mask) in last.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

/// What is answered to a close frame: the same, unless its code is none that may be sent.
fn close_answer(payload: &[u8]) -> Result<&[u8], Violation> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return match payload {
            [] => Ok(payload),
            _ => Err(Violation::Malformed("a close frame has half a code")),
        };
    };
    from_utf8(reason).map_err(|_| NO_TEXT)?;
    let is_allowed = CloseCode::from(u16::from_be_bytes(*code)).is_allowed();
    Ok(if is_allowed { payload } else { BAD_CLOSE })
}
