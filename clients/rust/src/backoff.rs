//! How long to wait before trying again.

use std::time::Duration;

use crate::{Random, Settings};

/// Full jitter: anywhere between nothing and a bound that doubles with each attempt, so that the
/// clients of a restarted server do not come back all at once.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    most: Duration,
    random: Random,
    attempts: u32,
}

impl Backoff {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            first: settings.backoff_first,
            most: settings.backoff_most,
            random: settings.random.clone(),
            attempts: 0,
        }
    }

    /// The next wait, no shorter than the server asks for.
    pub(crate) fn next(&mut self, at_least: Duration) -> Duration {
        let bound = self
            .first
            .saturating_mul(1 << self.attempts.min(16))
            .min(self.most);
        self.attempts = self.attempts.saturating_add(1);
        // What the server asks for is the same for many: they are spread behind it.
        at_least + self.random.up_to(bound)
    }

    /// It worked.
    pub(crate) const fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_spread_below_a_bound_that_doubles_up_to_the_last() {
        let (first, most) = (Duration::from_millis(100), Duration::from_secs(2));
        let settings = Settings {
            backoff_first: first,
            backoff_most: most,
            random: Random::seeded(1),
            ..Settings::default()
        };
        let longest = |attempt: u32| {
            let waits = (0..500).map(|_| {
                let mut backoff = Backoff::new(&settings);
                for _ in 0..attempt {
                    backoff.next(Duration::ZERO);
                }
                backoff.next(Duration::ZERO)
            });
            waits.max().unwrap()
        };
        for (attempt, bound_ms) in [(0, 100), (1, 200), (3, 800), (5, 2_000), (40, 2_000)] {
            let bound = Duration::from_millis(bound_ms);
            assert!(
                longest(attempt) <= bound && longest(attempt) > bound * 9 / 10,
                "{attempt}"
            );
        }
        assert!(Backoff::new(&settings).next(most) >= most);
    }
}
