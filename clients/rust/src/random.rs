//! Where chance comes from; passed in, so that a test can repeat a run by its seed.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use protocol::text::ClientId;
use uuid::{Builder, Uuid};

/// A source of random numbers. Cloning gives the same one.
#[derive(Clone)]
pub struct Random(Source);

#[derive(Clone)]
enum Source {
    System,
    Seeded(Arc<AtomicU64>),
}

/// The step of `splitmix64`, an odd number near 2⁶⁴ divided by the golden ratio.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

impl Random {
    /// What the system has to offer.
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// The same numbers for the same seed.
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded(Arc::new(AtomicU64::new(seed))))
    }

    /// A number of 64 random bits.
    pub fn bits(&self) -> u64 {
        match &self.0 {
            Source::System => {
                // Of a random UUID four bits at the front of its second half are fixed; the first
                // half has six fixed ones elsewhere.
                let (high, low) = Uuid::new_v4().as_u64_pair();
                high.rotate_left(32) ^ low
            }
            Source::Seeded(state) => {
                let mut bits = state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
                bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
                bits ^ (bits >> 31)
            }
        }
    }

    /// Anywhere up to `most`, in whole milliseconds.
    pub fn up_to(&self, most: Duration) -> Duration {
        let most_ms = u64::try_from(most.as_millis()).unwrap_or(u64::MAX - 1);
        Duration::from_millis(self.bits() % (most_ms + 1))
    }

    /// A new name for a message.
    pub(crate) fn client_id(&self) -> ClientId {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.bits().to_be_bytes());
        bytes[8..].copy_from_slice(&self.bits().to_be_bytes());
        let id = Builder::from_random_bytes(bytes).into_uuid().to_string();
        ClientId::parse(&id).expect("a uuid is printable and short")
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Source::System => "Random::system",
            Source::Seeded(_) => "Random::seeded",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself_and_stays_within_bounds() {
        let (one, other) = (Random::seeded(7), Random::seeded(7));
        let second = Duration::from_secs(1);
        for _ in 0..1_000 {
            assert_eq!(one.client_id(), other.client_id());
            let span = one.up_to(second);
            assert_eq!(span, other.up_to(second));
            assert!(span <= second);
        }
        assert_eq!(Random::system().up_to(Duration::ZERO), Duration::ZERO);
    }
}
