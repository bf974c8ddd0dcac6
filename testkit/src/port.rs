//! Ports that nobody else is handed.

use std::{
    collections::{BTreeSet, hash_map::RandomState},
    hash::BuildHasher,
    net::TcpListener,
    ops::Range,
    sync::Mutex,
};

/// Below the range from which systems take the ports of outgoing connections: a server that is down for
/// a moment must find its port free when it starts again, however many clients are dialling.
const RANGE: Range<u16> = 12_000..32_000;

static HANDED_OUT: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A TCP port of `127.0.0.1` on which nothing listens, and which this process is never given again.
///
/// # Panics
/// When no port is free.
pub fn free_port() -> u16 {
    let mut handed_out = HANDED_OUT
        .lock()
        .expect("nothing panics while holding this");
    let random = RandomState::new();
    (0..10_000_u32)
        .map(|attempt| {
            let offset = random.hash_one(attempt) % u64::from(RANGE.end - RANGE.start);
            RANGE.start + u16::try_from(offset).expect("an offset within the range")
        })
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok() && handed_out.insert(*port))
        .expect("a free port")
}
