//! Periods: lexemes that say when a stretch ended, so that of words that very many stretches have, only those of some
//! time are looked up. It does not know how long a time is to be.

use protocol::Timestamp;

/// How long periods are, as powers of two of a millisecond: from 16 seconds on, each size eight times the one
/// before, up to a year.
const SIZES: [u32; 8] = [14, 17, 20, 23, 26, 29, 32, 35];
/// Most periods that are asked for at once. At least two of them are: of the next smaller size they were too many.
const AT_ONCE: i64 = 16;

/// A time, as the periods that it is made of.
pub(super) struct Time {
    /// When the first of them begins.
    pub(super) since: Timestamp,
    /// What a stretch that ended in one of them has.
    pub(super) lexemes: Vec<String>,
}

impl Time {
    /// The shortest that reaches from one moment to another, both included; nothing if it is longer than sixteen years.
    pub(super) fn between(first: Timestamp, last: Timestamp) -> Option<Self> {
        let number = |at: Timestamp, size| at.unix_ms() >> size;
        let is_few = |size: &u32| number(last, *size) - number(first, *size) < AT_ONCE;
        let size = SIZES.into_iter().find(is_few)?;
        let numbers = number(first, size)..=number(last, size);
        Some(Self {
            since: Timestamp::from_unix_ms(numbers.start() << size),
            lexemes: numbers.map(|number| name(size, number)).collect(),
        })
    }
}

/// The periods that a moment is in, one of each size.
pub(super) fn periods_of(at: Timestamp) -> impl Iterator<Item = String> {
    SIZES
        .into_iter()
        .map(move |size| name(size, at.unix_ms() >> size))
}

/// Longer than any part of a word.
fn name(size: u32, number: i64) -> String {
    format!("t{size}x{number}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever ended in a time has one of its periods, and what ended before it has none.
        #[test]
        fn a_time_has_what_ended_in_it(
            first in 0_i64..4_000_000_000_000, ms in 0_i64..400_000_000_000, of_all in 0.0..1.0_f64,
        ) {
            #[expect(clippy::cast_possible_truncation, reason = "any moment between the two will do")]
            let at = first + (ms as f64 * of_all) as i64;
            let [from, at, last] = [first, at, first + ms].map(Timestamp::from_unix_ms);
            let time = Time::between(from, last).unwrap();
            let ended_in_it = |at| periods_of(at).any(|period| time.lexemes.contains(&period));
            prop_assert!(ended_in_it(from) && ended_in_it(at) && ended_in_it(last));
            prop_assert!(time.since <= from && ended_in_it(time.since));
            prop_assert!(!ended_in_it(Timestamp::from_unix_ms(time.since.unix_ms() - 1)));
        }
    }
}
