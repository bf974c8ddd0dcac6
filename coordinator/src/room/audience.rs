//! The sockets that follow one live room. It only ever pushes into their outboxes and never waits.

use std::{collections::BTreeMap, mem, sync::Weak};

use metrics::{Counter, counter};
use protocol::{ConnectionId, RoomId, Seq, UserId, accounts::UserSummary, frame::CloseReason};

use super::Attached;
use crate::{burst::Burst, connection::Ending, encoded::Encoded, outbox::Outbox};

/// Everybody who gets what happens in a room.
pub(super) struct Audience {
    room: RoomId,
    listeners: BTreeMap<ConnectionId, Listener>,
    /// Whether something is held that must leave before the turn is over.
    holds: bool,
    deliveries: Counter,
}

/// One socket.
pub(super) struct Listener {
    pub(super) user: UserSummary,
    pub(super) outbox: Outbox,
    pub(super) ending: Ending,
    /// Gone when the socket no longer follows the room, even if that could not be said.
    pub(super) attached: Weak<Attached>,
    /// Where the log stood when its user was last seen to be a member; nothing before that, and
    /// nothing once they are none.
    pub(super) member_at: Option<Seq>,
    /// Where its user was last put out, as far as that was seen since it listens.
    pub(super) out_at: Seq,
}

impl Audience {
    pub(super) fn new(room: RoomId) -> Self {
        Self {
            room,
            listeners: BTreeMap::new(),
            holds: false,
            deliveries: counter!("chatx_deliveries_total"),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.listeners.is_empty()
    }

    pub(super) fn add(&mut self, connection: ConnectionId, mut listener: Listener) {
        if let Some(before) = self.listeners.get(&connection) {
            listener.out_at = before.out_at;
        }
        self.listeners.insert(connection, listener);
    }

    pub(super) fn has(&self, connection: ConnectionId) -> bool {
        self.listeners.contains_key(&connection)
    }

    /// Notes that the user of a socket was a member when the log stood at `head`; who it is, unless they were
    /// put out later than that. Of two openings the one that asked first may enter last.
    pub(super) fn enter(&mut self, connection: ConnectionId, head: Seq) -> Option<UserSummary> {
        let listener = self.listeners.get_mut(&connection)?;
        if head < listener.out_at {
            return None;
        }
        listener.member_at = listener.member_at.max(Some(head));
        Some(listener.user.clone())
    }

    /// Notes that a user was put out at `seq`; whether they are, and have not come back since. Their
    /// sockets get the event of it, and end the room themselves.
    pub(super) fn put_out(&mut self, user: UserId, seq: Seq) -> bool {
        let mut is_out = true;
        for listener in self.listeners.values_mut() {
            if listener.user.id == user {
                listener.out_at = listener.out_at.max(seq);
                listener.member_at = listener.member_at.filter(|member_at| *member_at >= seq);
                is_out &= listener.member_at.is_none();
            }
        }
        is_out
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

    /// Events that come next.
    pub(super) fn deliver(&self, burst: &Burst) {
        for listener in self.listeners.values() {
            if burst.ends_for(listener.user.id) {
                // What such an event means to a socket is for its owner to find out.
                listener.outbox.fall_behind(self.room);
            } else {
                listener.outbox.deliver(burst);
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
                    listener.outbox.hold_passing(self.room, frames);
                }
            }
        }
    }

    /// Writes what was passed and did not leave with an event.
    pub(super) fn flush(&mut self) {
        if mem::take(&mut self.holds) {
            for listener in self.listeners.values() {
                listener.outbox.flush();
            }
        }
    }

    /// Ends every socket, for a reason that makes its client come again.
    pub(super) fn end(&mut self) {
        for listener in mem::take(&mut self.listeners).into_values() {
            listener.ending.begin(CloseReason::Internal);
        }
    }

    /// The room is gone.
    pub(super) fn gone(&self) {
        for listener in self.listeners.values() {
            listener.outbox.gone(self.room);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::{Capacity, tests::Peer};
    use uuid::Uuid;

    #[test]
    fn who_was_put_out_comes_in_by_no_earlier_answer() {
        let uuid = Uuid::nil();
        let (user, connection) = (UserId::from_uuid(uuid), ConnectionId::from_uuid(uuid));
        let listener = || Listener {
            user: UserSummary {
                id: user,
                username: "ada".to_owned(),
                display_name: "Ada".to_owned(),
            },
            outbox: Outbox::new(Capacity::default(), Peer::default()),
            ending: Ending::default(),
            attached: Weak::new(),
            member_at: None,
            out_at: Seq::ZERO,
        };
        let mut audience = Audience::new(RoomId::from_uuid(uuid));
        audience.add(connection, listener());
        // Two openings: the second asked later, and enters first.
        assert!(audience.enter(connection, Seq(9)).is_some());
        assert!(audience.enter(connection, Seq(3)).is_some());
        assert!(!audience.put_out(user, Seq(6)), "they came back since");
        assert!(audience.put_out(user, Seq(12)));
        assert!(audience.enter(connection, Seq(9)).is_none());
        audience.add(connection, listener());
        assert!(audience.enter(connection, Seq(9)).is_none());
        assert!(
            audience.enter(connection, Seq(13)).is_some(),
            "they are back"
        );
    }
}
