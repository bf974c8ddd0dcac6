//! What is left to chance, told by a seed: the same questions in the same order have the same answers.

use std::{ops::Range, time::Duration};

/// A stream of numbers. Two streams of one seed but different names do not disturb each other.
#[derive(Clone, Debug)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64, name: &str) -> Self {
        let mut chance = Self(seed);
        for byte in name.bytes() {
            chance.0 = chance.next() ^ u64::from(byte);
        }
        chance
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number of a range that is not empty.
    pub(super) fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    /// The place of one of `count` things.
    pub(super) fn index(&mut self, count: usize) -> usize {
        usize::try_from(self.within(0..count as u64)).expect("it is less than a usize")
    }

    /// One of some things.
    pub(super) fn one_of<T: Copy>(&mut self, things: &[T]) -> T {
        things[self.index(things.len())]
    }

    /// Whether something happens that happens so often in a thousand.
    pub(super) fn per_mille(&mut self, often: u64) -> bool {
        self.within(0..1_000) < often
    }

    /// A time in milliseconds.
    pub(super) fn ms(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.within(range))
    }
}
