//! How often somebody may do something: token buckets, in Redis for all nodes together, or in this
//! process. What is limited by which rate is the caller's to say.

mod in_process;
mod lease;
mod leases;
mod redis;

use std::{pin::Pin, time::Duration};

use protocol::ErrorCode;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Clock, Refusal, Settings,
    cluster::Cluster,
    redis_link::{Away, DEADLINE, Redis},
    settings::Rate,
};
use in_process::Buckets;
use leases::Leases;

/// The buckets of everybody. Cloning gives the same.
#[derive(Clone)]
pub struct Limiter {
    on: bool,
    local: Buckets,
    shared: Option<Shared>,
}

#[derive(Clone)]
struct Shared {
    redis: Redis,
    cluster: Cluster,
    leases: Leases,
}

/// It goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// How many go through at once when the bucket is full.
    pub limit: u32,
    /// How many more go through now.
    pub remaining: u32,
    /// After how long the bucket is full again.
    pub reset: Duration,
}

/// It does not go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    /// How many go through at once when the bucket is full.
    pub limit: u32,
    /// After how long one goes through.
    pub retry_after: Duration,
}

impl From<Limited> for Refusal {
    fn from(limited: Limited) -> Self {
        Self::from(ErrorCode::RateLimited).retry_after(limited.retry_after)
    }
}

/// What becomes of something that must not feel Redis.
#[derive(Debug, PartialEq, Eq)]
pub enum Spending<U = Undecided> {
    /// It goes through.
    Through,
    /// It does not.
    Refused(Limited),
    /// Only Redis knows, since more was spent lately than this node may let through on its own.
    Unsure(U),
}

/// Ends when Redis has answered, or not in time.
pub type Undecided = Pin<Box<dyn Future<Output = Result<(), Limited>> + Send>>;

/// So many of those wanted go through, and how the bucket is afterwards.
type Taken = Result<(u32, Allowance), Limited>;

impl Limiter {
    /// Buckets of this process only.
    pub fn in_process(settings: &Settings, clock: Clock) -> Self {
        Self {
            on: settings.rates.on,
            local: Buckets::new(clock),
            shared: None,
        }
    }

    /// Buckets that all nodes of `cluster` share; while Redis is away each node allows its share. What
    /// is leased is renewed by tasks on `tracker`, until `cancel`.
    pub fn shared(
        settings: &Settings,
        clock: Clock,
        redis: Redis,
        cluster: Cluster,
        tracker: &TaskTracker,
        cancel: &CancellationToken,
    ) -> Self {
        let local = Buckets::new(clock);
        Self {
            on: settings.rates.on,
            shared: Some(Shared {
                leases: Leases::new(
                    redis.clone(),
                    cluster.clone(),
                    local.clone(),
                    tracker.clone(),
                    cancel.clone(),
                ),
                redis,
                cluster,
            }),
            local,
        }
    }

    /// Takes one token of the bucket `key`. A key names what it limits (`login:account:ada`) and holds
    /// no secret.
    ///
    /// # Errors
    /// [`Limited`] when the bucket is empty; nothing is taken then.
    pub async fn check(&self, rate: Rate, key: &str) -> Result<Allowance, Limited> {
        let taken = self.take(rate, key).await;
        taken.map(|(_, allowance)| allowance)
    }

    /// Takes one token of the bucket `key` without asking Redis for it: from a lease of this node, which
    /// is renewed before it is used up. The bucket is the same as that of [`Limiter::check`].
    pub fn spend(&self, rate: Rate, key: &str) -> Spending {
        match &self.shared {
            _ if !self.on => Spending::Through,
            Some(shared) => shared.leases.spend(rate, key),
            None => match self.local.take(rate, key, 1) {
                Ok(_) => Spending::Through,
                Err(limited) => Spending::Refused(limited),
            },
        }
    }

    async fn take(&self, rate: Rate, key: &str) -> Taken {
        if !self.on {
            let limit = rate.burst;
            return Ok((
                1,
                Allowance {
                    limit,
                    remaining: limit,
                    reset: Duration::ZERO,
                },
            ));
        }
        let Some(shared) = &self.shared else {
            return self.local.take(rate, key, 1);
        };
        match redis::take(&shared.redis, rate, key, 1).await {
            Ok(taken) => taken,
            Err(Away) => {
                let nodes = shared.cluster.count(DEADLINE).await;
                self.local.take(share(rate, nodes), key, 1)
            }
        }
    }
}

/// One node's part of a rate, so that all of them together allow no more than it.
fn share(rate: Rate, nodes: u32) -> Rate {
    Rate {
        burst: (rate.burst / nodes).max(1),
        every: rate.every.saturating_mul(nodes),
    }
}
