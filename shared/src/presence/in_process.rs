//! The connections of this process, by user.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use protocol::{ConnectionId, UserId, frame::PresenceState};

/// How somebody is here on one connection.
pub(super) type Entry = (UserId, ConnectionId, PresenceState);

type Users = HashMap<UserId, HashMap<ConnectionId, PresenceState>>;

/// Cloning gives the same.
#[derive(Clone, Default)]
pub(super) struct Own(Arc<Mutex<Users>>);

impl Own {
    pub(super) fn set(&self, user: UserId, connection: ConnectionId, state: PresenceState) {
        self.users()
            .entry(user)
            .or_default()
            .insert(connection, state);
    }

    pub(super) fn clear(&self, user: UserId, connection: ConnectionId) {
        let mut users = self.users();
        if let Some(connections) = users.get_mut(&user) {
            connections.remove(&connection);
            if connections.is_empty() {
                users.remove(&user);
            }
        }
    }

    /// One state for each of `asked`.
    pub(super) fn states(&self, asked: &[UserId]) -> HashMap<UserId, PresenceState> {
        let users = self.users();
        let state = |user: &UserId| {
            let connections = users.get(user).into_iter().flat_map(HashMap::values);
            (
                *user,
                connections.copied().max().unwrap_or(PresenceState::Offline),
            )
        };
        asked.iter().map(state).collect()
    }

    pub(super) fn has(&self, user: UserId, connection: ConnectionId) -> bool {
        self.users()
            .get(&user)
            .is_some_and(|connections| connections.contains_key(&connection))
    }

    pub(super) fn entries(&self) -> Vec<Entry> {
        let users = self.users();
        let of_user = |(user, connections): (&UserId, &HashMap<ConnectionId, PresenceState>)| {
            let user = *user;
            connections
                .iter()
                .map(move |(connection, state)| (user, *connection, *state))
                .collect::<Vec<_>>()
        };
        users.iter().flat_map(of_user).collect()
    }

    fn users(&self) -> MutexGuard<'_, Users> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
