//! How much memory the processes use, looked at all the while (I10).

use std::{collections::BTreeMap, fs, time::Duration};

use tokio::time::{MissedTickBehavior, interval};

use crate::system::Ids;

const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The most that each process had, in MiB, by its name. Without `/proc` nothing is seen.
pub(crate) type Peaks = BTreeMap<String, u64>;

/// Looks until it is dropped; `peaks` is kept up to date.
pub(crate) async fn watch(ids: Ids, peaks: &std::sync::Mutex<Peaks>) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let running = ids
            .lock()
            .expect("nothing panics while holding this")
            .clone();
        for (name, id) in running {
            let Some(mib) = resident_mib(id) else {
                continue;
            };
            let mut peaks = peaks.lock().expect("nothing panics while holding this");
            let peak = peaks.entry(name).or_default();
            *peak = mib.max(*peak);
        }
    }
}

/// What a process has in memory.
fn resident_mib(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1_024)
}
