//! How patient a client is, and how much it keeps.

use std::time::Duration;

use crate::{Random, pki_types::CertificateDer};

/// How patient a client is, and how much it keeps. The defaults suit a program that is used by a
/// person; `..Settings::default()` changes some.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The first bound of the wait before reconnecting; it doubles with each attempt.
    pub backoff_first: Duration,
    /// The last bound of that wait.
    pub backoff_most: Duration,
    /// A socket that says nothing for so long is asked whether it lives, and what it may have lost. One
    /// that says a lot is asked too, but seldom.
    pub ping_every: Duration,
    /// A socket that is silent for so long after such a question is given up.
    pub answer_within: Duration,
    /// A socket that is not ready after so long is given up.
    pub ready_within: Duration,
    /// What has no answer after so long is said again; a message under its own name, which stores it
    /// once.
    pub ack_within: Duration,
    /// The longest that an HTTP call may take.
    pub request_within: Duration,
    /// While nobody answers, an HTTP call that does no harm twice is made again for so long: one that only
    /// reads, or the sending of a message, which has a name.
    pub retry_for: Duration,
    /// Messages that may wait for their acks. When so many do, [`crate::Room::submit`] waits and
    /// [`crate::Room::try_submit`] answers [`crate::Error::Busy`].
    pub outbox: usize,
    /// Messages that may be under way at once; never more than one in each room.
    pub sends_at_once: usize,
    /// Deliveries of one room that may wait for the program. When so many do, the room's events are
    /// left at the server until half of them are taken, and then resumed; other rooms go on.
    pub deliveries: usize,
    /// Whether a room of which more was missed than a socket gives, which is 500 events, is read over
    /// HTTP up to the last one. Then [`crate::Delivery::Reset`] only ever tells of another history.
    /// For programs that keep a log; who shows the latest to a person does better without.
    pub complete: bool,
    /// Certificates to trust beside those that browsers trust, for a server whose own stands on none of
    /// them.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// Where chance comes from.
    pub random: Random,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            backoff_first: Duration::from_millis(500),
            backoff_most: Duration::from_secs(30),
            // Together with the opening of another socket this is less than 6 s, which is how long a
            // server that is stopped or cut off may be felt.
            ping_every: Duration::from_secs(2),
            answer_within: Duration::from_secs(3),
            ready_within: Duration::from_secs(5),
            ack_within: Duration::from_secs(15),
            request_within: Duration::from_secs(30),
            retry_for: Duration::from_secs(5),
            outbox: 1_024,
            sends_at_once: 64,
            deliveries: 1_024,
            complete: false,
            extra_roots: Vec::new(),
            random: Random::system(),
        }
    }
}
