//! What a process has used so far, as the kernel counts it.

use std::{fs, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};

/// A running process.
#[derive(Clone, Copy)]
pub(crate) struct Process(pub(crate) u32);

impl Process {
    /// Keeps all its threads on one processor.
    ///
    /// # Errors
    /// When `taskset` is missing or refuses.
    pub(crate) fn pin_to(self, processor: u32) -> Result<()> {
        let (processor, id) = (processor.to_string(), self.0.to_string());
        let output = Command::new("taskset")
            .args(["-acp", &processor, &id])
            .output();
        let output = output.context("taskset (package util-linux) pins processes")?;
        ensure!(
            output.status.success(),
            "taskset: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// Time in user and kernel mode, all threads.
    ///
    /// # Errors
    /// When the process has ended.
    pub(crate) fn cpu(self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        let (_, fields) = stat
            .rsplit_once(')')
            .context("stat has a name in parentheses")?;
        let ticks = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(str::parse::<u64>);
        let ticks = ticks.sum::<Result<u64, _>>()?;
        // The kernel counts in hundredths of a second on every machine that Rust runs on.
        Ok(Duration::from_millis(ticks * 10))
    }

    /// Memory of the process's own that is in use, bytes.
    ///
    /// # Errors
    /// When the process has ended.
    pub(crate) fn resident_bytes(self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let line = status
            .lines()
            .find(|line| line.starts_with("RssAnon:"))
            .context("RssAnon is told")?;
        let kib = line
            .split_whitespace()
            .nth(1)
            .context("RssAnon has a number")?;
        Ok(kib.parse::<u64>()? * 1_024)
    }
}
