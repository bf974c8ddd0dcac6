//! `chatx torture` for half a minute: nothing of what is promised breaks, and what is broken on purpose is
//! noticed, each by the promise that it breaks. Recovery times depend on the machine and are not judged.

use std::{process::Stdio, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{process::Command, time::timeout};

/// Only a bound for failures: everything is started, and at the end everything must come to rest.
const PATIENCE: Duration = Duration::from_secs(240);

/// How a run ended: its exit code, what it printed, and the report.
struct Run {
    code: Option<i32>,
    said: String,
    report: Value,
}

impl Run {
    async fn of(arguments: &str) -> Result<Self> {
        let directory = TempDir::new()?;
        let path = directory.path().join("report.json");
        let mut command = Command::new(testkit::chatx_executable()?);
        command
            .arg("torture")
            .args(["--timings", "report"])
            .arg("--json")
            .arg(&path)
            .args(arguments.split_whitespace())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = timeout(PATIENCE, command.output()).await;
        let output = output.context("it does not end")??;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        let report =
            std::fs::read(&path).with_context(|| format!("there is no report:\n{said}"))?;
        Ok(Self {
            code: output.status.code(),
            report: serde_json::from_slice(&report)?,
            said,
        })
    }

    /// The promises that it found broken.
    fn broken(&self) -> Vec<&str> {
        let breaches = self.report["breaches"].as_object();
        breaches
            .into_iter()
            .flatten()
            .map(|(promise, _)| promise.as_str())
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_promise_holds_while_one_thing_after_the_other_is_broken() -> Result<()> {
    // Every one of these has its turn within the time.
    let run = Run::of(
        "--seed 4 --duration 26s --clients 20 --rooms 6 --final-within 30s
         --faults kill,pause,drain,cut-nodes,cut-database,cut-clients,kill-redis",
    )
    .await?;
    ensure!(
        run.code == Some(0) && run.broken().is_empty(),
        "{}",
        run.said
    );
    let done = run.report["recoveries"].as_array().map_or(0, Vec::len);
    assert!(done >= 5, "{done} faults were made:\n{}", run.said);
    let acked = run.report["counts"]["acked"].as_u64();
    assert!(acked > Some(100), "{}", run.said);
    Ok(())
}

/// Breaks a rule for a few seconds; `promise` must be found broken.
async fn is_noticed(rule: &str, promise: &str) -> Result<()> {
    let run = Run::of(&format!(
        "--seed 1 --duration 6s --coordinators 1 --clients 12 --rooms 3 --pace 300ms
         --faults none --break-rule {rule}"
    ))
    .await?;
    ensure!(
        run.code == Some(1) && run.broken().contains(&promise),
        "{rule} must break {promise}, and {:?} are broken:\n{}",
        run.broken(),
        run.said
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn acks_before_the_commit_are_noticed() -> Result<()> {
    is_noticed("ack-before-commit", "I3").await
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_are_stored_twice_are_noticed() -> Result<()> {
    is_noticed("no-dedupe", "I2").await
}

#[tokio::test(flavor = "multi_thread")]
async fn holes_in_deliveries_are_noticed() -> Result<()> {
    is_noticed("no-hole-check", "I5").await
}
