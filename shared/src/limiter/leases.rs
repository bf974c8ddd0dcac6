//! The leases of this node, and the tasks that renew them in the background.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Limited, Spending,
    in_process::Buckets,
    lease::{Lease, Next},
    redis, share,
};
use crate::{
    cluster::Cluster,
    redis_link::{DEADLINE, Redis},
    settings::Rate,
};

/// Cloning gives the same leases.
#[derive(Clone)]
pub(super) struct Leases(Arc<Inner>);

struct Inner {
    redis: Redis,
    cluster: Cluster,
    local: Buckets,
    held: Mutex<HashMap<String, Held>>,
    tracker: TaskTracker,
    cancel: CancellationToken,
}

/// A lease, for as long as it is used.
struct Held {
    lease: Lease,
    /// Tells its task that it is used up sooner than the task thought.
    used: Arc<Notify>,
    /// Tells who cannot be answered otherwise that Redis has answered, or will not.
    answers: watch::Sender<()>,
}

/// More are only used at once when very many people talk; whoever comes then has this node's share.
const CAPACITY: usize = 200_000;

impl Leases {
    pub(super) fn new(
        redis: Redis,
        cluster: Cluster,
        local: Buckets,
        tracker: TaskTracker,
        cancel: CancellationToken,
    ) -> Self {
        Self(Arc::new(Inner {
            redis,
            cluster,
            local,
            held: Mutex::default(),
            tracker,
            cancel,
        }))
    }

    /// Takes one token of the bucket `key`, at once if at all possible.
    pub(super) fn spend(&self, rate: Rate, key: &str) -> Spending {
        match self.try_spend(rate, key) {
            Spending::Through => Spending::Through,
            Spending::Refused(limited) => Spending::Refused(limited),
            Spending::Unsure(mut answers) => {
                let (leases, key) = (self.clone(), key.to_owned());
                Spending::Unsure(Box::pin(async move {
                    // An error means that the lease is gone, and with it what Redis said.
                    drop(answers.changed().await);
                    match leases.try_spend(rate, &key) {
                        Spending::Through => Ok(()),
                        Spending::Refused(limited) => Err(limited),
                        // Others were faster.
                        Spending::Unsure(_) => Err(Limited {
                            limit: rate.burst,
                            retry_after: rate.every,
                        }),
                    }
                }))
            }
        }
    }

    fn try_spend(&self, rate: Rate, key: &str) -> Spending<watch::Receiver<()>> {
        let now = Instant::now();
        let part = share(rate, self.0.cluster.count_seen());
        let share = || self.0.local.take(part, key, 1).map(drop);
        let mut all = self.0.held();
        if !all.contains_key(key) {
            if all.len() >= CAPACITY {
                return share().map_or_else(Spending::Refused, |()| Spending::Through);
            }
            all.insert(key.to_owned(), self.begin(rate, key, now));
        }
        let held = all.get_mut(key).expect("it was put there");
        let spent = held.lease.take(now, share);
        if matches!(held.lease.next(now), Next::Ask(_)) {
            held.used.notify_one();
        }
        match spent {
            Spending::Through => Spending::Through,
            Spending::Refused(limited) => Spending::Refused(limited),
            Spending::Unsure(()) => Spending::Unsure(held.answers.subscribe()),
        }
    }

    fn begin(&self, rate: Rate, key: &str, now: Instant) -> Held {
        let used = Arc::<Notify>::default();
        let keeping = self.clone().keep(rate, key.to_owned(), Arc::clone(&used));
        let cancel = self.0.cancel.clone();
        let (leases, key) = (self.clone(), key.to_owned());
        self.0.tracker.spawn(async move {
            // Ending comes first: a lease in use is never done.
            tokio::select! {
                biased;
                () = cancel.cancelled() => { leases.0.held().remove(&key); }
                () = keeping => {}
            }
        });
        Held {
            lease: Lease::new(rate, now),
            used,
            answers: watch::Sender::new(()),
        }
    }

    /// Renews a lease ahead of need, until nobody uses it any more.
    async fn keep(self, rate: Rate, key: String, used: Arc<Notify>) {
        while let Some(next) = self.next(&key) {
            match next {
                Next::Ask(wanted) => {
                    let answer = redis::take(&self.0.redis, rate, &key, wanted).await;
                    if let Some(held) = self.0.held().get_mut(&key) {
                        held.lease.answered(wanted, answer, Instant::now());
                        held.answers.send_replace(());
                    }
                    // Among how many the rate is shared when Redis does not answer next time.
                    self.0.cluster.count(DEADLINE).await;
                }
                Next::Wait(until) => {
                    tokio::select! {
                        () = used.notified() => {}
                        () = sleep_until(until) => {}
                    }
                }
                Next::End => return,
            }
        }
    }

    /// What is to be done for a lease; one that has ended is forgotten.
    fn next(&self, key: &str) -> Option<Next> {
        let mut all = self.0.held();
        let next = all.get(key)?.lease.next(Instant::now());
        if next == Next::End {
            all.remove(key);
        }
        Some(next)
    }
}

impl Inner {
    fn held(&self) -> MutexGuard<'_, HashMap<String, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
