//! Who is in a room right now, in which way, who types and who has read. Pure: it is told what happens and when,
//! and answers what to tell the others. It knows neither sockets nor links nor the log.
//!
//! Every node that follows a room has a roster of it. Each knows its own sockets; the node that the room is with
//! knows who is on each of its guests, and tells each guest of all the others.

mod here;
mod people;
mod reading;
mod typing;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use here::Here;
pub(crate) use here::Via;
pub(crate) use people::People;
#[cfg(test)]
pub(crate) use people::WEIGHTS;
use protocol::{
    ConnectionId, Limits, Seq, UserId,
    accounts::UserSummary,
    frame::{Online, OnlineUser, PresenceState},
};
use reading::Reading;
use tokio::time::Instant;
use typing::Typing;

use crate::{few::Few, peers::frame::Present};

/// Everybody who is in one room.
#[derive(Debug)]
pub(crate) struct Roster {
    here: Few<UserId, Here>,
    typing: Typing,
    reading: Reading,
    /// Who is known on no way any more and when their linger ends, in that order; whoever came back in
    /// the meantime is passed over.
    leaving: VecDeque<(Instant, UserId)>,
    /// How many of those here the others are told of by name.
    visible_count: u32,
    /// The rest of those here, by when they came.
    hidden: BTreeMap<u64, UserId>,
    /// How many of those here others see as here.
    shown_count: u32,
    /// How many members the room has, as far as is known.
    member_count: u32,
    /// Counts arrivals, so that those who came first are shown first.
    arrivals: u64,
    named_max_members: u32,
    visible_max: u32,
}

/// Something that happens in a room.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    /// Somebody is there, or is there in another way.
    Entered(Via, Arc<UserSummary>, PresenceState),
    /// A socket's user is here in another way, if it follows the room.
    Changed(ConnectionId, UserId, PresenceState),
    /// Somebody is there no more.
    Gone(Via, UserId),
    /// These and no others are on a node that follows the room here.
    Guest(Arc<str>, Vec<Present>),
    /// A node follows the room here no more.
    GuestAway(Arc<str>),
    /// These and no others are on other nodes, says the node that the room is with.
    Upstream(Vec<(Arc<str>, Present)>),
    /// Nobody is on that node any more, says the node that the room is with.
    NodeAway(Arc<str>),
    /// A user is no member any more, as the log says here. Whether they are on other nodes still, those say:
    /// there they may have come back already, or may not be put out yet.
    Removed(UserId),
    /// A user says that they type, or stopped.
    Typed(UserSummary, bool),
    /// A user has read up to a place.
    Read(UserId, Seq),
    /// The room has so many members.
    Counted(u32),
    /// Time has passed.
    Tick,
}

/// What the others are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Sockets: somebody is here in another way.
    Presence(UserSummary, PresenceState),
    /// Sockets: somebody began or stopped typing.
    Typing(UserSummary, bool),
    /// Sockets: somebody has read up to a place.
    Read(UserId, Seq),
    /// Other nodes: somebody is there, or is there in another way.
    Here(Place, Present),
    /// Other nodes: somebody is there no more.
    Away(Place, UserId),
    /// The other guests: nobody is on this one any more.
    NodeAway(Arc<str>),
}

/// Where somebody is of whom this node is the one to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On this node.
    Own,
    /// On a node that follows the room here.
    Guest(Arc<str>),
}

/// How long somebody who is known on no way still counts as here: a page that is loaded again takes less, and so does
/// a room that moves from one node to another.
const LINGER: Duration = Duration::from_secs(8);

impl Roster {
    /// An empty room.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            here: Few::default(),
            typing: Typing::default(),
            reading: Reading::default(),
            leaving: VecDeque::new(),
            visible_count: 0,
            hidden: BTreeMap::new(),
            shown_count: 0,
            member_count: 0,
            arrivals: 0,
            named_max_members: limits.presence_named_max_members,
            visible_max: u32::try_from(limits.presence_visible_max).unwrap_or(u32::MAX),
        }
    }

    /// Takes in what happens at `now`, and answers what to tell.
    pub(crate) fn apply(&mut self, happening: Happening, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        match happening {
            Happening::Entered(via, user, state) => self.enter(via, user, state, &mut effects),
            Happening::Changed(connection, user, state) => {
                if let Some(here) = self.here.get_mut(user)
                    && here.ways.change(&Via::Socket(connection), state)
                {
                    self.tell(user, &mut effects);
                }
            }
            Happening::Gone(via, user) => self.leave(&via, user, now, &mut effects),
            Happening::Guest(node, present) => {
                let ways = present.into_iter().map(|it| (Via::Guest(node.clone()), it));
                let is_replaced = |via: &Via| matches!(via, Via::Guest(known) if *known == node);
                self.replace(is_replaced, ways.collect(), now, &mut effects);
            }
            Happening::Upstream(elsewhere) => {
                let ways = elsewhere
                    .into_iter()
                    .map(|(node, it)| (Via::Upstream(node), it));
                let is_replaced = |via: &Via| matches!(via, Via::Upstream(_));
                self.replace(is_replaced, ways.collect(), now, &mut effects);
            }
            Happening::GuestAway(node) => {
                let is_replaced = |via: &Via| matches!(via, Via::Guest(known) if *known == node);
                self.replace(is_replaced, Vec::new(), now, &mut effects);
                // Told at once of the node, not of one person after the other.
                effects.retain(|effect| !matches!(effect, Effect::Away(Place::Guest(_), _)));
                effects.push(Effect::NodeAway(node));
            }
            Happening::NodeAway(node) => {
                let is_replaced = |via: &Via| matches!(via, Via::Upstream(known) if *known == node);
                self.replace(is_replaced, Vec::new(), now, &mut effects);
            }
            Happening::Removed(user) => {
                self.typing.end(user, &mut effects);
                self.put_out(user, &mut effects);
            }
            Happening::Typed(user, true) => self.typing.begin(user, now, &mut effects),
            Happening::Typed(user, false) => self.typing.end(user.id, &mut effects),
            // Of so many, nobody follows who has read what.
            Happening::Read(..) if !self.is_named() => {}
            Happening::Read(user, seq) => self.reading.mark(user, seq, now),
            Happening::Counted(members) => self.member_count = members,
            Happening::Tick => {}
        }
        self.expire(now, &mut effects);
        effects
    }

    /// When something changes by itself.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let leaving = self.leaving.front().map(|(at, _)| *at);
        let times = [leaving, self.typing.deadline(), self.reading.deadline()];
        times.into_iter().flatten().min()
    }

    /// Who is here, as the others see it.
    pub(crate) fn online(&self) -> Online {
        let mut users = Vec::new();
        if self.is_named() {
            let mut visible: Vec<_> = self
                .here
                .values()
                .filter(|here| here.is_visible && here.told != PresenceState::Offline)
                .collect();
            visible.sort_unstable_by_key(|here| here.arrival);
            let online = |here: &Here| OnlineUser {
                user: UserSummary::clone(&here.user),
                state: here.told,
            };
            users.extend(visible.into_iter().map(online));
        }
        Online {
            count: self.shown_count,
            users,
        }
    }

    /// Everybody on the sockets of this node.
    pub(crate) fn own(&self) -> impl Iterator<Item = Present> {
        self.here.values().filter_map(|here| {
            let user = here.user.clone();
            here.own.map(|state| Present { user, state })
        })
    }

    /// Everybody who is not on `guest`, and where: on this node, which is called `name`, or on another guest.
    pub(crate) fn beside(&self, guest: &str, name: &Arc<str>) -> Vec<(Arc<str>, Present)> {
        let own = self.own().map(|present| (Arc::clone(name), present));
        let on_guests = self.here.values().flat_map(|here| {
            here.ways.iter().filter_map(move |(via, state)| match via {
                Via::Guest(node) if **node != *guest => {
                    let user = here.user.clone();
                    Some((Arc::clone(node), Present { user, state }))
                }
                _ => None,
            })
        });
        own.chain(on_guests).collect()
    }

    /// Whether somebody is here, or was a moment ago.
    pub(crate) fn has(&self, user: UserId) -> bool {
        self.here.contains(user)
    }

    /// Whether people are told of by name here.
    pub(crate) const fn is_named(&self) -> bool {
        self.member_count <= self.named_max_members
    }

    fn enter(
        &mut self,
        via: Via,
        user: Arc<UserSummary>,
        state: PresenceState,
        effects: &mut Vec<Effect>,
    ) {
        let id = user.id;
        let here = self.here.get_or_insert_with(id, || {
            let is_visible = self.visible_count < self.visible_max;
            self.visible_count += u32::from(is_visible);
            self.arrivals += 1;
            if !is_visible {
                self.hidden.insert(self.arrivals, id);
            }
            Here::new(user.clone(), self.arrivals, is_visible)
        });
        here.user = user;
        here.leaves_at = None;
        here.is_put_out = false;
        let known = here.ways.insert(via.clone(), state);
        if let Via::Guest(node) = via
            && known != Some(state)
        {
            let user = here.user.clone();
            effects.push(Effect::Here(Place::Guest(node), Present { user, state }));
        }
        self.tell(id, effects);
    }

    fn leave(&mut self, via: &Via, user: UserId, now: Instant, effects: &mut Vec<Effect>) {
        let Some(here) = self.here.get_mut(user) else {
            return;
        };
        if here.ways.remove(via).is_none() {
            return;
        }
        if let Via::Guest(node) = via {
            effects.push(Effect::Away(Place::Guest(Arc::clone(node)), user));
        }
        if here.ways.is_empty() {
            if here.is_put_out {
                return self.remove(user, effects);
            }
            here.leaves_at = Some(now + LINGER);
            self.leaving.push_back((now + LINGER, user));
            self.typing.end(user, effects);
        }
        self.tell(user, effects);
    }

    /// Takes `user` off the sockets of this node.
    fn put_out(&mut self, user: UserId, effects: &mut Vec<Effect>) {
        let Some(here) = self.here.get_mut(user) else {
            return;
        };
        here.ways.remove_sockets();
        here.is_put_out = true;
        if here.ways.is_empty() {
            self.remove(user, effects);
        } else {
            self.tell(user, effects);
        }
    }

    /// Takes in everybody who is known on some ways. Who was known on them and is not any more has left.
    fn replace(
        &mut self,
        is_replaced: impl Fn(&Via) -> bool,
        present: Vec<(Via, Present)>,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        let stay: BTreeSet<_> = present
            .iter()
            .map(|(via, it)| (it.user.id, via.clone()))
            .collect();
        for (via, Present { user, state }) in present {
            self.enter(via, user, state, effects);
        }
        let ways = self.here.iter().flat_map(|(user, here)| {
            let replaced = here.ways.iter().filter(|(via, _)| is_replaced(via));
            replaced.map(move |(via, _)| (user, via.clone()))
        });
        let left: Vec<_> = ways.filter(|way| !stay.contains(way)).collect();
        for (user, via) in left {
            self.leave(&via, user, now, effects);
        }
    }

    /// Tells the others what `user` is now, if they do not know it.
    fn tell(&mut self, user: UserId, effects: &mut Vec<Effect>) {
        let is_named = self.is_named();
        let Some(here) = self.here.get_mut(user) else {
            return;
        };
        let own = here.on_sockets();
        if own != here.own {
            here.own = own;
            effects.push(match own {
                Some(state) => {
                    let user = here.user.clone();
                    Effect::Here(Place::Own, Present { user, state })
                }
                None => Effect::Away(Place::Own, user),
            });
        }
        let state = here.state().shown();
        if state != here.told {
            self.shown_count -= u32::from(here.told != PresenceState::Offline);
            self.shown_count += u32::from(state != PresenceState::Offline);
            here.told = state;
            if here.is_visible && is_named {
                effects.push(Effect::Presence(UserSummary::clone(&here.user), state));
            }
        }
    }

    fn remove(&mut self, user: UserId, effects: &mut Vec<Effect>) {
        let Some(here) = self.here.remove(user) else {
            return;
        };
        if here.own.is_some() {
            effects.push(Effect::Away(Place::Own, user));
        }
        let was_shown = here.told != PresenceState::Offline;
        self.shown_count -= u32::from(was_shown);
        if !here.is_visible {
            self.hidden.remove(&here.arrival);
            return;
        }
        if was_shown && self.is_named() {
            let user = Arc::unwrap_or_clone(here.user);
            effects.push(Effect::Presence(user, PresenceState::Offline));
        }
        self.visible_count -= 1;
        // Whoever waited longest to be seen takes the place.
        let next = self.hidden.pop_first();
        if let Some(next) = next.and_then(|(_, user)| self.here.get_mut(user)) {
            next.is_visible = true;
            self.visible_count += 1;
            let shown = next.told != PresenceState::Offline;
            let effect = Effect::Presence(UserSummary::clone(&next.user), next.told);
            if shown && self.is_named() {
                effects.push(effect);
            }
        }
    }

    fn expire(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        self.typing.expire(now, effects);
        self.reading.expire(now, effects);
        while let Some((at, user)) = self.leaving.pop_front_if(|(at, _)| *at <= now) {
            if self
                .here
                .get(user)
                .is_some_and(|here| here.leaves_at == Some(at))
            {
                self.remove(user, effects);
            }
        }
    }
}
