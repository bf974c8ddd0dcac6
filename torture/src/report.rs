//! What is told at the end, to people and to programs.

use std::{collections::BTreeMap, fmt::Write as _, io::Write as _};

use serde::Serialize;

use crate::{
    check::{Breaches, Promise},
    diary::{Diary, Outcome},
    memory::Peaks,
    recovery::{Costs, Recovery, RedisFree, Times},
    stored::Stored,
};

/// Everything that is told.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    /// Repeats the plan.
    pub(crate) seed: u64,
    /// Repeats the run.
    pub(crate) command: String,
    /// How long it took, in seconds.
    pub(crate) took_s: f64,
    /// Events that came to clients.
    pub(crate) delivered: u64,
    /// What was done.
    pub(crate) counts: Counts,
    /// How everybody got over each fault.
    pub(crate) recoveries: Vec<Recovery>,
    /// What messages cost with Redis and without it.
    pub(crate) redis_free: RedisFree,
    /// The most memory that each process had.
    pub(crate) peaks_mib: Peaks,
    /// Whether recovery times counted.
    pub(crate) timings_count: bool,
    /// What does not hold.
    pub(crate) breaches: Breaches,
}

/// What was done.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Counts {
    /// Messages that were given to be sent.
    pub(crate) sent: usize,
    /// Messages that were acked.
    pub(crate) acked: usize,
    /// Messages that were refused, by code.
    pub(crate) refused: BTreeMap<String, usize>,
    /// Messages of which nobody knows.
    pub(crate) unanswered: usize,
    /// Subscriptions.
    pub(crate) streams: usize,
    /// Events that are stored, by kind.
    pub(crate) stored: BTreeMap<String, usize>,
    /// What did not go well the first time, the most frequent first words of it.
    pub(crate) failures: BTreeMap<String, usize>,
}

impl Counts {
    /// Counts it.
    pub(crate) fn of(diary: &Diary, stored: &Stored) -> Self {
        let mut counts = Self {
            sent: diary.sends.len(),
            streams: diary.streams.len(),
            ..Self::default()
        };
        for sent in &diary.sends {
            match sent.outcome {
                Outcome::Acked { .. } => counts.acked += 1,
                Outcome::Refused(code, _) => {
                    *counts.refused.entry(format!("{code:?}")).or_default() += 1;
                }
                Outcome::Unanswered => counts.unanswered += 1,
            }
        }
        for row in stored.rooms.values().flat_map(|log| &log.events) {
            *counts.stored.entry(row.kind.clone()).or_default() += 1;
        }
        for failure in &diary.failures {
            let what: String = failure.what.chars().take(100).collect();
            *counts.failures.entry(what).or_default() += 1;
        }
        counts
    }
}

/// So many ways to fail are told.
const FAILURES_TOLD: usize = 12;

impl Report {
    /// Prints it for a person.
    pub(crate) fn print(&self) {
        let text = self.text();
        // Whoever reads the first lines only, as `head` does, has seen what they wanted.
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
    }

    fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("a string takes everything");
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let counts = &self.counts;
        writeln!(
            text,
            "\n{} of {} messages acked, {} events delivered in {} subscriptions, {:.0} s",
            counts.acked, counts.sent, self.delivered, counts.streams, self.took_s
        )?;
        writeln!(text, "stored: {}", list(&counts.stored))?;
        if !counts.refused.is_empty() {
            writeln!(text, "refused: {}", list(&counts.refused))?;
        }
        if counts.unanswered > 0 {
            writeln!(text, "without an answer: {}", counts.unanswered)?;
        }
        self.write_failures(text)?;
        self.write_recoveries(text)?;
        writeln!(text, "\nsend to ack             p50      p99      max")?;
        let RedisFree { sockets, http } = self.redis_free;
        for (way, Costs { with, without }) in [("socket", sockets), ("HTTP  ", http)] {
            writeln!(text, "{way} in peace     {}", times(with))?;
            if without.count > 0 {
                writeln!(text, "{way} no Redis     {}", times(without))?;
            }
        }
        if !self.peaks_mib.is_empty() {
            writeln!(text, "\nmost memory, MiB: {}", list(&self.peaks_mib))?;
        }
        writeln!(text)?;
        self.write_promises(text)?;
        if self.breaches.is_empty() {
            writeln!(text, "\nEvery promise held. Seed {}.", self.seed)
        } else {
            writeln!(
                text,
                "\nPromises are broken. Once more:\n  {}",
                self.command
            )
        }
    }

    fn write_failures(&self, text: &mut String) -> std::fmt::Result {
        let mut failures: Vec<_> = self.counts.failures.iter().collect();
        failures.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        if !failures.is_empty() {
            writeln!(text, "tried again:")?;
        }
        for (what, count) in failures.iter().take(FAILURES_TOLD) {
            writeln!(text, "  {count:>6}  {what}")?;
        }
        if let Some(more) = failures
            .len()
            .checked_sub(FAILURES_TOLD)
            .filter(|more| *more > 0)
        {
            writeln!(text, "  and {more} other ways")?;
        }
        Ok(())
    }

    /// Each kind with all its times.
    fn write_recoveries(&self, text: &mut String) -> std::fmt::Result {
        if self.recoveries.is_empty() {
            return Ok(());
        }
        writeln!(
            text,
            "\nuntil everybody had an ack again, ms\n{:<15} times  others p50   max    hit p50   max  within  slowest send  failed",
            "fault"
        )?;
        let mut kinds: Vec<_> = self
            .recoveries
            .iter()
            .map(|recovery| recovery.kind)
            .collect();
        kinds.sort();
        kinds.dedup();
        for kind in kinds {
            let all: Vec<_> = self
                .recoveries
                .iter()
                .filter(|recovery| recovery.kind == kind)
                .collect();
            let most = |of: fn(&Recovery) -> u64| {
                all.iter().map(|recovery| of(recovery)).max().unwrap_or(0)
            };
            let target = kind.target();
            writeln!(
                text,
                "{:<15} {:>5}  {:>10} {:>5}  {:>9} {:>5}  {:>4} s{} {:>12}  {:>6}",
                kind.as_str(),
                all.len(),
                most(|recovery| recovery.others.p50_ms),
                most(|recovery| recovery.others.max_ms),
                most(|recovery| recovery.hit.p50_ms),
                most(|recovery| recovery.hit.max_ms),
                target.others.as_secs(),
                if target.hit.is_none() { "¹" } else { " " },
                most(|recovery| recovery.slowest_ms),
                all.iter().map(|recovery| recovery.failures).sum::<usize>(),
            )?;
        }
        writeln!(text, "¹ those hit are cut off themselves, and only shown")
    }

    fn write_promises(&self, text: &mut String) -> std::fmt::Result {
        let measured = [Promise::I10]
            .into_iter()
            .chain(self.timings_count.then_some(Promise::I11));
        for promise in Promise::OF_RECORDS.into_iter().chain(measured) {
            let Some(broken) = self.breaches.0.get(&promise) else {
                writeln!(text, "{promise:<4} {:<14} held", promise.word())?;
                continue;
            };
            writeln!(
                text,
                "{promise:<4} {:<14} BROKEN, {} times",
                promise.word(),
                broken.count
            )?;
            for breach in &broken.first {
                write!(text, "       ")?;
                if let Some(room) = breach.room {
                    write!(text, "room {room} ")?;
                }
                if let Some(seq) = breach.seq {
                    write!(text, "at {seq} ")?;
                }
                if let Some(client) = breach.client {
                    write!(text, "client {client} ")?;
                }
                writeln!(text, "{}", breach.what)?;
            }
        }
        if !self.timings_count {
            writeln!(
                text,
                "{:<4} {:<14} not judged",
                Promise::I11,
                Promise::I11.word()
            )?;
        }
        writeln!(
            text,
            "{:<4} {:<14} shown above",
            Promise::I12,
            Promise::I12.word()
        )
    }
}

fn times(times: Times) -> String {
    let Times {
        p50_ms,
        p99_ms,
        max_ms,
        count,
    } = times;
    format!("{p50_ms:>4} ms {p99_ms:>5} ms {max_ms:>5} ms  of {count}")
}

fn list<N: std::fmt::Display>(counts: &BTreeMap<String, N>) -> String {
    let words: Vec<_> = counts
        .iter()
        .map(|(word, count)| format!("{count} {word}"))
        .collect();
    words.join(", ")
}
