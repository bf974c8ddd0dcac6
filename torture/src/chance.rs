//! Chance, repeated by its seed.

use std::time::Duration;

use client::Random;

/// What a run asks of chance.
pub(crate) trait Chance {
    /// One of so many.
    fn below(&self, count: usize) -> usize;

    /// Whether something of so many percent happens.
    fn percent(&self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of these.
    fn pick<'a, T>(&self, list: &'a [T]) -> Option<&'a T> {
        list.get(self.below(list.len()))
    }

    /// Any time between the two, by its size: as often between 1 and 2 as between 2 and 4.
    fn span(&self, least: Duration, most: Duration) -> Duration;

    /// Mixes a list.
    fn mix<T>(&self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.below(last + 1));
        }
    }
}

impl Chance for Random {
    fn below(&self, count: usize) -> usize {
        let count = u64::try_from(count.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.bits() % count).unwrap_or(0)
    }

    fn span(&self, least: Duration, most: Duration) -> Duration {
        let thousandth = f64::from(u32::try_from(self.bits() % 1_001).unwrap_or(0)) / 1_000.0;
        let (least, most) = (least.as_secs_f64(), most.max(least).as_secs_f64());
        Duration::from_secs_f64(least * (most / least).powf(thousandth))
    }
}
