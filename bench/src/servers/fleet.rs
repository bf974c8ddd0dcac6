//! The whole system as it is deployed, on this machine: PostgreSQL, Redis, handlers, coordinators.

use anyhow::{Context, Result, ensure};
use testkit::{Chatx, ChatxSetup, Postgres, Redis, free_port};

use crate::{process::Meter, redis::Fault};

/// Running servers.
pub(crate) struct Fleet {
    pub(crate) handlers: Chatx,
    pub(crate) coordinators: Vec<Chatx>,
    redis: Redis,
    postgres: Postgres,
}

const SECRET: &str = "a secret that every process of the cluster has";

impl Fleet {
    /// Starts everything. If rates hold, then without those that would keep one machine from playing many people.
    ///
    /// # Errors
    /// When a server does not start.
    pub(crate) async fn start(coordinators: usize, rates: bool) -> Result<Self> {
        let postgres = Postgres::start().await?;
        let redis = Redis::start().await?;
        let role = |role: &str| -> ChatxSetup {
            Chatx::role(role)
                .set("DATABASE_URL", postgres.url())
                .set("REDIS_URL", redis.url())
                .set("CHATX_CLUSTER_SECRET", SECRET)
                .set("CHATX_RATE_LIMITS", if rates { "on" } else { "off" })
                .set("CHATX_RATE_REGISTER", "100000/1ms")
                .set("CHATX_RATE_LOGIN", "100000/1ms")
                .set("CHATX_RATE_HTTP", "1000/10ms")
        };
        let (status, said) = role("migrate").run_to_its_end().await?;
        ensure!(status.success(), "{said}");
        let mut running = Vec::new();
        for number in 0..coordinators {
            let coordinator = role("coordinator")
                .set("CHATX_NODE", format!("node-{number}"))
                .set(
                    "CHATX_INTERNAL_LISTEN",
                    format!("127.0.0.1:{}", free_port()),
                );
            running.push(coordinator.start().await?);
        }
        Ok(Self {
            handlers: role("handlers").start().await?,
            coordinators: running,
            redis,
            postgres,
        })
    }

    /// The coordinator of the client with this number.
    pub(crate) fn coordinator(&self, client: usize) -> Result<&Chatx> {
        self.coordinators
            .get(client % self.coordinators.len().max(1))
            .context("there is a coordinator")
    }

    /// Counts what the coordinators use.
    ///
    /// # Errors
    /// When one has ended.
    pub(crate) fn meter(&self) -> Result<Meter> {
        let ids = self
            .coordinators
            .iter()
            .map(|it| it.id().context("a coordinator runs"));
        Ok(Meter::of(ids.collect::<Result<_>>()?))
    }

    /// Puts everything on one processor.
    ///
    /// # Errors
    /// When something has ended.
    pub(crate) fn pin_to(&self, processor: u32) -> Result<()> {
        let beside = [self.handlers.id(), self.postgres.id()];
        Meter::of(beside.into_iter().flatten().collect()).pin_to(processor)?;
        self.meter()?.pin_to(processor)
    }

    pub(crate) fn stop_redis(&mut self, fault: Fault) -> Result<()> {
        match fault {
            Fault::Killed => self.redis.kill(),
            Fault::Paused => self.redis.pause(),
        }
    }

    pub(crate) async fn bring_redis_back(&mut self, fault: Fault) -> Result<()> {
        match fault {
            Fault::Killed => self.redis.start_again().await,
            Fault::Paused => self.redis.resume(),
        }
    }
}
