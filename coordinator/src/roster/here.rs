//! One person in a room: on which ways it is known that they are there, and what the others were told.

use std::{collections::BTreeMap, sync::Arc};

use protocol::{ConnectionId, accounts::UserSummary, frame::PresenceState};
use tokio::time::Instant;

/// The way on which it is known that somebody is there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Via {
    /// A socket of this node.
    Socket(ConnectionId),
    /// A node that follows the room here says that they are on it.
    Guest(Arc<str>),
    /// The node that the room is with says that they are on that node. It is never passed on, so that no
    /// two nodes keep telling each other of somebody who went long ago.
    Upstream(Arc<str>),
}

/// One person.
#[derive(Debug)]
pub(super) struct Here {
    pub(super) user: UserSummary,
    pub(super) ways: BTreeMap<Via, PresenceState>,
    /// What the others were told last.
    pub(super) told: PresenceState,
    /// What other nodes were told last of the sockets of this one; nothing if there are none.
    pub(super) own: Option<PresenceState>,
    /// When they are offline, unless they come back on any way.
    pub(super) leaves_at: Option<Instant>,
    /// Whether they were put out here since they last came: then they do not linger.
    pub(super) is_put_out: bool,
    pub(super) arrival: u64,
    /// Whether the others are told of them by name.
    pub(super) is_visible: bool,
}

impl Here {
    /// Somebody of whom nobody was told yet.
    pub(super) const fn new(user: UserSummary, arrival: u64, is_visible: bool) -> Self {
        Self {
            user,
            ways: BTreeMap::new(),
            told: PresenceState::Offline,
            own: None,
            leaves_at: None,
            is_put_out: false,
            arrival,
            is_visible,
        }
    }

    /// The most present of what is known.
    pub(super) fn state(&self) -> PresenceState {
        let lingering = if self.leaves_at.is_some() {
            self.told
        } else {
            PresenceState::Offline
        };
        self.ways.values().copied().max().unwrap_or(lingering)
    }

    /// The most present of what the sockets of this node say, if there are any.
    pub(super) fn on_sockets(&self) -> Option<PresenceState> {
        let is_socket = |way: &(&Via, &PresenceState)| matches!(way.0, Via::Socket(_));
        self.ways.iter().filter(is_socket).map(|way| *way.1).max()
    }
}
