//! Who is here, by the connections they have: in Redis for all nodes together, or in this process.
//! Nothing of it lasts, and what this node knows of its own connections it knows without Redis.

mod in_process;
mod redis;

use std::collections::HashMap;

use protocol::{ConnectionId, UserId, frame::PresenceState};
use tokio_util::sync::CancellationToken;

use crate::redis_link::Redis;
use in_process::Own;
use redis::Shared;

/// Who is here. Cloning gives the same.
#[derive(Clone)]
pub struct Presence {
    /// The connections of this process; as many as it has sockets.
    own: Own,
    shared: Option<Shared>,
}

impl Presence {
    /// Of this process only.
    pub fn in_process() -> Self {
        Self {
            own: Own::default(),
            shared: None,
        }
    }

    /// Of all nodes that share `redis`. An entry counts for as long as the node that made it lives.
    pub fn shared(redis: Redis, node: &str) -> Self {
        Self {
            own: Own::default(),
            shared: Some(Shared::new(redis, node)),
        }
    }

    /// Notes how `user` is here on `connection`. Waits at most 50 ms.
    pub async fn set(&self, user: UserId, connection: ConnectionId, state: PresenceState) {
        self.own.set(user, connection, state);
        if let Some(shared) = &self.shared {
            shared.announce(&[(user, connection, state)]).await;
        }
    }

    /// Forgets a connection. Waits at most 50 ms.
    pub async fn clear(&self, user: UserId, connection: ConnectionId) {
        self.own.clear(user, connection);
        if let Some(shared) = &self.shared {
            shared.withdraw(user, connection).await;
        }
    }

    /// How each of `users` is here; who has several connections is as on the most present of them.
    /// `invisible` is answered as it is: what others see is [`PresenceState::shown`]. While Redis is away:
    /// what this process knows. Waits at most 50 ms.
    pub async fn states(&self, users: &[UserId]) -> HashMap<UserId, PresenceState> {
        let mut states = self.own.states(users);
        if let Some(shared) = &self.shared {
            for (user, state) in shared.states(users).await.unwrap_or_default() {
                let known = states.entry(user).or_insert(PresenceState::Offline);
                *known = (*known).max(state);
            }
        }
        states
    }

    /// Tells Redis that this node lives, until `cancel`; when Redis comes back having forgotten it,
    /// tells it of every connection again.
    pub async fn run(&self, cancel: CancellationToken) {
        match &self.shared {
            Some(shared) => shared.run(&self.own, cancel).await,
            None => cancel.cancelled().await,
        }
    }
}
