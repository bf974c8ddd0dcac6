//! What is broken, and when: a list made from a seed before anything starts.

use std::{fmt, str::FromStr, time::Duration};

use client::Random;
use serde::Serialize;

use crate::chance::Chance as _;

/// A way to break something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// A coordinator is killed (`kill -9`) and started again.
    Kill,
    /// A coordinator is stopped (SIGSTOP) and goes on.
    Pause,
    /// A coordinator is asked to end (SIGTERM) and started again.
    Drain,
    /// Every coordinator in turn is drained and started again.
    Rolling,
    /// Handlers are killed and started again.
    KillHandlers,
    /// Handlers are stopped and go on.
    PauseHandlers,
    /// Clients and a coordinator hear nothing of each other.
    CutClients,
    /// Two coordinators hear nothing of each other.
    CutNodes,
    /// A coordinator and PostgreSQL hear nothing of each other.
    CutDatabase,
    /// A coordinator and Redis hear nothing of each other.
    CutRedis,
    /// Every connection of a coordinator breaks.
    Reset,
    /// Every link of a coordinator is slow.
    Slow,
    /// PostgreSQL is killed and started again.
    KillDatabase,
    /// The database ends the sessions of a coordinator.
    Backends,
    /// Redis is killed and started again, empty.
    KillRedis,
    /// Redis is stopped and goes on.
    PauseRedis,
    /// Every client that minds its own socket drops it at once.
    Stampede,
}

impl Kind {
    /// All, with their words and what they are for a person.
    pub(crate) const ALL: [(Self, &'static str, &'static str); 17] = [
        (
            Self::Kill,
            "kill",
            "a coordinator is killed (-9), and started again",
        ),
        (
            Self::Pause,
            "pause",
            "a coordinator is stopped (SIGSTOP), and goes on",
        ),
        (
            Self::Drain,
            "drain",
            "a coordinator is drained (SIGTERM), and started again",
        ),
        (
            Self::Rolling,
            "rolling",
            "every coordinator in turn is drained and started again",
        ),
        (
            Self::KillHandlers,
            "kill-handlers",
            "handlers are killed, and started again",
        ),
        (
            Self::PauseHandlers,
            "pause-handlers",
            "handlers are stopped, and go on",
        ),
        (
            Self::CutClients,
            "cut-clients",
            "clients are cut off from a coordinator",
        ),
        (
            Self::CutNodes,
            "cut-nodes",
            "two coordinators are cut off from each other",
        ),
        (
            Self::CutDatabase,
            "cut-database",
            "a coordinator is cut off from PostgreSQL",
        ),
        (
            Self::CutRedis,
            "cut-redis",
            "a coordinator is cut off from Redis",
        ),
        (
            Self::Reset,
            "reset",
            "every connection of a coordinator breaks",
        ),
        (Self::Slow, "slow", "every link of a coordinator is slow"),
        (
            Self::KillDatabase,
            "kill-database",
            "PostgreSQL is killed, and started again",
        ),
        (
            Self::Backends,
            "backends",
            "the database sessions of a coordinator are ended",
        ),
        (
            Self::KillRedis,
            "kill-redis",
            "Redis is killed, and started again",
        ),
        (
            Self::PauseRedis,
            "pause-redis",
            "Redis is stopped, and goes on",
        ),
        (
            Self::Stampede,
            "stampede",
            "clients drop their sockets at once",
        ),
    ];

    /// What may be done to a system that somebody else runs.
    pub(crate) const OF_OTHERS: [Self; 2] = [Self::Backends, Self::Stampede];

    /// Its word.
    pub(crate) fn as_str(self) -> &'static str {
        self.row().1
    }

    /// What it is, for a person.
    pub(crate) fn about(self) -> &'static str {
        self.row().2
    }

    /// Whether it needs a second coordinator.
    const fn needs_two(self) -> bool {
        matches!(self, Self::CutNodes)
    }

    fn row(self) -> &'static (Self, &'static str, &'static str) {
        let mut rows = Self::ALL.iter();
        rows.find(|(kind, ..)| *kind == self)
            .expect("every kind has a row")
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let mut rows = Self::ALL.iter();
        match rows.find(|(_, known, _)| *known == word) {
            Some((kind, ..)) => Ok(*kind),
            None => {
                let known: Vec<_> = Self::ALL.iter().map(|(_, word, _)| *word).collect();
                Err(format!(
                    "no such fault; there are: all, {}",
                    known.join(", ")
                ))
            }
        }
    }
}

/// Which direction of a link is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Direction {
    /// Nothing passes.
    Both,
    /// What who dials says does not arrive.
    There,
    /// What who is dialled says does not arrive.
    Back,
}

/// One thing that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Fault {
    /// How.
    pub(crate) kind: Kind,
    /// The number of the coordinator, or of the handlers, that it is about.
    pub(crate) node: usize,
    /// That of the coordinator at the other end.
    pub(crate) other: usize,
    /// Which direction of a link.
    pub(crate) direction: Direction,
    /// For how long it stays broken.
    pub(crate) hold: Duration,
    /// How long after that everything is left in peace.
    pub(crate) calm: Duration,
}

/// What the plan is made for.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    /// How long all of it may take.
    pub(crate) duration: Duration,
    /// What may be done.
    pub(crate) kinds: Vec<Kind>,
    /// How many coordinators there are.
    pub(crate) coordinators: usize,
}

/// The longest that something stays broken, in a long run.
const HOLD_MAX: Duration = Duration::from_secs(60);
/// The longest that is then left for recovering.
const CALM_MAX: Duration = Duration::from_secs(8);
/// The shortest.
const HOLD_MIN: Duration = Duration::from_secs(1);
const SECOND: Duration = Duration::from_secs(1);

/// The same list for the same seed: every kind once before any comes again.
pub(crate) fn plan(seed: u64, stage: &Stage) -> Vec<Fault> {
    let random = Random::seeded(seed);
    let hold_max = (stage.duration / 10).clamp(HOLD_MIN, HOLD_MAX);
    let calm_max = (stage.duration / 30).clamp(SECOND * 2, CALM_MAX);
    let mut kinds = stage.kinds.clone();
    kinds.retain(|kind| !kind.needs_two() || stage.coordinators > 1);
    let mut left = stage.duration.saturating_sub(calm_max);
    let mut faults: Vec<Fault> = Vec::new();
    while !kinds.is_empty() {
        random.mix(&mut kinds);
        let mut round: Vec<_> = kinds
            .iter()
            .map(|kind| draw(&random, *kind, stage.coordinators, hold_max, calm_max))
            .collect();
        if faults.is_empty() {
            shorten(&mut round, left);
        }
        for fault in round {
            let Some(rest) = left.checked_sub(fault.hold + fault.calm) else {
                return faults;
            };
            left = rest;
            faults.push(fault);
        }
    }
    faults
}

fn draw(
    random: &Random,
    kind: Kind,
    coordinators: usize,
    hold_max: Duration,
    calm_max: Duration,
) -> Fault {
    let node = random.below(coordinators);
    let further = 1 + random.below(coordinators.saturating_sub(1));
    Fault {
        kind,
        node,
        other: (node + further) % coordinators.max(1),
        direction: [Direction::Both, Direction::There, Direction::Back][random.below(3)],
        hold: random.span(HOLD_MIN, hold_max),
        calm: random.span(calm_max / 2, calm_max),
    }
}

/// Makes what lasts longest shorter, so that every kind has its turn if that can be.
fn shorten(round: &mut [Fault], within: Duration) {
    let sum =
        |round: &[Fault]| -> Duration { round.iter().map(|fault| fault.hold + fault.calm).sum() };
    while sum(round) > within {
        let longest = round.iter_mut().max_by_key(|fault| fault.hold);
        match longest.filter(|fault| fault.hold > HOLD_MIN) {
            Some(fault) => fault.hold = (fault.hold * 3 / 4).max(HOLD_MIN),
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn stage(seconds: u64, coordinators: usize) -> Stage {
        Stage {
            duration: Duration::from_secs(seconds),
            kinds: Kind::ALL.map(|(kind, ..)| kind).to_vec(),
            coordinators,
        }
    }

    #[test]
    fn a_seed_repeats_its_plan_and_another_makes_another() {
        let stage = stage(600, 3);
        assert_eq!(plan(7, &stage), plan(7, &stage));
        assert_ne!(plan(7, &stage), plan(8, &stage));
    }

    #[test]
    fn ten_minutes_hold_every_kind_and_end_in_time() {
        for seed in 0..200 {
            let faults = plan(seed, &stage(600, 3));
            let kinds: BTreeSet<_> = faults.iter().map(|fault| fault.kind).collect();
            assert_eq!(kinds.len(), Kind::ALL.len(), "seed {seed}: {kinds:?}");
            let sum: Duration = faults.iter().map(|fault| fault.hold + fault.calm).sum();
            assert!(sum <= Duration::from_secs(600), "seed {seed}: {sum:?}");
            assert!(
                faults
                    .iter()
                    .all(|fault| fault.node < 3 && fault.node != fault.other)
            );
        }
    }

    #[test]
    fn one_coordinator_is_cut_off_from_no_other() {
        let faults = plan(1, &stage(600, 1));
        assert!(
            faults
                .iter()
                .all(|fault| fault.kind != Kind::CutNodes && fault.node == 0)
        );
    }

    #[test]
    fn words_are_read_back() {
        for (kind, word, _) in Kind::ALL {
            assert_eq!((word.parse(), kind.as_str()), (Ok(kind), word));
        }
        assert!("murder".parse::<Kind>().is_err());
    }
}
