//! Runs by seed. A failure prints its seed and the command that repeats it.

use std::{
    env,
    fs::File,
    ops::Range,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use super::{Outcome, Run, world::Broken};

/// How many seeds a test runs unless told otherwise.
const SEEDS: u64 = 120;
/// How many seeds are run twice.
const COMPARED_SEEDS: u64 = 6;
/// The first of them.
const FIRST_SEED: u64 = 1;
/// Seeds beyond those that found a defect: a presence that was overtaken by an older one.
const ONCE_FAILED: [u64; 1] = [2_321];

fn run(seed: u64, broken: Option<Broken>) -> Outcome {
    Run::new(seed, broken).finish()
}

/// Runs with everything that happens, and what the nodes log of it, written to a file.
fn traced(path: &Path, seed: u64) -> Outcome {
    let file = Arc::new(File::create(path).expect("the trace can be written"));
    let logs = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .without_time()
        .with_ansi(false)
        .with_writer(file)
        .finish();
    tracing::subscriber::with_default(logs, || run(seed, None))
}

/// What the environment says, if it says anything.
fn told<T: FromStr>(name: &str) -> Option<T> {
    env::var(name).ok()?.parse().ok()
}

/// The seeds that the environment asks for, otherwise so many.
fn seeds(count: u64) -> Range<u64> {
    let first: Option<u64> = told("CHATX_SEED");
    let count = told("CHATX_SEEDS").unwrap_or(if first.is_some() { 1 } else { count });
    let first = first.unwrap_or(FIRST_SEED);
    first..first + count
}

#[test]
fn the_promises_hold_under_every_seed() {
    let seeds = seeds(SEEDS);
    let count = seeds.clone().count();
    let mut failed = Vec::new();
    for seed in seeds {
        let outcome = match told::<PathBuf>("CHATX_TRACE") {
            Some(path) => traced(&path, seed),
            None => run(seed, None),
        };
        if !outcome.broken.is_empty() {
            eprintln!(
                "seed {seed}: {:#?}\nrepeat it with\n    CHATX_SEED={seed} CHATX_TRACE=trace.txt cargo test -p chatx-coordinator simulation\n",
                outcome.broken
            );
            failed.push(seed);
        }
    }
    assert!(
        failed.is_empty(),
        "{} of {count} seeds fail: {failed:?}",
        failed.len()
    );
}

#[test]
fn what_once_failed_holds() {
    for seed in ONCE_FAILED {
        assert_eq!(run(seed, None).broken, Vec::<String>::new(), "seed {seed}");
    }
}

#[test]
fn a_seed_is_always_the_same_run() {
    for seed in seeds(COMPARED_SEEDS) {
        let (one, other) = (run(seed, None), run(seed, None));
        let differs = one
            .lines
            .iter()
            .zip(&other.lines)
            .find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(one.hash, other.hash, "seed {seed}");
    }
}

/// Breaks something on purpose, and wants it to be found.
fn is_found(broken: Broken, names: &str) {
    let found = (FIRST_SEED..FIRST_SEED + SEEDS).find(|seed| {
        let outcome = run(*seed, Some(broken));
        outcome.broken.iter().any(|what| what.contains(names))
    });
    assert!(found.is_some(), "{broken:?} is not found by {SEEDS} seeds");
}

#[test]
fn a_store_that_stores_twice_is_found() {
    is_found(Broken::StoresTwice, "I2");
}

#[test]
fn an_ack_before_the_commit_is_found() {
    is_found(Broken::AcksEarly, "I3");
}

#[test]
fn a_socket_without_the_delivery_rule_is_found() {
    is_found(Broken::NoDeliveryRule, "I5");
}

#[test]
fn a_gateway_that_notices_no_loss_is_found() {
    is_found(Broken::NoticesNoLoss, "I8");
}

#[test]
fn a_node_that_forgets_messages_is_found() {
    is_found(Broken::ForgetsMessages, "no answer");
}
