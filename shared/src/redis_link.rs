//! The connection to Redis, for what may be lost. Whoever asks names a deadline and gets an answer or
//! [`Away`], never a long wait; what to do without Redis is the asker's to know.

use std::{
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use deadpool_redis::{Manager, Pool, PoolError, Runtime};
use redis::{
    Client, RedisResult,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

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
        self.breaker.admit()?;
        let answer = tokio::time::timeout(deadline, question(self.connection())).await;
        match answer {
            Ok(Ok(answer)) => {
                self.has_answered.store(true, Ordering::Release);
                self.breaker.succeeded();
                Ok(answer)
            }
            Ok(Err(error)) => {
                self.breaker.failed(&error.to_string(), Failure::Answer);
                Err(Away)
            }
            Err(_) => {
                let is_away = self.breaker.failed("no answer in time", Failure::Timeout);
                if is_away && self.has_answered.swap(false, Ordering::AcqRel) {
                    self.connect_anew();
                }
                Err(Away)
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

/// Spares everybody the deadline while Redis is away: after a failure nobody asks for a moment, then
/// one asks for all.
struct Breaker {
    started: Instant,
    /// Milliseconds after `started` until which nobody asks; 0 while all is well.
    closed_off_until_ms: AtomicU64,
    timeouts: AtomicU32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Failure {
    Answer,
    Timeout,
}

const PAUSE_MS: u64 = 500;
/// A single late answer may be a busy machine; so many in a row are not.
const TIMEOUTS_IN_A_ROW: u32 = 3;

impl Default for Breaker {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            closed_off_until_ms: AtomicU64::new(0),
            timeouts: AtomicU32::new(0),
        }
    }
}

impl Breaker {
    fn admit(&self) -> Result<(), Away> {
        let until_ms = self.closed_off_until_ms.load(Ordering::Acquire);
        if until_ms == 0 {
            return Ok(());
        }
        let now_ms = self.now_ms();
        if now_ms < until_ms {
            return Err(Away);
        }
        // Whoever moves the mark asks; the others wait for what that one finds out.
        self.closed_off_until_ms
            .compare_exchange(
                until_ms,
                now_ms + PAUSE_MS,
                Ordering::AcqRel,
                Ordering::Acquire,
            )
            .map(|_| ())
            .map_err(|_| Away)
    }

    fn succeeded(&self) {
        self.timeouts.store(0, Ordering::Release);
        if self.closed_off_until_ms.swap(0, Ordering::AcqRel) != 0 {
            tracing::info!("redis is back");
        }
    }

    /// Whether nobody asks for a moment now.
    fn failed(&self, error: &str, failure: Failure) -> bool {
        metrics::counter!("chatx_redis_failures_total").increment(1);
        let timeouts = self.timeouts.fetch_add(1, Ordering::AcqRel) + 1;
        if failure == Failure::Timeout && timeouts < TIMEOUTS_IN_A_ROW {
            return false;
        }
        let until_ms = self.now_ms() + PAUSE_MS;
        if self.closed_off_until_ms.swap(until_ms, Ordering::AcqRel) == 0 {
            tracing::warn!(error, "redis is away, going on without it");
        }
        true
    }

    fn now_ms(&self) -> u64 {
        // Never 0, which means that all is well.
        u64::try_from(self.started.elapsed().as_millis())
            .unwrap_or(u64::MAX - PAUSE_MS)
            .max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn after_a_failure_one_asks_for_all() {
        let breaker = Breaker::default();
        assert_eq!(breaker.admit(), Ok(()));
        breaker.failed("connection refused", Failure::Answer);
        assert_eq!(breaker.admit(), Err(Away));
        tokio::time::advance(Duration::from_millis(PAUSE_MS + 1)).await;
        assert_eq!(breaker.admit(), Ok(()));
        assert_eq!(breaker.admit(), Err(Away));
        breaker.succeeded();
        assert_eq!(breaker.admit(), Ok(()));
        assert_eq!(breaker.admit(), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn one_late_answer_is_no_outage() {
        let breaker = Breaker::default();
        breaker.failed("late", Failure::Timeout);
        assert_eq!(breaker.admit(), Ok(()));
        breaker.failed("late", Failure::Timeout);
        breaker.failed("late", Failure::Timeout);
        assert_eq!(breaker.admit(), Err(Away));
    }
}
