//! What processes have used so far, as the kernel counts it.

use std::{collections::HashMap, fs, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};

/// Processes that are counted with all that descend from them.
#[derive(Clone)]
pub(crate) struct Meter {
    roots: Vec<u32>,
}

/// What the kernel tells of one process.
struct Stat {
    id: u32,
    parent: u32,
    own: Duration,
    /// Of its children that have ended.
    ended: Duration,
}

impl Meter {
    pub(crate) fn of(roots: Vec<u32>) -> Self {
        Self { roots }
    }

    /// This process.
    pub(crate) fn own() -> Self {
        Self::of(vec![std::process::id()])
    }

    /// Keeps all their threads on one processor, and all that they start from now on.
    ///
    /// # Errors
    /// When `taskset` is missing or refuses.
    pub(crate) fn pin_to(&self, processor: u32) -> Result<()> {
        self.keep_on(&processor.to_string())
    }

    /// Lets them run on all processors again.
    ///
    /// # Errors
    /// When `taskset` is missing or refuses.
    pub(crate) fn unpin(&self) -> Result<()> {
        self.keep_on(fs::read_to_string("/sys/devices/system/cpu/online")?.trim())
    }

    fn keep_on(&self, processors: &str) -> Result<()> {
        for stat in self.tree()? {
            let id = stat.id.to_string();
            let output = Command::new("taskset")
                .args(["-acp", processors, &id])
                .output();
            let output = output.context("taskset (package util-linux) pins processes")?;
            // A short-lived process may have ended meanwhile; the roots must not have.
            ensure!(
                output.status.success() || !self.roots.contains(&stat.id),
                "taskset: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(())
    }

    /// Time in user and kernel mode, all threads.
    ///
    /// # Errors
    /// When a root has ended.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        Ok(self.tree()?.iter().map(|stat| stat.own + stat.ended).sum())
    }

    /// Memory of their own that is in use, bytes.
    ///
    /// # Errors
    /// When a root has ended.
    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        let each = self.roots.iter().map(|id| {
            let status = fs::read_to_string(format!("/proc/{id}/status"))?;
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("RssAnon:"));
            let kib = line.and_then(|line| line.split_whitespace().next());
            Ok(kib.context("RssAnon is told")?.parse::<u64>()? * 1_024)
        });
        each.sum()
    }

    /// How many sockets they hold open.
    ///
    /// # Errors
    /// When a root has ended.
    pub(crate) fn open_sockets(&self) -> Result<usize> {
        let mut sockets = 0;
        for id in &self.roots {
            for file in fs::read_dir(format!("/proc/{id}/fd"))? {
                // What was closed since the directory was read is none.
                let target = fs::read_link(file?.path()).unwrap_or_default();
                sockets += usize::from(target.to_string_lossy().starts_with("socket:"));
            }
        }
        Ok(sockets)
    }

    fn tree(&self) -> Result<Vec<Stat>> {
        let mut children: HashMap<u32, Vec<Stat>> = HashMap::new();
        let mut tree = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(id) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            // Who has ended since the directory was read is not there any more.
            let Some(stat) = Stat::read(id) else { continue };
            if self.roots.contains(&id) {
                tree.push(stat);
            } else {
                children.entry(stat.parent).or_default().push(stat);
            }
        }
        ensure!(tree.len() == self.roots.len(), "a server has ended");
        let mut next = 0;
        while let Some(stat) = tree.get(next) {
            let more = children.remove(&stat.id).unwrap_or_default();
            tree.extend(more);
            next += 1;
        }
        Ok(tree)
    }
}

impl Stat {
    fn read(id: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name is in parentheses and may have any in itself.
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<u64> = fields
            .split_whitespace()
            .skip(1)
            .take(14)
            .map(|field| field.parse().unwrap_or(0))
            .collect();
        // The kernel counts in hundredths of a second on every machine that Rust runs on.
        let ticks = |at: usize| {
            Some(Duration::from_millis(
                (fields.get(at)? + fields.get(at + 1)?) * 10,
            ))
        };
        Some(Self {
            id,
            parent: u32::try_from(*fields.first()?).ok()?,
            own: ticks(10)?,
            ended: ticks(12)?,
        })
    }
}
