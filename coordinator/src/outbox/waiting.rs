//! Frames that were not taken yet, in the order in which they leave.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
};

use bytes::{Buf as _, Bytes};

use super::{Capacity, ENOUGH_BYTES, TryWrite};

/// Whole frames, but for the first, of which a part may be gone.
#[derive(Default)]
pub(super) struct Waiting {
    frames: VecDeque<Frame>,
    bytes: usize,
    answers: usize,
    is_closed: bool,
}

struct Frame {
    bytes: Bytes,
    is_answer: bool,
}

/// How many frames one write carries at most.
const FRAMES_PER_WRITE: usize = 64;

impl Waiting {
    /// Nothing, and nothing to come.
    pub(super) fn closed() -> Self {
        Self {
            is_closed: true,
            ..Self::default()
        }
    }

    /// Takes no more frames.
    pub(super) const fn close(&mut self) {
        self.is_closed = true;
    }

    pub(super) const fn is_closed(&self) -> bool {
        self.is_closed
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// How many bytes wait.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many of the frames are answers.
    #[cfg(test)]
    pub(super) const fn answers(&self) -> usize {
        self.answers
    }

    /// Whether so many answers wait that no more questions should be read.
    pub(super) const fn has_many_answers(&self, capacity: Capacity) -> bool {
        self.answers > capacity.frames / 2 || self.bytes > capacity.bytes
    }

    /// Whether so much waits that nothing should be done that adds to it.
    pub(super) const fn is_much(&self, capacity: Capacity) -> bool {
        self.bytes >= ENOUGH_BYTES || self.has_many_answers(capacity)
    }

    /// Whether so many bytes more would be too much.
    pub(super) fn is_above(&self, capacity: Capacity, more_bytes: usize) -> bool {
        self.frames.len() >= capacity.frames || self.bytes + more_bytes > capacity.bytes
    }

    pub(super) fn push_answer(&mut self, bytes: Bytes) {
        self.add(bytes, true);
    }

    pub(super) fn push(&mut self, bytes: Bytes) {
        self.add(bytes, false);
    }

    fn add(&mut self, bytes: Bytes, is_answer: bool) {
        if !self.is_closed && !bytes.is_empty() {
            self.bytes += bytes.len();
            self.answers += usize::from(is_answer);
            self.frames.push_back(Frame { bytes, is_answer });
        }
    }

    /// Writes once, and forgets what was taken; how much that is.
    pub(super) fn write_to(&mut self, line: &dyn TryWrite) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); FRAMES_PER_WRITE];
        let mut count = 0;
        for (slice, frame) in slices.iter_mut().zip(&self.frames) {
            *slice = IoSlice::new(&frame.bytes);
            count += 1;
        }
        let written = line.try_write(&slices[..count])?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.forget(written);
        Ok(written)
    }

    fn forget(&mut self, mut written: usize) {
        self.bytes -= written;
        while written > 0 {
            let front = self.frames.front_mut().expect("what was taken had waited");
            let part = written.min(front.bytes.len());
            front.bytes.advance(part);
            written -= part;
            if front.bytes.is_empty() {
                self.answers -= usize::from(front.is_answer);
                self.frames.pop_front();
            }
        }
        if self.frames.is_empty() {
            // An idle socket keeps no memory for its last crowd, and a busy one seldom needs any.
            self.frames = VecDeque::new();
        }
    }
}
