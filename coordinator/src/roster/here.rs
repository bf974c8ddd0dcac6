//! One person in a room: on which ways it is known that they are there, and what the others were told.

use std::sync::Arc;

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
    /// The same as their socket has, if that is on this node.
    pub(super) user: Arc<UserSummary>,
    pub(super) ways: Ways,
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
    pub(super) fn new(user: Arc<UserSummary>, arrival: u64, is_visible: bool) -> Self {
        Self {
            user,
            ways: Ways::default(),
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
        self.ways.most_present().unwrap_or(lingering)
    }

    /// The most present of what the sockets of this node say, if there are any.
    pub(super) fn on_sockets(&self) -> Option<PresenceState> {
        self.ways.most_present_on_sockets()
    }
}

/// The ways of one person. Most have one; a program may have thousands, and is not looked through for it.
#[derive(Debug, Default)]
pub(super) struct Ways {
    /// In order.
    known: Vec<(Via, PresenceState)>,
    /// On how many sockets they are in each state.
    on_sockets: Counts,
    /// On how many other ways.
    elsewhere: Counts,
}

/// How often each state is there.
#[derive(Debug, Default)]
struct Counts([u32; STATES.len()]);

/// From the least to the most present.
const STATES: [PresenceState; 5] = [
    PresenceState::Offline,
    PresenceState::Invisible,
    PresenceState::Away,
    PresenceState::Dnd,
    PresenceState::Online,
];

impl Ways {
    pub(super) const fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Via, PresenceState)> {
        self.known.iter().map(|(via, state)| (via, *state))
    }

    /// Adds a way, or changes it; how it was.
    pub(super) fn insert(&mut self, via: Via, state: PresenceState) -> Option<PresenceState> {
        self.counts(&via).add(state);
        match self.find(&via) {
            Ok(at) => {
                let before = std::mem::replace(&mut self.known[at].1, state);
                self.counts(&via).take(before);
                Some(before)
            }
            Err(at) => {
                if self.known.is_empty() {
                    self.known.reserve_exact(1);
                }
                self.known.insert(at, (via, state));
                None
            }
        }
    }

    /// Changes a way, if there is such; whether there is.
    pub(super) fn change(&mut self, via: &Via, state: PresenceState) -> bool {
        let is_known = self.find(via).is_ok();
        if is_known {
            self.insert(via.clone(), state);
        }
        is_known
    }

    /// Takes a way out; how it was.
    pub(super) fn remove(&mut self, via: &Via) -> Option<PresenceState> {
        let (_, state) = self.known.remove(self.find(via).ok()?);
        self.counts(via).take(state);
        Some(state)
    }

    /// Takes all sockets of this node out.
    pub(super) fn remove_sockets(&mut self) {
        self.known.retain(|(via, _)| !matches!(via, Via::Socket(_)));
        self.on_sockets = Counts::default();
    }

    fn most_present(&self) -> Option<PresenceState> {
        self.on_sockets.most().max(self.elsewhere.most())
    }

    fn most_present_on_sockets(&self) -> Option<PresenceState> {
        self.on_sockets.most()
    }

    fn find(&self, via: &Via) -> Result<usize, usize> {
        self.known.binary_search_by(|(known, _)| known.cmp(via))
    }

    const fn counts(&mut self, via: &Via) -> &mut Counts {
        match via {
            Via::Socket(_) => &mut self.on_sockets,
            Via::Guest(_) | Via::Upstream(_) => &mut self.elsewhere,
        }
    }
}

impl Counts {
    const fn add(&mut self, state: PresenceState) {
        self.0[state as usize] += 1;
    }

    const fn take(&mut self, state: PresenceState) {
        self.0[state as usize] -= 1;
    }

    fn most(&self) -> Option<PresenceState> {
        let there = self.0.iter().rposition(|count| *count > 0);
        there.map(|at| STATES[at])
    }
}
