//! How often somebody may do something: token buckets, in Redis for all nodes together, or in this
//! process. What is limited by which rate is the caller's to say.

mod in_process;
mod redis;

use std::time::Duration;

use protocol::ErrorCode;

use crate::{
    Clock, Refusal, Settings,
    cluster::Cluster,
    redis_link::{Away, DEADLINE, Redis},
    settings::Rate,
};
use in_process::Buckets;

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

    /// Buckets that all nodes of `cluster` share; while Redis is away each node allows its share.
    pub fn shared(settings: &Settings, clock: Clock, redis: Redis, cluster: Cluster) -> Self {
        Self {
            on: settings.rates.on,
            local: Buckets::new(clock),
            shared: Some(Shared { redis, cluster }),
        }
    }

    /// Takes one token of the bucket `key`. A key names what it limits (`login:account:ada`) and holds
    /// no secret.
    ///
    /// # Errors
    /// [`Limited`] when the bucket is empty; nothing is taken then.
    pub async fn check(&self, rate: Rate, key: &str) -> Result<Allowance, Limited> {
        self.take(rate, key, 1)
            .await
            .map(|(_, allowance)| allowance)
    }

    /// Takes as many tokens as there are, up to `wanted`, so that whoever needs many need not ask for
    /// each; answers how many.
    ///
    /// # Errors
    /// [`Limited`] when there is none.
    pub async fn lease(&self, rate: Rate, key: &str, wanted: u32) -> Result<u32, Limited> {
        self.take(rate, key, wanted.max(1))
            .await
            .map(|(taken, _)| taken)
    }

    async fn take(&self, rate: Rate, key: &str, wanted: u32) -> Taken {
        if !self.on {
            let limit = rate.burst;
            return Ok((
                wanted,
                Allowance {
                    limit,
                    remaining: limit,
                    reset: Duration::ZERO,
                },
            ));
        }
        let Some(shared) = &self.shared else {
            return self.local.take(rate, key, wanted);
        };
        match redis::take(&shared.redis, rate, key, wanted).await {
            Ok(taken) => taken,
            Err(Away) => {
                let nodes = shared.cluster.count(DEADLINE).await;
                self.local.take(share(rate, nodes), key, wanted)
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
