//! Which sessions were revoked, or barred with a bot's owner, while an access token of theirs may still be good. The store knows;
//! this remembers, asks again every moment, and passes on what nodes tell each other through Redis.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use protocol::{ErrorCode, SessionId, Timestamp};
use redis::{
    AsyncTypedCommands,
    streams::{StreamMaxlen, StreamReadOptions},
};
use tokio::{
    sync::broadcast,
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use crate::{Clock, Refusal, redis_link::Redis, store::Store};

/// What was revoked. Cloning gives the same.
#[derive(Clone)]
pub struct Revocations(Arc<Inner>);

struct Inner {
    store: Store,
    redis: Option<Redis>,
    clock: Clock,
    /// How long an access token lives: after that a revocation has nothing left to stop.
    access_token: Duration,
    known: Mutex<Known>,
    /// Held while the store is asked, so that one asks for all.
    asking: tokio::sync::Mutex<()>,
    revoked: broadcast::Sender<SessionId>,
}

#[derive(Default)]
struct Known {
    /// Until when each is remembered: as many as were revoked within the life of an access token.
    sessions: HashMap<SessionId, Timestamp>,
    /// The database's time when it was last asked; `None` before the first answer.
    asked_at: Option<Timestamp>,
    refreshed: Option<Instant>,
}

/// Why a node hears nothing from Redis.
#[derive(Debug, thiserror::Error)]
enum ListenError {
    #[error(transparent)]
    Connect(#[from] deadpool_redis::PoolError),
    #[error(transparent)]
    Answer(#[from] redis::RedisError),
}

/// So long a bot's token is refused from memory once its owner is suspended: longer than tickets live and than
/// [`crate::bot_tokens`] believes what it heard before. From then on the store says whether it is good again.
const BARRED_FOR: Duration = Duration::from_secs(60);
const FRESH_FOR: Duration = Duration::from_secs(1);
/// Twice in the second within which a socket must close.
const POLL_EVERY: Duration = Duration::from_millis(500);
/// A revocation shows up in the store only with its commit, so the last moments are asked for again.
/// No transaction lives that long.
const OVERLAP: Duration = Duration::from_secs(15);
/// A receiver that falls behind further is told so, and asks for each of its sessions.
const QUEUE: usize = 1_024;
/// A stream and not a channel: who was cut off hears what it missed.
const STREAM: &str = "revocations";
const STREAM_FIELD: &str = "sessions";
/// More are revoked in a moment only while something is very wrong; then the store tells.
const STREAM_ENTRIES: usize = 1_024;
const LISTEN_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How long Redis keeps a listener waiting before it says that nothing came.
const WAIT_IN_REDIS: Duration = Duration::from_secs(5);
/// A Redis that has not even said so by then has vanished.
const LISTEN_PATIENCE: Duration = Duration::from_secs(7);

impl Revocations {
    /// Those of `store`, spread through `redis` if there is one.
    pub fn new(store: Store, redis: Option<Redis>, clock: Clock, access_token: Duration) -> Self {
        Self(Arc::new(Inner {
            store,
            redis,
            clock,
            access_token,
            known: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            revoked: broadcast::channel(QUEUE).0,
        }))
    }

    /// Whether `session` was revoked, as of at most a second ago; while the store is away, as of when it
    /// was last there.
    ///
    /// # Errors
    /// `unavailable` if the store has not answered since this process began.
    pub async fn is_revoked(&self, session: SessionId) -> Result<bool, Refusal> {
        if !self.0.is_fresh() {
            self.refresh().await;
        }
        let known = self.0.known();
        if known.asked_at.is_none() {
            return Err(Refusal::from(ErrorCode::Unavailable).retry_after(FRESH_FOR));
        }
        Ok(known.sessions.contains_key(&session))
    }

    /// Tells everybody at once of sessions that the store has just revoked: here now, on other nodes
    /// through Redis, and without it when they next ask the store.
    pub async fn spread(&self, sessions: &[SessionId]) {
        if sessions.is_empty() {
            return;
        }
        let until = self.0.revoked_until(self.0.clock.now());
        self.0.add(sessions.iter().map(|session| (*session, until)));
        let Some(redis) = &self.0.redis else { return };
        let stream = redis.key(STREAM);
        let message = sessions
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" ");
        // What is lost here is found in the store.
        let _ = redis
            .ask(async |mut connection| {
                let most = StreamMaxlen::Approx(STREAM_ENTRIES);
                let entry = [(STREAM_FIELD, message)];
                connection.xadd_maxlen(stream, most, "*", &entry).await
            })
            .await;
    }

    /// Every session that is revoked from now on, once. A receiver that is told that it fell behind must
    /// ask [`Revocations::is_revoked`] for each of its sessions.
    pub fn subscribe(&self) -> broadcast::Receiver<SessionId> {
        self.0.revoked.subscribe()
    }

    /// Asks the store again and again, and listens to what other nodes tell, until `cancel`.
    pub async fn run(&self, cancel: CancellationToken) {
        tokio::select! {
            biased;
            () = cancel.cancelled() => {}
            () = self.poll() => {}
            () = self.listen() => {}
        }
    }

    async fn poll(&self) {
        let mut tick = tokio::time::interval(POLL_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let _asking = self.0.asking.lock().await;
            self.0.ask().await;
        }
    }

    async fn listen(&self) {
        let Some(redis) = &self.0.redis else {
            return std::future::pending().await;
        };
        let mut heard_until = String::from("0-0");
        loop {
            if let Err(error) = self.hear(redis, &mut heard_until).await {
                tracing::debug!(%error, "revocations come from the store only");
            }
            tokio::time::sleep(LISTEN_AGAIN_AFTER).await;
        }
    }

    /// Until the connection breaks, or its other end answers nothing any more.
    async fn hear(&self, redis: &Redis, heard_until: &mut String) -> Result<(), ListenError> {
        let mut connection = redis.hold_alone(LISTEN_PATIENCE).await?;
        let stream = redis.key(STREAM);
        let wait_ms = usize::try_from(WAIT_IN_REDIS.as_millis()).unwrap_or(usize::MAX);
        let options = StreamReadOptions::default().block(wait_ms);
        loop {
            let news = connection
                .xread_options(&[&stream], &[heard_until.as_str()], &options)
                .await?;
            let entries = news.into_iter().flat_map(|news| news.keys);
            for entry in entries.flat_map(|stream| stream.ids) {
                self.heard(&entry.get::<String>(STREAM_FIELD).unwrap_or_default());
                *heard_until = entry.id;
            }
        }
    }

    fn heard(&self, text: &str) {
        let until = self.0.revoked_until(self.0.clock.now());
        self.0.add(
            text.split(' ')
                .filter_map(|id| Some((id.parse().ok()?, until))),
        );
    }

    async fn refresh(&self) {
        let _asking = self.0.asking.lock().await;
        if !self.0.is_fresh() {
            self.0.ask().await;
        }
    }
}

impl Inner {
    async fn ask(&self) {
        let since = self
            .known()
            .asked_at
            .map(|asked_at| asked_at.before(OVERLAP));
        let answer = self
            .store
            .revocations_since(since, self.access_token.saturating_add(OVERLAP))
            .await;
        match answer {
            Ok(revoked) => {
                let for_good = revoked.sessions.into_iter();
                let for_now = revoked.barred.into_iter();
                self.add(
                    for_good
                        .map(|(session, at)| (session, self.revoked_until(at)))
                        .chain(for_now.map(|(session, at)| (session, at.after(BARRED_FOR)))),
                );
                let mut known = self.known();
                known.asked_at = Some(revoked.asked_at);
                known.sessions.retain(|_, until| *until > revoked.asked_at);
            }
            Err(error) => tracing::warn!(%error, "revocations cannot be read"),
        }
        // Also after a failure: nobody should wait for a store that is away more than once a second.
        self.known().refreshed = Some(Instant::now());
    }

    /// Until when a revocation has something left to stop.
    fn revoked_until(&self, at: Timestamp) -> Timestamp {
        at.after(self.access_token.saturating_add(OVERLAP))
    }

    fn add(&self, sessions: impl Iterator<Item = (SessionId, Timestamp)>) {
        let mut known = self.known();
        for (session, until) in sessions {
            if known.sessions.insert(session, until).is_none() {
                // Nobody listening is fine.
                let _ = self.revoked.send(session);
            }
        }
    }

    fn is_fresh(&self) -> bool {
        self.known()
            .refreshed
            .is_some_and(|refreshed| refreshed.elapsed() < FRESH_FOR)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
