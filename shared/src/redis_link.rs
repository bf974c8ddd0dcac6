//! The connection to Redis, for what may be lost. Whoever asks names a deadline and gets an answer or
//! [`Away`], never a long wait; what to do without Redis is the asker's to know.

use std::{
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use deadpool_redis::{Manager, Pool, PoolError, Runtime};
use redis::{
    AsyncTypedCommands, Client, RedisResult, SetExpiry, SetOptions,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{sleep, timeout};

/// A Redis that may be away. Cloning gives the same connection.
#[derive(Clone)]
pub struct Redis {
    client: Client,
    config: ConnectionManagerConfig,
    /// Made anew when answers stop coming: a connection whose other end has vanished without a word
    /// would stay silent for as long as the system believes in it.
    connection: Arc<Mutex<ConnectionManager>>,
    /// Whether that connection has answered yet. One that is still being made is left alone.
    has_answered: Arc<AtomicBool>,
    /// For who must hold a connection alone, because their question waits inside Redis.
    alone: Pool,
    prefix: Arc<str>,
    deadline: Duration,
    breaker: Arc<Breaker>,
}

/// Redis did not answer in time, or is not asked now because it did not a moment ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("redis is away")]
pub struct Away;

/// How long an answer may take on the way of a request.
pub const DEADLINE: Duration = Duration::from_millis(50);
/// While Redis is away it is tried again after so long.
const PAUSE: Duration = Duration::from_millis(500);
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(500);
/// One that listens, and one that takes its place when it breaks.
const HELD_ALONE: usize = 2;

impl Redis {
    /// Prepares a connection, which is made when it is first used. Every key begins with `prefix`, so
    /// that several servers can share one Redis.
    ///
    /// # Errors
    /// When the url is none.
    pub fn new(url: &SecretString, prefix: &str) -> RedisResult<Self> {
        Self::with_deadline(url, prefix, DEADLINE)
    }

    /// The same, for who can wait longer than a request can.
    ///
    /// # Errors
    /// As [`Redis::new`].
    pub fn with_deadline(
        url: &SecretString,
        prefix: &str,
        deadline: Duration,
    ) -> RedisResult<Self> {
        let client = Client::open(url.expose_secret())?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT.max(deadline)))
            .set_number_of_retries(1)
            .set_min_delay(Duration::from_millis(50))
            .set_max_delay(Duration::from_millis(100))
            // What does not fit waits, and gives up at its deadline.
            .set_pipeline_buffer_size(1_024);
        let connection = ConnectionManager::new_lazy_with_config(client.clone(), config.clone())?;
        let alone = Pool::builder(Manager::new(url.expose_secret())?)
            .max_size(HELD_ALONE)
            .wait_timeout(Some(CONNECT_TIMEOUT))
            .create_timeout(Some(CONNECT_TIMEOUT))
            .recycle_timeout(Some(CONNECT_TIMEOUT))
            .runtime(Runtime::Tokio1)
            .build()
            .expect("a pool with a runtime may have timeouts");
        Ok(Self {
            alone,
            client,
            config,
            connection: Arc::new(Mutex::new(connection)),
            has_answered: Arc::default(),
            prefix: prefix.into(),
            deadline,
            breaker: Arc::default(),
        })
    }

    /// How long a question may take.
    pub(crate) const fn deadline(&self) -> Duration {
        self.deadline
    }

    /// The full name of a key.
    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Asks within the deadline of this connection.
    pub(crate) async fn ask<T, F>(
        &self,
        question: impl FnOnce(ConnectionManager) -> F,
    ) -> Result<T, Away>
    where
        F: Future<Output = RedisResult<T>>,
    {
        self.ask_within(self.deadline, question).await
    }

    /// Asks within `deadline`.
    pub(crate) async fn ask_within<T, F>(
        &self,
        deadline: Duration,
        question: impl FnOnce(ConnectionManager) -> F,
    ) -> Result<T, Away>
    where
        F: Future<Output = RedisResult<T>>,
    {
        if self.breaker.is_open() {
            return Err(Away);
        }
        let answer = self.try_within(deadline, question).await;
        answer.map_err(|failure| {
            if self.breaker.failed(&failure) {
                tokio::spawn(self.clone().until_back());
            }
            Away
        })
    }

    async fn try_within<T, F>(
        &self,
        deadline: Duration,
        question: impl FnOnce(ConnectionManager) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = RedisResult<T>>,
    {
        match timeout(deadline, question(self.connection())).await {
            Ok(Ok(answer)) => {
                self.has_answered.store(true, Ordering::Release);
                self.breaker.succeeded();
                Ok(answer)
            }
            Ok(Err(error)) => Err(Failure::Answer(error)),
            Err(_) => Err(Failure::Timeout),
        }
    }

    /// Tries for all, beside the requests of which none waits for it, until Redis answers.
    async fn until_back(self) {
        let patience = self.deadline.max(CONNECT_TIMEOUT);
        loop {
            if self.has_answered.swap(false, Ordering::AcqRel) {
                self.connect_anew();
            }
            sleep(PAUSE).await;
            let (key, soon) = (self.key("back"), SetExpiry::PX(1));
            // A write, because one that only reads is as good as away.
            let write = async |mut connection: ConnectionManager| {
                let options = SetOptions::default().with_expiration(soon);
                connection.set_options(key, 1, options).await
            };
            if self.try_within(patience, write).await.is_ok() {
                return self.breaker.close();
            }
        }
    }

    fn connection(&self) -> ConnectionManager {
        self.locked().clone()
    }

    fn connect_anew(&self) {
        let fresh =
            ConnectionManager::new_lazy_with_config(self.client.clone(), self.config.clone());
        match fresh {
            Ok(fresh) => *self.locked() = fresh,
            Err(error) => tracing::error!(%error, "redis cannot be connected to anew"),
        }
    }

    fn locked(&self) -> MutexGuard<'_, ConnectionManager> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection that nobody else uses until it is dropped, whose answers may take `patience`.
    pub(crate) async fn hold_alone(
        &self,
        patience: Duration,
    ) -> Result<deadpool_redis::Connection, PoolError> {
        let mut connection = self.alone.get().await?;
        connection.set_response_timeout(patience);
        Ok(connection)
    }
}

/// Spares everybody the deadline while Redis is away: after a failure nobody asks, until it is seen to
/// answer again.
#[derive(Default)]
struct Breaker {
    is_open: AtomicBool,
    timeouts: AtomicU32,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Answer(#[from] redis::RedisError),
    #[error("no answer in time")]
    Timeout,
}

/// A single late answer may be a busy machine; so many in a row are not.
const TIMEOUTS_IN_A_ROW: u32 = 3;

impl Breaker {
    fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    fn succeeded(&self) {
        self.timeouts.store(0, Ordering::Release);
    }

    /// Whether it opens now.
    fn failed(&self, failure: &Failure) -> bool {
        metrics::counter!("chatx_redis_failures_total").increment(1);
        let timeouts = self.timeouts.fetch_add(1, Ordering::AcqRel) + 1;
        if matches!(failure, Failure::Timeout) && timeouts < TIMEOUTS_IN_A_ROW {
            return false;
        }
        let opens = !self.is_open.swap(true, Ordering::AcqRel);
        if opens {
            tracing::warn!(error = %failure, "redis is away, going on without it");
        }
        opens
    }

    fn close(&self) {
        self.is_open.store(false, Ordering::Release);
        tracing::info!("redis is back");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_once_and_for_all() {
        let breaker = Breaker::default();
        let refused = || Failure::Answer(std::io::Error::other("connection refused").into());
        assert!(!breaker.is_open());
        assert!(breaker.failed(&refused()));
        assert!(breaker.is_open());
        assert!(!breaker.failed(&refused()), "one is trying already");
        breaker.close();
        assert!(!breaker.is_open());
        assert!(breaker.failed(&refused()));
    }

    #[test]
    fn one_late_answer_is_no_outage() {
        let breaker = Breaker::default();
        assert!(!breaker.failed(&Failure::Timeout));
        assert!(!breaker.failed(&Failure::Timeout));
        breaker.succeeded();
        assert!(!breaker.failed(&Failure::Timeout));
        assert!(!breaker.failed(&Failure::Timeout));
        assert!(breaker.failed(&Failure::Timeout));
    }
}
