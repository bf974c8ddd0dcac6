//! The time, and ids that are ordered by it; passed in wherever either is needed.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use protocol::{Timestamp, ids::Id};
use time::OffsetDateTime;
use uuid::{Builder, Uuid};

/// Tells the time. Cloning gives the same clock.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The clock of this machine.
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `start` until it is moved with [`Clock::advance`].
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(start.unix_ms()))))
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            #[expect(
                clippy::disallowed_methods,
                reason = "this is the one place that asks the machine"
            )]
            Source::System => OffsetDateTime::now_utc().into(),
            Source::Manual(ms) => Timestamp::from_unix_ms(ms.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock on; that of the machine moves by itself.
    pub fn advance(&self, span: Duration) {
        if let Source::Manual(ms) = &self.0 {
            let span_ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
            ms.fetch_add(span_ms, Ordering::SeqCst);
        }
    }

    /// A new UUIDv7 of the present moment.
    pub fn id<K>(&self) -> Id<K> {
        let ms = u64::try_from(self.now().unix_ms()).unwrap_or(0);
        // Of a random UUID some bits in the middle are fixed; these are not.
        let [a, b, c, d, e, f, .., g, h, i, j] = Uuid::new_v4().into_bytes();
        let random = [a, b, c, d, e, f, g, h, i, j];
        Id::from_uuid(Builder::from_unix_timestamp_millis(ms, &random).into_uuid())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Source::System => f.write_str("Clock::system"),
            Source::Manual(_) => write!(f, "Clock::manual({})", self.now()),
        }
    }
}
