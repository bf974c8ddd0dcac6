//! Presence in Redis. Each user has a hash of `node/connection → state`; each node has a key that
//! expires unless it is renewed. An entry counts while its node's key is there, so a node that dies takes
//! its entries with it, and heartbeats cost one command for each node, not for each user.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use protocol::{ConnectionId, UserId, frame::PresenceState};
use redis::{AsyncTypedCommands, Pipeline, SetExpiry, SetOptions};
use serde::{Deserialize, de::value::StrDeserializer};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::in_process::{Entry, Own};
use crate::redis_link::{Away, Redis};

#[derive(Clone)]
pub(super) struct Shared {
    redis: Redis,
    name: Arc<str>,
    /// Under which id this process writes: its node's name and something new, so that a node that
    /// starts again does not bring the connections of the one before it back to life.
    id: Arc<Mutex<Arc<str>>>,
    /// Something could not be written: what stands under this id is not to be trusted any more.
    incomplete: Arc<AtomicBool>,
}

const BEAT_EVERY: Duration = Duration::from_secs(3);
const NODE_TTL_MS: u64 = 10_000;
/// A hash that nobody touches goes away by itself: its entries are long dead.
const HASH_TTL_S: i64 = 2 * 86_400;
/// Before that, what still counts is written again.
const ANNOUNCE_ALL_EVERY: Duration = Duration::from_secs(12 * 3_600);
const BATCH: usize = 500;
const BATCH_DEADLINE: Duration = Duration::from_millis(500);

impl Shared {
    pub(super) fn new(redis: Redis, node: &str) -> Self {
        let id = Arc::new(Mutex::new(new_id(node)));
        Self {
            redis,
            name: node.into(),
            id,
            incomplete: Arc::new(AtomicBool::new(true)),
        }
    }

    pub(super) async fn announce(&self, entries: &[Entry]) {
        if self
            .announce_within(self.redis.deadline(), entries)
            .await
            .is_err()
        {
            self.incomplete.store(true, Ordering::Release);
        }
    }

    async fn announce_within(&self, deadline: Duration, entries: &[Entry]) -> Result<(), Away> {
        let id = self.id();
        let mut pipeline = Pipeline::new();
        for (user, connection, state) in entries {
            let key = self.user_key(*user);
            pipeline
                .hset(&key, field(&id, *connection), state.as_str())
                .ignore();
            pipeline.expire(&key, HASH_TTL_S).ignore();
        }
        self.redis
            .ask_within(deadline, async |mut connection| {
                pipeline.query_async::<()>(&mut connection).await
            })
            .await
    }

    pub(super) async fn withdraw(&self, user: UserId, connection: ConnectionId) {
        let (key, field) = (self.user_key(user), field(&self.id(), connection));
        if self
            .redis
            .ask(async |mut redis| redis.hdel(key, field).await)
            .await
            .is_err()
        {
            self.incomplete.store(true, Ordering::Release);
        }
    }

    /// How those of `users` are here who are here at all.
    pub(super) async fn states(
        &self,
        users: &[UserId],
    ) -> Result<HashMap<UserId, PresenceState>, Away> {
        if users.is_empty() {
            return Ok(HashMap::new());
        }
        let mut read = Pipeline::new();
        for user in users {
            read.hgetall(self.user_key(*user));
        }
        let hashes: Vec<HashMap<String, String>> = self
            .redis
            .ask(async |mut connection| read.query_async(&mut connection).await)
            .await?;
        let nodes: HashSet<&str> = hashes
            .iter()
            .flat_map(HashMap::keys)
            .map(|field| node_of(field))
            .collect();
        let alive = self.alive(&nodes).await?;
        let mut states = HashMap::new();
        let mut dead = Vec::new();
        for (user, hash) in users.iter().zip(&hashes) {
            for (field, state) in hash {
                if !alive.contains(node_of(field)) {
                    dead.push((*user, field.as_str()));
                } else if let Some(state) = word(state) {
                    let known = states.entry(*user).or_insert(state);
                    *known = state.max(*known);
                }
            }
        }
        self.sweep(&dead).await;
        Ok(states)
    }

    async fn alive<'a>(&self, nodes: &HashSet<&'a str>) -> Result<HashSet<&'a str>, Away> {
        if nodes.is_empty() {
            return Ok(HashSet::new());
        }
        let mut ask = Pipeline::new();
        for node in nodes {
            ask.exists(self.node_key(node));
        }
        let exist: Vec<bool> = self
            .redis
            .ask(async |mut connection| ask.query_async(&mut connection).await)
            .await?;
        Ok(nodes
            .iter()
            .zip(exist)
            .filter_map(|(node, exists)| exists.then_some(*node))
            .collect())
    }

    /// Takes out what dead nodes left. A node that was only paused writes its entries again.
    async fn sweep(&self, dead: &[(UserId, &str)]) {
        if dead.is_empty() {
            return;
        }
        let mut pipeline = Pipeline::new();
        for (user, field) in dead {
            pipeline.hdel(self.user_key(*user), field).ignore();
        }
        let _ = self
            .redis
            .ask(async |mut connection| pipeline.query_async::<()>(&mut connection).await)
            .await;
    }

    pub(super) async fn run(&self, own: &Own, cancel: CancellationToken) {
        let mut beat = tokio::time::interval(BEAT_EVERY);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut again = tokio::time::interval(ANNOUNCE_ALL_EVERY);
        loop {
            // Ending comes first; the beat before the rare full announcement, which needs it.
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                _ = beat.tick() => {}
                _ = again.tick() => self.incomplete.store(true, Ordering::Release),
            }
            // While Redis is away there is nothing to say; what was missed is said on its return.
            let Ok(was_known) = self.beat(&self.id()).await else {
                continue;
            };
            if !was_known || self.incomplete.load(Ordering::Acquire) {
                self.begin_anew(own).await;
            }
        }
        self.forget(&self.id()).await;
    }

    /// Renews a node's key; whether it was still there.
    async fn beat(&self, id: &str) -> Result<bool, Away> {
        let key = self.node_key(id);
        let options = SetOptions::default()
            .get(true)
            .with_expiration(SetExpiry::PX(NODE_TTL_MS));
        let before: Option<String> = self
            .redis
            .ask_within(BATCH_DEADLINE, async |mut connection| {
                connection.set_options(key, 1, options).await
            })
            .await?;
        Ok(before.is_some())
    }

    /// Writes every connection under a new id and lets go of the old one: entries that could not be
    /// taken out then stop counting, whichever they were.
    async fn begin_anew(&self, own: &Own) {
        let id = new_id(&self.name);
        if self.beat(&id).await.is_err() {
            return;
        }
        self.incomplete.store(false, Ordering::Release);
        let old = std::mem::replace(&mut *self.locked_id(), id);
        if self.announce_all(own).await.is_err() {
            self.incomplete.store(true, Ordering::Release);
        }
        self.forget(&old).await;
    }

    async fn announce_all(&self, own: &Own) -> Result<(), Away> {
        for entries in own.entries().chunks(BATCH) {
            self.announce_within(BATCH_DEADLINE, entries).await?;
            for (user, connection, _) in entries {
                // It ended between being listed and being written.
                if !own.has(*user, *connection) {
                    self.withdraw(*user, *connection).await;
                }
            }
        }
        Ok(())
    }

    /// Lets an id die now and not when its key expires.
    async fn forget(&self, id: &str) {
        let key = self.node_key(id);
        let _ = self
            .redis
            .ask(async |mut connection| connection.del(key).await)
            .await;
    }

    fn id(&self) -> Arc<str> {
        Arc::clone(&self.locked_id())
    }

    fn locked_id(&self) -> MutexGuard<'_, Arc<str>> {
        self.id.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The braces keep all of a user on one node of a Redis cluster.
    fn user_key(&self, user: UserId) -> String {
        self.redis.key(&format!("presence:{{{user}}}"))
    }

    fn node_key(&self, node: &str) -> String {
        self.redis.key(&format!("node:{node}"))
    }
}

fn new_id(node: &str) -> Arc<str> {
    format!("{node}:{}", Uuid::new_v4().simple()).into()
}

fn field(id: &str, connection: ConnectionId) -> String {
    format!("{id}/{connection}")
}

fn node_of(field: &str) -> &str {
    field.rsplit_once('/').map_or(field, |(node, _)| node)
}

/// `None` for a word that this version does not know.
fn word(text: &str) -> Option<PresenceState> {
    PresenceState::deserialize(StrDeserializer::<serde::de::value::Error>::new(text)).ok()
}
