//! Buckets in the memory of this process: no more than a fixed number of them, and stricter rather than
//! more when there are too many keys.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use xxhash_rust::xxh3::xxh3_128;

use super::{Allowance, Limited, Taken};
use crate::{Clock, settings::Rate};

/// Cloning gives the same buckets.
#[derive(Clone)]
pub(super) struct Buckets {
    clock: Clock,
    state: Arc<Mutex<State>>,
    capacity: usize,
}

#[derive(Default)]
struct State {
    /// For each key, by its hash, when its bucket is full again: microseconds since 1970.
    full_at_us: HashMap<u128, i64>,
    swept_at_us: i64,
}

const CAPACITY: usize = 200_000;
/// Keys for which there is no room share so many buckets.
const OVERFLOW_BUCKETS: u128 = 1_024;
const SWEEP_EVERY_US: i64 = 1_000_000;

impl Buckets {
    pub(super) fn new(clock: Clock) -> Self {
        Self::with_capacity(clock, CAPACITY)
    }

    fn with_capacity(clock: Clock, capacity: usize) -> Self {
        Self {
            clock,
            state: Arc::default(),
            capacity,
        }
    }

    pub(super) fn take(&self, rate: Rate, key: &str, wanted: u32) -> Taken {
        let now_us = self.clock.now().unix_ms().saturating_mul(1_000);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = state.bucket(xxh3_128(key.as_bytes()), now_us, self.capacity);
        let full_at_us = state.full_at_us.entry(bucket).or_insert(now_us);
        take(rate, full_at_us, now_us, wanted)
    }
}

impl State {
    /// The bucket of a key: its own, or one that it shares when there is no room for another.
    fn bucket(&mut self, key: u128, now_us: i64, capacity: usize) -> u128 {
        if self.full_at_us.len() < capacity || self.full_at_us.contains_key(&key) {
            return key;
        }
        if now_us.abs_diff(self.swept_at_us) >= SWEEP_EVERY_US.unsigned_abs() {
            self.swept_at_us = now_us;
            self.full_at_us.retain(|_, full_at_us| *full_at_us > now_us);
        }
        if self.full_at_us.len() < capacity {
            key
        } else {
            key % OVERFLOW_BUCKETS
        }
    }
}

/// The generic cell rate algorithm: a bucket is the moment at which it is full again.
pub(super) fn take(rate: Rate, full_at_us: &mut i64, now_us: i64, wanted: u32) -> Taken {
    let every_us = i64::try_from(rate.every.as_micros())
        .unwrap_or(i64::MAX / 4)
        .max(1);
    let span_us = every_us.saturating_mul(i64::from(rate.burst.max(1)));
    // Never further ahead than an empty bucket: a clock that was set back locks nobody out.
    let base_us = (*full_at_us).clamp(now_us, now_us.saturating_add(span_us));
    let room = (now_us.saturating_add(span_us) - base_us) / every_us;
    let taken = room.min(i64::from(wanted));
    if taken < 1 {
        let wait_us = base_us.saturating_add(every_us) - now_us.saturating_add(span_us);
        return Err(Limited {
            limit: rate.burst,
            retry_after: micros(wait_us),
        });
    }
    *full_at_us = base_us.saturating_add(taken.saturating_mul(every_us));
    let count = |tokens: i64| u32::try_from(tokens).unwrap_or(u32::MAX);
    let allowance = Allowance {
        limit: rate.burst,
        remaining: count(room - taken),
        reset: micros(*full_at_us - now_us),
    };
    Ok((count(taken), allowance))
}

fn micros(span_us: i64) -> Duration {
    Duration::from_micros(u64::try_from(span_us).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use protocol::Timestamp;

    use super::*;

    const RATE: Rate = Rate {
        burst: 5,
        every: Duration::from_millis(100),
    };

    #[test]
    fn too_many_keys_are_stricter_and_take_no_more_memory() {
        let clock = Clock::manual(Timestamp::from_unix_ms(1_000_000));
        let buckets = Buckets::with_capacity(clock.clone(), 100);
        let allowed = (0..10_000)
            .filter(|key| buckets.take(RATE, &format!("key {key}"), 1).is_ok())
            .count();
        assert!(allowed <= 100 + 5 * 1_024, "{allowed}");
        assert!(buckets.state.lock().unwrap().full_at_us.len() <= 100 + 1_024);
        clock.advance(Duration::from_secs(10));
        assert!(
            buckets.take(RATE, "a new key", 1).is_ok(),
            "buckets that are full again make room"
        );
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let mut full_at_us = 1_000_000_000;
        assert!(take(RATE, &mut full_at_us, 1_000_000, 5).is_err());
        assert!(take(RATE, &mut full_at_us, 1_000_000 + 100_000, 1).is_err());
        let mut waits = 0;
        let mut now_us = 1_000_000;
        while take(RATE, &mut full_at_us, now_us, 1).is_err() {
            now_us += 100_000;
            waits += 1;
            assert!(waits <= 10_000, "locked out");
        }
    }

    proptest! {
        /// However takes fall in time, no span of time lets more through than a full bucket and what
        /// becomes free in it.
        #[test]
        fn no_more_goes_through_than_the_rate_allows(
            steps in prop::collection::vec((0_i64..300_000, 1_u32..8), 1..200),
        ) {
            let (mut now_us, mut full_at_us, mut taken) = (0, 0, 0);
            for (step_us, wanted) in steps {
                now_us += step_us;
                if let Ok((count, _)) = take(RATE, &mut full_at_us, now_us, wanted) {
                    taken += i64::from(count);
                }
                prop_assert!(taken <= 5 + now_us / 100_000);
            }
        }
    }
}
