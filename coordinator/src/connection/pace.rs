//! How fast one socket may speak. Pure; other limits are shared by all of a user's sockets and are
//! not kept here.

use shared::settings::{Rate, Rates};
use tokio::time::{Duration, Instant};

/// The frames of one socket.
#[derive(Debug)]
pub(super) struct Pace {
    frames: Bucket,
    /// How many refusals are suffered before it counts as flooding.
    patience: Bucket,
}

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paced {
    /// It is heard.
    Heard,
    /// It is refused; after so long one is heard.
    Refused(Duration),
    /// It is one of very many that are refused.
    Flooding,
}

/// So many bursts of refused frames are answered by errors: a program that forgot to pace itself
/// learns of it, one that does not listen is closed.
const PATIENCE_BURSTS: u32 = 100;

impl Pace {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            frames: Bucket { full_at: now },
            patience: Bucket { full_at: now },
        }
    }

    /// One more frame, where these rates hold.
    pub(super) fn frame(&mut self, rates: &Rates, now: Instant) -> Paced {
        if !rates.on {
            return Paced::Heard;
        }
        let Err(wait) = self.frames.take(rates.frames, now) else {
            return Paced::Heard;
        };
        let Rate { burst, every } = rates.frames;
        let patience = Rate {
            burst: burst.saturating_mul(PATIENCE_BURSTS),
            every,
        };
        match self.patience.take(patience, now) {
            Err(_) => Paced::Flooding,
            Ok(()) => Paced::Refused(wait),
        }
    }
}

/// A token bucket, told by the one moment at which it is full again.
#[derive(Debug)]
struct Bucket {
    full_at: Instant,
}

impl Bucket {
    fn take(&mut self, rate: Rate, now: Instant) -> Result<(), Duration> {
        let full_at = self.full_at.max(now) + rate.every;
        let latest = now + rate.every * rate.burst;
        if full_at > latest {
            return Err(full_at - latest);
        }
        self.full_at = full_at;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_more_are_heard_than_the_rate_allows(gaps_ms in proptest::collection::vec(0_u64..300, 1..500)) {
            let rates = Rates::default();
            let start = Instant::now();
            let mut pace = Pace::new(start);
            let mut now = start;
            let mut heard = 0;
            for gap_ms in gaps_ms {
                now += Duration::from_millis(gap_ms);
                match pace.frame(&rates, now) {
                    Paced::Heard => heard += 1,
                    Paced::Refused(wait) => {
                        prop_assert_eq!(pace.frame(&rates, now + wait), Paced::Heard);
                        now += wait;
                        heard += 1;
                    }
                    Paced::Flooding => prop_assert!(false, "closed by 500 frames"),
                }
                let refilled = (now - start).as_millis() / rates.frames.every.as_millis();
                prop_assert!(heard <= u128::from(rates.frames.burst) + refilled);
            }
        }
    }

    #[test]
    fn three_thousand_at_once_are_refused_and_a_flood_is_closed() {
        let now = Instant::now();
        let (rates, mut pace) = (Rates::default(), Pace::new(now));
        let frames: Vec<_> = (0..3_000).map(|_| pace.frame(&rates, now)).collect();
        assert_eq!(
            frames
                .iter()
                .filter(|paced| **paced == Paced::Heard)
                .count(),
            60
        );
        assert!(!frames.contains(&Paced::Flooding));
        assert!((0..10_000).any(|_| pace.frame(&rates, now) == Paced::Flooding));
    }

    #[test]
    fn without_limits_everything_is_heard() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        let rates = Rates {
            on: false,
            ..Rates::default()
        };
        assert!((0..100_000).all(|_| pace.frame(&rates, now) == Paced::Heard));
    }
}
