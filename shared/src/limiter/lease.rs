//! What one node holds of a bucket that all nodes share: tokens taken out before they are needed. Pure:
//! asking Redis is the holder's work.
//!
//! How much goes through, over all nodes and in any span of time: what the rate allows; what was leased
//! out when the span began, at most [`LEASE`] a node; and what is lent at its end, at most the node's
//! share of a burst each, so at most one burst. What is lent is paid back before anything is leased
//! again, and a lease that nobody uses lapses after the time in which its tokens grow back.

use std::time::Duration;

use tokio::time::Instant;

use super::{Limited, Spending, Taken};
use crate::{redis_link::Away, settings::Rate};

/// Tokens of one bucket, on one node.
#[derive(Debug)]
pub(super) struct Lease {
    rate: Rate,
    held: u32,
    /// What went through before Redis could be asked: paid with the next tokens that it gives.
    owed: u32,
    word: Word,
    used_at: Instant,
}

/// What Redis said last.
#[derive(Clone, Copy, Debug)]
enum Word {
    /// Everything that was asked for, or nothing yet.
    Plenty,
    /// There is no more; there may be one from then on.
    Empty { until: Instant },
    /// Nothing. It is asked again from then on.
    Away { until: Instant },
}

/// What the holder does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Ask Redis for so many.
    Ask(u32),
    /// Nothing until then, or until more is used.
    Wait(Instant),
    /// Forget the lease: nobody used it for a while.
    End,
}

/// As many are leased at a time, if a bucket has that many twice.
const LEASE: u32 = 10;
/// A lease is kept for at least so long after its last use.
const KEPT: Duration = Duration::from_secs(1);
/// After a question that was not answered.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(500);

impl Lease {
    pub(super) fn new(rate: Rate, now: Instant) -> Self {
        Self {
            rate,
            held: 0,
            owed: 0,
            word: Word::Plenty,
            used_at: now,
        }
    }

    /// Takes a token. `share` takes one from this node's own share of the rate: without a token at hand
    /// it lends one, so that nobody waits to begin.
    pub(super) fn take(
        &mut self,
        now: Instant,
        share: impl FnOnce() -> Result<(), Limited>,
    ) -> Spending<()> {
        if now >= self.lapses_at() {
            self.held = 0;
        }
        self.used_at = now;
        if self.held > 0 {
            self.held -= 1;
            return Spending::Through;
        }
        match self.word {
            Word::Empty { until } if now < until => Spending::Refused(Limited {
                limit: self.rate.burst,
                retry_after: until - now,
            }),
            // Whoever owes is lent nothing.
            Word::Empty { .. } => Spending::Unsure(()),
            Word::Plenty => match share() {
                Ok(()) => {
                    self.owed += 1;
                    Spending::Through
                }
                Err(_) => Spending::Unsure(()),
            },
            // The share is what may go through meanwhile, and it is owed to nobody.
            Word::Away { .. } => match share() {
                Ok(()) => Spending::Through,
                Err(limited) => Spending::Refused(limited),
            },
        }
    }

    /// What is to be done now.
    pub(super) fn next(&self, now: Instant) -> Next {
        let lapses_at = self.lapses_at();
        let is_used = now < lapses_at;
        let wanted = match is_used {
            true if self.held > self.size() / 2 => 0,
            true => self.size() + self.owed - self.held,
            false => self.owed,
        };
        match (self.word, wanted) {
            (_, 0) if is_used => Next::Wait(lapses_at),
            (_, 0) => Next::End,
            (Word::Empty { until } | Word::Away { until }, _) if now < until => {
                Next::Wait(if self.owed == 0 {
                    until.min(lapses_at)
                } else {
                    until
                })
            }
            _ => Next::Ask(wanted),
        }
    }

    /// Takes in the answer to a question for `wanted`.
    pub(super) fn answered(&mut self, wanted: u32, answer: Result<Taken, Away>, now: Instant) {
        self.word = match answer {
            Ok(Ok((taken, _))) => {
                let paid = taken.min(self.owed);
                self.owed -= paid;
                self.held += taken - paid;
                if taken < wanted {
                    let until = now + self.rate.every;
                    Word::Empty { until }
                } else {
                    Word::Plenty
                }
            }
            Ok(Err(limited)) => Word::Empty {
                until: now + limited.retry_after,
            },
            Err(Away) => {
                self.owed = 0;
                Word::Away {
                    until: now + ASK_AGAIN_AFTER,
                }
            }
        };
    }

    fn size(&self) -> u32 {
        LEASE.min(self.rate.burst / 2).max(1)
    }

    /// When what is held is no longer good: its bucket has grown as much again, so nobody lost anything.
    fn lapses_at(&self) -> Instant {
        self.used_at + self.rate.every.saturating_mul(self.size()).max(KEPT)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{in_process, share},
        *,
    };

    const RATE: Rate = Rate {
        burst: 20,
        every: Duration::from_millis(200),
    };

    /// Several nodes, and the bucket that they share.
    struct World {
        begun: Instant,
        now: Instant,
        bucket_full_at_us: i64,
        nodes: Vec<Node>,
    }

    struct Node {
        lease: Lease,
        share_full_at_us: i64,
        asked: Option<Asked>,
    }

    /// A question under way.
    #[derive(Clone, Copy)]
    struct Asked {
        at: Instant,
        wanted: u32,
        /// What the bucket gave: it decides at once, and the node hears of it later.
        taken: Taken,
    }

    #[derive(Clone, Copy, Debug)]
    enum Act {
        Send,
        Answer,
    }

    /// As long may an answer take.
    const DEADLINE: Duration = Duration::from_millis(50);

    impl World {
        fn new(nodes: usize) -> Self {
            let now = Instant::now();
            let node = || Node {
                lease: Lease::new(RATE, now),
                share_full_at_us: 0,
                asked: None,
            };
            Self {
                begun: now,
                now,
                bucket_full_at_us: 0,
                nodes: std::iter::repeat_with(node).take(nodes).collect(),
            }
        }

        fn now_us(&self) -> i64 {
            i64::try_from((self.now - self.begun).as_micros()).unwrap()
        }

        fn send(&mut self, node: usize) -> Spending<()> {
            let (now_us, nodes) = (self.now_us(), u32::try_from(self.nodes.len()).unwrap());
            let node = &mut self.nodes[node];
            let full_at_us = &mut node.share_full_at_us;
            let share = || in_process::take(share(RATE, nodes), full_at_us, now_us, 1).map(drop);
            node.lease.take(self.now, share)
        }

        /// Lets time pass. Every node asks as soon as it is to, and hears within the deadline, if it
        /// hears anything.
        fn pass(&mut self, span: Duration, is_away: bool) {
            self.now += span;
            for node in 0..self.nodes.len() {
                let is_late = |asked: Asked| self.now >= asked.at + DEADLINE;
                if self.nodes[node].asked.is_some_and(is_late) {
                    self.answer(node, is_away);
                }
                self.ask(node);
            }
        }

        fn ask(&mut self, node: usize) {
            let now_us = self.now_us();
            let node = &mut self.nodes[node];
            if let (Next::Ask(wanted), None) = (node.lease.next(self.now), node.asked) {
                let taken = in_process::take(RATE, &mut self.bucket_full_at_us, now_us, wanted);
                node.asked = Some(Asked {
                    at: self.now,
                    wanted,
                    taken,
                });
            }
        }

        fn answer(&mut self, node: usize, is_away: bool) {
            let node = &mut self.nodes[node];
            if let Some(Asked { wanted, taken, .. }) = node.asked.take() {
                let answer = if is_away { Err(Away) } else { Ok(taken) };
                node.lease.answered(wanted, answer, self.now);
            }
        }

        /// Whether somebody who acts on a node after a pause gets something through.
        fn act(&mut self, (pause_ms, node, act): (u64, usize, Act), is_away: bool) -> bool {
            self.pass(Duration::from_millis(pause_ms), is_away);
            match act {
                Act::Send => {
                    let spent = self.send(node);
                    self.ask(node);
                    spent == Spending::Through
                }
                Act::Answer => {
                    self.answer(node, is_away);
                    false
                }
            }
        }
    }

    /// Three sends to an answer that is early.
    fn acts() -> impl Strategy<Value = Vec<(u64, usize, Act)>> {
        let act = prop::sample::select(&[Act::Send, Act::Send, Act::Send, Act::Answer]);
        prop::collection::vec((0_u64..60, 0_usize..3, act), 1..500)
    }

    proptest! {
        /// However questions and answers fall in time, in no span does more go through than the module
        /// says.
        #[test]
        fn no_more_goes_through_than_is_allowed_leased_and_lent(acts in acts()) {
            let mut world = World::new(3);
            let (leased, lent) = (3 * LEASE, 3 * (RATE.burst / 3));
            let mut through: Vec<Duration> = Vec::new();
            for act in acts {
                if world.act(act, false) {
                    through.push(world.now - world.begun);
                }
                let owed: u32 = world.nodes.iter().map(|node| node.lease.owed).sum();
                prop_assert!(owed <= lent, "{owed} are lent");
                let since_the_beginning = u32::try_from(through.len()).unwrap();
                let grown = u32::try_from(world.now_us() / 200_000).unwrap();
                prop_assert!(since_the_beginning <= RATE.burst + grown + owed);
            }
            for (first, from) in through.iter().enumerate() {
                for (count, until) in (1_u32..).zip(&through[first..]) {
                    let grown = u32::try_from((*until - *from).as_millis() / 200).unwrap() + 1;
                    prop_assert!(count <= RATE.burst + grown + leased + lent);
                }
            }
        }

        /// While Redis answers nothing, each node lets its share through and no more.
        #[test]
        fn without_answers_it_is_stricter(acts in acts()) {
            let mut world = World::new(3);
            let mut through = [0_i64; 3];
            for act in acts {
                through[act.1] += i64::from(world.act(act, true));
                prop_assert!(through[act.1] <= 6 + world.now_us() / 600_000);
            }
        }

        /// Who keeps to the rate is never refused and never waits, also when an answer takes a while.
        #[test]
        fn who_keeps_to_the_rate_waits_for_nothing(
            pauses_ms in prop::collection::vec(200_u64..5_000, 1..200),
        ) {
            let mut world = World::new(1);
            for pause_ms in pauses_ms {
                prop_assert_eq!(world.send(0), Spending::Through);
                world.pass(Duration::ZERO, false);
                world.pass(DEADLINE, false);
                world.pass(Duration::from_millis(pause_ms) - DEADLINE, false);
            }
        }
    }

    #[test]
    fn what_was_lent_is_paid_before_the_lease_is_forgotten() {
        let mut world = World::new(1);
        assert_eq!(world.send(0), Spending::Through);
        world.now += Duration::from_secs(60);
        assert_eq!(world.nodes[0].lease.next(world.now), Next::Ask(1));
        world.pass(Duration::ZERO, false);
        world.pass(DEADLINE, false);
        assert_eq!(world.nodes[0].lease.next(world.now), Next::End);
    }
}
