//! When to ask a socket for a sign of life, and when it has been silent for too long. Pure: it is told
//! the time.

use std::time::Duration;

use tokio::time::Instant;

use crate::Settings;

/// The times that matter to one socket.
#[derive(Debug)]
pub(super) struct Pulse {
    every: Duration,
    within: Duration,
    ping_at: Instant,
    /// When to ask although it speaks: something may be missing among what it says.
    ping_by: Instant,
    /// When the answer to a ping is overdue.
    silent_at: Option<Instant>,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// A ping.
    Ping,
    /// The end of the socket.
    Lost,
}

/// A socket that speaks all the time is asked so many times less often than one that is silent.
const BUSY: u32 = 5;
/// How soon to look again at a room whose latest event may be on its way.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

impl Pulse {
    pub(super) fn new(now: Instant, settings: &Settings) -> Self {
        let (every, within) = (settings.ping_every, settings.answer_within);
        Self {
            every,
            within,
            ping_at: now + every,
            ping_by: now + every * BUSY,
            silent_at: None,
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        let ping_at = self.ping_at.min(self.ping_by);
        self.silent_at.map_or(ping_at, |at| at.min(ping_at))
    }

    /// What is due at `now`; a ping counts as sent.
    pub(super) fn due(&mut self, now: Instant) -> Due {
        if self.silent_at.is_some_and(|at| now >= at) {
            return Due::Lost;
        }
        if now < self.ping_at.min(self.ping_by) {
            return Due::Nothing;
        }
        self.ping_at = now + self.every;
        self.ping_by = now + self.every * BUSY;
        self.silent_at.get_or_insert(now + self.within);
        Due::Ping
    }

    /// Anything came: the socket lives.
    pub(super) fn heard(&mut self, now: Instant) {
        self.silent_at = None;
        self.ping_at = now + self.every;
    }

    /// Something may be missing: asks soon.
    pub(super) fn look_again(&mut self, now: Instant) {
        self.ping_by = self.ping_by.min(now + LOOK_AGAIN);
    }

    /// Something is missing: asks at once.
    pub(super) fn doubt(&mut self, now: Instant) {
        self.ping_by = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_socket_is_asked_and_then_given_up() {
        let (every, within) = (Duration::from_secs(5), Duration::from_secs(8));
        let settings = Settings {
            ping_every: every,
            answer_within: within,
            ..Settings::default()
        };
        let start = Instant::now();
        let mut pulse = Pulse::new(start, &settings);
        assert_eq!(pulse.due(start), Due::Nothing);
        assert_eq!(pulse.due(pulse.deadline()), Due::Ping);
        let heard = start + every + Duration::from_secs(1);
        pulse.heard(heard);
        assert_eq!(pulse.deadline(), heard + every);
        assert_eq!(pulse.due(heard + every), Due::Ping);
        // More questions do not win it more time.
        assert_eq!(pulse.due(heard + every * 2), Due::Ping);
        assert_eq!(pulse.deadline(), heard + every + within);
        assert_eq!(pulse.due(pulse.deadline()), Due::Lost);
    }

    #[test]
    fn a_socket_that_speaks_all_the_time_is_asked_now_and_then() {
        let settings = Settings::default();
        let start = Instant::now();
        let mut pulse = Pulse::new(start, &settings);
        let mut pings = 0;
        let step = settings.ping_every / 10;
        for turn in 1..=100 {
            let now = start + step * turn;
            pulse.heard(now);
            pings += u32::from(pulse.due(now) == Due::Ping);
        }
        assert_eq!(pings, 10 / BUSY);
    }
}
