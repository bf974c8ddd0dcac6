//! The sockets that follow one live room. It only ever pushes into their outboxes and never waits.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use metrics::counter;
use protocol::{ConnectionId, RoomId, UserId, accounts::UserSummary};

use super::Attached;
use crate::{
    encoded::{Encoded, Entry},
    outbox::Outbox,
};

/// Everybody who gets what happens in a room.
pub(super) struct Audience {
    room: RoomId,
    listeners: HashMap<ConnectionId, Listener>,
}

/// One socket.
pub(super) struct Listener {
    pub(super) user: UserSummary,
    pub(super) outbox: Outbox,
    /// Gone when the socket no longer follows the room, even if that could not be said.
    pub(super) attached: Weak<Attached>,
}

impl Audience {
    pub(super) fn new(room: RoomId) -> Self {
        Self {
            room,
            listeners: HashMap::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.listeners.is_empty()
    }

    pub(super) fn add(&mut self, connection: ConnectionId, listener: Listener) {
        self.listeners.insert(connection, listener);
    }

    pub(super) fn user_of(&self, connection: ConnectionId) -> Option<&UserSummary> {
        self.listeners
            .get(&connection)
            .map(|listener| &listener.user)
    }

    pub(super) fn remove(&mut self, connection: ConnectionId) -> Option<UserId> {
        self.listeners
            .remove(&connection)
            .map(|listener| listener.user.id)
    }

    /// Those who left without a word, taken out.
    pub(super) fn take_detached(&mut self) -> Vec<(ConnectionId, UserId)> {
        let mut detached = Vec::new();
        self.listeners.retain(|connection, listener| {
            let is_attached = listener.attached.strong_count() > 0;
            if !is_attached {
                detached.push((*connection, listener.user.id));
            }
            is_attached
        });
        detached
    }

    /// Events, in order.
    pub(super) fn deliver(&self, entries: &[Arc<Entry>]) {
        for listener in self.listeners.values() {
            listener.outbox.deliver(entries);
        }
        let deliveries = self.listeners.len() * entries.len();
        counter!("chatx_deliveries_total").increment(deliveries as u64);
    }

    /// What may be lost.
    pub(super) fn pass(&self, frames: &[Encoded]) {
        if !frames.is_empty() {
            for listener in self.listeners.values() {
                listener.outbox.pass(self.room, frames);
            }
        }
    }

    /// The room is gone.
    pub(super) fn gone(&self) {
        for listener in self.listeners.values() {
            listener.outbox.gone(self.room);
        }
    }
}
