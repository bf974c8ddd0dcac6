//! Whether a peer is still there, still reading, and still allowed. Pure: it is told the time.

use protocol::frame::CloseReason;
use tokio::time::{Duration, Instant};

/// The times that matter to one socket.
#[derive(Debug)]
pub(super) struct Pulse {
    ping_at: Instant,
    heard_at: Instant,
    expires_at: Instant,
    /// Since when the kernel has taken nothing of what waits, and how much it had taken by then. Mostly nothing
    /// waits.
    stalled: Option<Box<(Instant, u64)>>,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing.
    Nothing,
    /// A ping.
    Ping,
    /// The end.
    End(CloseReason),
    /// The end of a peer that cannot even be told.
    Lost,
}

/// How often the server pings.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(25);
/// A peer that is silent for so long is gone.
const SILENCE: Duration = Duration::from_secs(60);
/// A peer that takes nothing for so long is too slow.
const STALL: Duration = Duration::from_secs(30);

impl Pulse {
    pub(super) fn new(now: Instant, expires_at: Instant) -> Self {
        Self {
            ping_at: now + HEARTBEAT,
            heard_at: now,
            expires_at,
            stalled: None,
        }
    }

    /// The peer said something.
    pub(super) const fn heard(&mut self, now: Instant) {
        self.heard_at = now;
    }

    /// The access token was renewed.
    pub(super) const fn renew(&mut self, expires_at: Instant) {
        self.expires_at = expires_at;
    }

    /// So many bytes wait and so many were written until now.
    pub(super) fn watch(&mut self, now: Instant, queued_bytes: usize, written_bytes: u64) {
        if queued_bytes == 0 {
            self.stalled = None;
            return;
        }
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::new((now, written_bytes)));
        if stalled.1 != written_bytes {
            **stalled = (now, written_bytes);
        }
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Instant {
        let stalled = self.stalled_until();
        let times = [self.ping_at, self.heard_at + SILENCE, self.expires_at];
        times
            .into_iter()
            .chain(stalled)
            .min()
            .expect("three is more than none")
    }

    fn stalled_until(&self) -> Option<Instant> {
        self.stalled.as_ref().map(|stalled| stalled.0 + STALL)
    }

    /// What is due at `now`.
    pub(super) fn due(&mut self, now: Instant) -> Due {
        if now >= self.expires_at {
            Due::End(CloseReason::SessionEnded)
        } else if self.stalled_until().is_some_and(|until| now >= until) {
            Due::End(CloseReason::TooSlow)
        } else if now >= self.heard_at + SILENCE {
            Due::Lost
        } else if now >= self.ping_at {
            self.ping_at = now + HEARTBEAT;
            Due::Ping
        } else {
            Due::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR: Duration = Duration::from_secs(365 * 86_400);

    /// Goes from deadline to deadline and answers what was due, and when.
    fn follow(mut pulse: Pulse, start: Instant, reading: bool, hears: bool) -> Vec<(u64, Due)> {
        let mut seen = Vec::new();
        let mut now = start;
        for written in 0_u64..8 {
            if hears {
                pulse.heard(now);
            }
            pulse.watch(now, 1, if reading { written } else { 0 });
            now = pulse.deadline();
            let due = pulse.due(now);
            seen.push(((now - start).as_secs(), due));
            if !matches!(due, Due::Ping | Due::Nothing) {
                break;
            }
        }
        seen
    }

    #[test]
    fn a_silent_peer_is_pinged_twice_and_lost() {
        let start = Instant::now();
        let seen = follow(Pulse::new(start, start + YEAR), start, true, false);
        assert_eq!(seen, [(25, Due::Ping), (50, Due::Ping), (60, Due::Lost)]);
    }

    #[test]
    fn a_peer_that_reads_nothing_is_too_slow() {
        let start = Instant::now();
        let seen = follow(Pulse::new(start, start + YEAR), start, false, true);
        assert_eq!(
            seen,
            [(25, Due::Ping), (30, Due::End(CloseReason::TooSlow))]
        );
    }

    #[test]
    fn a_token_ends_unless_it_is_renewed() {
        let start = Instant::now();
        let mut pulse = Pulse::new(start, start + Duration::from_secs(10));
        pulse.renew(start + Duration::from_secs(20));
        let seen = follow(pulse, start, true, true);
        assert_eq!(seen, [(20, Due::End(CloseReason::SessionEnded))]);
    }
}
