//! What the processes of one cluster have in common, so that a test starts any number of them in a line
//! each. Which of them it starts, and what becomes of them, is the test's.

use anyhow::{Result, ensure};

use crate::{Chatx, ChatxSetup, Database, Redis, free_port};

/// A PostgreSQL database with the schema in it, and perhaps a Redis, which end when this is dropped.
pub struct Ground {
    /// Where everything is stored.
    pub database: Database,
    redis: Option<Redis>,
}

impl Ground {
    /// A database alone.
    ///
    /// # Errors
    /// When it cannot be had, or `chatx migrate` fails.
    pub async fn new() -> Result<Self> {
        let database = Database::fresh().await?;
        let ground = Self {
            database,
            redis: None,
        };
        let (status, said) = ground.role("migrate").run_to_its_end().await?;
        ensure!(status.success(), "{said}");
        Ok(ground)
    }

    /// A database and a Redis of its own, to be broken at will.
    ///
    /// # Errors
    /// As [`Ground::new`].
    pub async fn with_redis() -> Result<Self> {
        Ok(Self {
            redis: Some(Redis::start().await?),
            ..Self::new().await?
        })
    }

    /// The Redis of [`Ground::with_redis`].
    ///
    /// # Panics
    /// Without one.
    pub fn redis(&mut self) -> &mut Redis {
        self.redis.as_mut().expect("the test asked for a Redis")
    }

    /// `chatx` in any role, without rate limits, which tests would only meet by chance.
    pub fn role(&self, role: &str) -> ChatxSetup {
        let setup = Chatx::role(role)
            .set("DATABASE_URL", self.database.url())
            .set(
                "CHATX_CLUSTER_SECRET",
                "known to all processes of the cluster",
            )
            .set("CHATX_RATE_LIMITS", "off");
        match &self.redis {
            Some(redis) => setup.set("REDIS_URL", redis.url()),
            None => setup,
        }
    }

    /// A process that serves HTTP.
    pub fn handlers(&self) -> ChatxSetup {
        self.role("handlers")
    }

    /// A coordinator of that name.
    pub fn coordinator(&self, name: &str) -> ChatxSetup {
        self.node("coordinator", name)
    }

    /// A process that is a node of the cluster, in the role of a coordinator or of everything.
    pub fn node(&self, role: &str, name: &str) -> ChatxSetup {
        let internal = format!("127.0.0.1:{}", free_port());
        self.role(role)
            .set("CHATX_NODE", name)
            .set("CHATX_INTERNAL_LISTEN", internal)
    }
}
