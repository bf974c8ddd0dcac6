//! What all parts of one run share: the time, what happened so far, and the switches that break
//! something on purpose.

use std::{
    fmt::Arguments,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use protocol::Timestamp;
use tracing::debug;

/// One run.
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) broken: Option<Broken>,
    /// When the driver looked last, in milliseconds.
    looked_ms: AtomicU64,
    ids: AtomicU64,
    trace: Mutex<Trace>,
}

/// A fault that the checks must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The store stores what is sent twice twice.
    StoresTwice,
    /// A node answers before the store has committed.
    AcksEarly,
    /// A socket that missed something is sent what comes next all the same.
    NoDeliveryRule,
    /// A gateway does not notice that something was lost on its way to it.
    NoticesNoLoss,
    /// A node forgets messages that another asks it to store.
    ForgetsMessages,
}

#[derive(Default)]
struct Trace {
    lines: Vec<String>,
    hash: u64,
}

/// Lines that are kept to be shown.
const KEPT_LINES: usize = 200_000;

impl World {
    pub(super) fn new(seed: u64, broken: Option<Broken>) -> Self {
        Self {
            seed,
            broken,
            looked_ms: AtomicU64::new(0),
            ids: AtomicU64::new(0),
            trace: Mutex::default(),
        }
    }

    pub(super) fn is_broken(&self, how: Broken) -> bool {
        self.broken == Some(how)
    }

    /// Milliseconds since the start.
    pub(super) fn now_ms(&self) -> u64 {
        let within = turmoil::sim_elapsed();
        let within = within.map(|elapsed| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
        within.unwrap_or_else(|| self.looked_ms.load(Ordering::Relaxed))
    }

    /// What the clocks of all machines say.
    pub(super) fn now(&self) -> Timestamp {
        let ms = i64::try_from(self.now_ms()).unwrap_or(i64::MAX);
        Timestamp::from_unix_ms(1_763_800_000_000 + ms)
    }

    /// Notes the time outside of all machines.
    pub(super) fn look(&self, ms: u64) {
        self.looked_ms.store(ms, Ordering::Relaxed);
    }

    /// A number that nothing else has.
    pub(super) fn unique(&self) -> u128 {
        u128::from(self.ids.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Writes down what happens.
    pub(super) fn note(&self, what: Arguments<'_>) {
        let line = format!("{:>6} {what}", self.now_ms());
        debug!("{line}");
        let mut trace = self.trace.lock().expect("nothing panics while it notes");
        trace.hash = fnv(trace.hash, &line);
        if trace.lines.len() < KEPT_LINES {
            trace.lines.push(line);
        }
    }

    /// What tells this run from others.
    pub(super) fn hash(&self) -> u64 {
        self.trace
            .lock()
            .expect("nothing panics while it notes")
            .hash
    }

    /// Everything that happened.
    pub(super) fn lines(&self) -> Vec<String> {
        let trace = self.trace.lock().expect("nothing panics while it notes");
        trace.lines.clone()
    }
}

/// FNV-1a over a line, going on from the hash so far.
fn fnv(so_far: u64, line: &str) -> u64 {
    line.bytes()
        .fold(so_far ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
}

/// Notes what happens in a [`World`].
macro_rules! note {
    ($world:expr, $($what:tt)*) => { $world.note(format_args!($($what)*)) };
}
pub(super) use note;
