//! What else asks Redis on its way: a request over HTTP, and a socket opened with a ticket. One at a
//! time, beside the messages.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use super::{Window, quantile, upgrade};
use crate::{
    account::{get, post, register},
    servers::fleet::Fleet,
};

/// Probes under way, which end when this is dropped.
pub(super) struct Probes {
    log: Arc<Mutex<Vec<Probe>>>,
    _tasks: JoinSet<()>,
}

#[derive(Clone, Copy)]
struct Probe {
    what: What,
    at: Instant,
    took: Duration,
    failed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Request,
    Socket,
}

const EVERY: Duration = Duration::from_millis(50);
/// Apart from the rest of a window, because that is where Redis is found to be away.
const FIRST: Duration = Duration::from_secs(1);

impl Probes {
    /// Registers somebody, and asks in their name.
    ///
    /// # Errors
    /// When the server refuses.
    pub(super) async fn start(fleet: &Fleet) -> Result<Self> {
        let handlers = fleet.handlers.address();
        let log = Arc::<Mutex<Vec<Probe>>>::default();
        let mut tasks = JoinSet::new();
        for what in [What::Request, What::Socket] {
            let name = match what {
                What::Request => "prober",
                What::Socket => "opener",
            };
            let token = register(&handlers, name).await?;
            tasks.spawn(probe(what, handlers.clone(), token, Arc::clone(&log)));
        }
        Ok(Self { log, _tasks: tasks })
    }

    /// Prints what they took.
    pub(super) fn report(&self, with: &[Window], without: &[Window]) {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        for (what, name) in [
            (What::Request, "GET /v1/users/me"),
            (What::Socket, "socket by ticket"),
        ] {
            let print = |when: &str, windows: &[Window], late: bool| {
                let within = |probe: &&Probe| {
                    let is_late = |window: &Window| probe.at >= window.from + FIRST;
                    probe.what == what
                        && windows
                            .iter()
                            .any(|it| it.has(probe.at) && is_late(it) == late)
                };
                let probes: Vec<_> = log.iter().filter(within).collect();
                let mut took: Vec<_> = probes
                    .iter()
                    .map(|it| it.took.as_secs_f64() * 1e3)
                    .collect();
                took.sort_by(f64::total_cmp);
                println!(
                    "  {name} {when:<30} p50 {:>7.2} ms   max {:>7.2} ms   {} asked, {} failed",
                    quantile(&took, 0.5),
                    quantile(&took, 1.0),
                    took.len(),
                    probes.iter().filter(|probe| probe.failed).count(),
                );
            };
            print("with Redis, first second", with, false);
            print("with Redis, later", with, true);
            print("without, first second", without, false);
            print("without, later", without, true);
        }
    }
}

async fn probe(what: What, handlers: String, token: String, log: Arc<Mutex<Vec<Probe>>>) {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let at = Instant::now();
        let done = match what {
            What::Request => get(&handlers, "/v1/users/me", &token).await.map(drop),
            What::Socket => open(&handlers, &token).await,
        };
        log.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Probe {
                what,
                at,
                took: at.elapsed(),
                failed: done.is_err(),
            });
    }
}

/// Asks for a ticket, connects with it, and hangs up.
async fn open(handlers: &str, token: &str) -> Result<()> {
    let invited = post(handlers, "/v1/socket", Some(token), &json!({})).await?;
    let text = |name: &str| invited[name].as_str().context("a url and a ticket");
    let url = format!("{}?ticket={}", text("url")?, text("ticket")?);
    let (mut stream, _) = tokio_tungstenite::connect_async(upgrade(&url, None)?).await?;
    stream.close(None).await?;
    Ok(())
}
