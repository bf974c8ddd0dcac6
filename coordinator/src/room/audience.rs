//! The sockets that follow one live room. It never waits for any of them.

use std::{
    mem,
    sync::{Arc, Weak},
};

use metrics::{Counter, counter};
use protocol::{ConnectionId, RoomId, Seq, UserId, accounts::UserSummary, frame::CloseReason};
use tokio_util::task::TaskTracker;

use super::{
    Attached,
    shard::{self, SEATS, Shard},
};
use crate::{burst::Burst, connection::Connection, encoded::Encoded, few::Few};

/// Everybody who gets what happens in a room.
pub(super) struct Audience {
    room: RoomId,
    listeners: Few<ConnectionId, Listener>,
    /// The same as they are written to, if they are many or were.
    shards: Vec<Shard>,
    /// Those that write to the shards of a large audience.
    tasks: TaskTracker,
    /// Whether something is held that must leave before the turn is over.
    holds: bool,
    deliveries: Counter,
}

/// Everybody, without what is only needed while something happens.
pub(super) struct Listeners {
    all: Few<ConnectionId, Listener>,
    shards: Vec<Shard>,
}

/// One socket.
pub(super) struct Listener {
    pub(super) connection: Arc<Connection>,
    /// Gone when the socket no longer follows the room, even if that could not be said.
    pub(super) attached: Weak<Attached>,
    /// Where the log stood when its user was last seen to be a member; nothing before that, and
    /// nothing once they are none.
    pub(super) member_at: Option<Seq>,
    /// Where its user was last put out, as far as that was seen since it listens.
    pub(super) out_at: Seq,
}

impl Audience {
    pub(super) fn new(room: RoomId, tasks: TaskTracker) -> Self {
        Self {
            room,
            listeners: Few::default(),
            shards: Vec::new(),
            tasks,
            holds: false,
            deliveries: counter!("chatx_deliveries_total"),
        }
    }

    /// The sockets alone.
    pub(super) fn into_listeners(self) -> Listeners {
        Listeners {
            all: self.listeners,
            shards: self.shards,
        }
    }

    /// They listen.
    pub(super) fn take_back(&mut self, listeners: Listeners) {
        self.listeners = listeners.all;
        self.shards = listeners.shards;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.listeners.is_empty()
    }

    pub(super) fn add(&mut self, mut listener: Listener) {
        let connection = &listener.connection;
        let id = connection.id;
        match self.listeners.get(id) {
            Some(before) => listener.out_at = before.out_at,
            None => self.seat(connection),
        }
        self.listeners.insert(id, listener);
    }

    /// Adds a socket to those that are written to in shards, if they are: from so many on that one shard is full.
    fn seat(&mut self, connection: &Arc<Connection>) {
        if self.shards.is_empty() {
            if self.listeners.len() < SEATS {
                return;
            }
            for listener in self.listeners.values() {
                Self::spacious(&mut self.shards, self.room).add(&listener.connection);
            }
        }
        Self::spacious(&mut self.shards, self.room).add(connection);
    }

    fn spacious(shards: &mut Vec<Shard>, room: RoomId) -> Shard {
        if let Some(shard) = shards.iter().find(|shard| shard.has_space()) {
            return shard.clone();
        }
        let shard = Shard::new(room);
        shards.push(shard.clone());
        shard
    }

    pub(super) fn has(&self, connection: ConnectionId) -> bool {
        self.listeners.contains(connection)
    }

    /// Notes that the user of a socket was a member when the log stood at `head`; who it is, unless they were
    /// put out later than that. Of two openings the one that asked first may enter last.
    pub(super) fn enter(
        &mut self,
        connection: ConnectionId,
        head: Seq,
    ) -> Option<Arc<UserSummary>> {
        let listener = self.listeners.get_mut(connection)?;
        if head < listener.out_at {
            return None;
        }
        listener.member_at = listener.member_at.max(Some(head));
        Some(listener.connection.user.clone())
    }

    /// Notes that a user was put out at `seq`; whether they are, and have not come back since. Their
    /// sockets get the event of it, and end the room themselves.
    pub(super) fn put_out(&mut self, user: UserId, seq: Seq) -> bool {
        let mut is_out = true;
        for listener in self.listeners.values_mut() {
            if listener.connection.user.id == user {
                listener.out_at = listener.out_at.max(seq);
                listener.member_at = listener.member_at.filter(|member_at| *member_at >= seq);
                is_out &= listener.member_at.is_none();
            }
        }
        is_out
    }

    pub(super) fn remove(&mut self, connection: ConnectionId) -> Option<UserId> {
        let listener = self.listeners.remove(connection)?;
        for shard in &self.shards {
            shard.remove(connection);
        }
        self.shards.retain(|shard| !shard.is_empty());
        Some(listener.connection.user.id)
    }

    /// Those who left without a word, taken out.
    pub(super) fn take_detached(&mut self) -> Vec<(ConnectionId, UserId)> {
        let is_detached = |listener: &Listener| listener.attached.strong_count() == 0;
        let detached = self.listeners.iter().filter(|(_, it)| is_detached(it));
        let detached: Vec<_> = detached.map(|(connection, _)| connection).collect();
        let removed = detached.into_iter();
        removed
            .filter_map(|connection| Some((connection, self.remove(connection)?)))
            .collect()
    }

    /// Events that come next.
    pub(super) fn deliver(&self, burst: &Burst) {
        match &*self.shards {
            [] => {
                for listener in self.listeners.values() {
                    shard::give(&listener.connection, &listener.connection.outbox, burst);
                }
            }
            [all] => all.deliver(burst),
            shards => {
                for shard in shards {
                    shard.hand(burst, &self.tasks);
                }
            }
        }
        let deliveries = self.listeners.len() * burst.entries().len();
        self.deliveries.increment(deliveries as u64);
    }

    /// What may be lost, to members only: who is put out may be far behind the event of it.
    pub(super) fn pass(&mut self, frames: &[Encoded]) {
        if !frames.is_empty() {
            self.holds = true;
            for listener in self.listeners.values() {
                if listener.member_at.is_some() {
                    listener.connection.outbox.hold_passing(self.room, frames);
                }
            }
        }
    }

    /// Writes what was passed and did not leave with an event.
    pub(super) fn flush(&mut self) {
        if mem::take(&mut self.holds) {
            match &*self.shards {
                [] => {
                    for listener in self.listeners.values() {
                        listener.connection.outbox.flush();
                    }
                }
                [all] => all.flush(),
                shards => {
                    for shard in shards {
                        shard.hand_held(&self.tasks);
                    }
                }
            }
        }
    }

    /// Ends every socket, for a reason that makes its client come again.
    pub(super) fn end(&mut self) {
        self.shards.clear();
        for listener in mem::take(&mut self.listeners).values() {
            listener.connection.close(CloseReason::Internal);
        }
    }

    /// The room is gone.
    pub(super) fn gone(&self) {
        for listener in self.listeners.values() {
            listener.connection.outbox.gone(self.room);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        connection::Passport,
        outbox::{Capacity, tests::Peer},
    };
    use protocol::{SessionId, Timestamp};
    use uuid::Uuid;

    #[test]
    fn who_was_put_out_comes_in_by_no_earlier_answer() {
        let uuid = Uuid::nil();
        let (user, connection) = (UserId::from_uuid(uuid), ConnectionId::from_uuid(uuid));
        let passport = Passport {
            user: UserSummary {
                id: user,
                username: "ada".to_owned(),
                display_name: "Ada".to_owned(),
            },
            session: SessionId::from_uuid(uuid),
            admin: false,
            scopes: None,
            expires_at: Timestamp::from_unix_ms(0),
            ip: [127, 0, 0, 1].into(),
        };
        let line = Peer::default();
        let socket = Connection::new(connection, &passport, Capacity::default(), line);
        let socket = Arc::new(socket);
        let listener = || Listener {
            connection: Arc::clone(&socket),
            attached: Weak::new(),
            member_at: None,
            out_at: Seq::ZERO,
        };
        let mut audience = Audience::new(RoomId::from_uuid(uuid), TaskTracker::new());
        audience.add(listener());
        // Two openings: the second asked later, and enters first.
        assert!(audience.enter(connection, Seq(9)).is_some());
        assert!(audience.enter(connection, Seq(3)).is_some());
        assert!(!audience.put_out(user, Seq(6)), "they came back since");
        assert!(audience.put_out(user, Seq(12)));
        assert!(audience.enter(connection, Seq(9)).is_none());
        audience.add(listener());
        assert!(audience.enter(connection, Seq(9)).is_none());
        assert!(
            audience.enter(connection, Seq(13)).is_some(),
            "they are back"
        );
    }
}
