//! Who is in a room right now, in which way, who types and who has read. Pure: it is told what happens and when,
//! and answers what to tell the others. It knows neither sockets nor the log.

mod reading;
mod typing;

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use protocol::{
    ConnectionId, Limits, Seq, UserId,
    accounts::UserSummary,
    frame::{Online, OnlineUser, PresenceState},
};
use reading::Reading;
use tokio::time::Instant;
use typing::Typing;

/// Everybody who is in one room.
#[derive(Debug)]
pub(crate) struct Roster {
    here: HashMap<UserId, Here>,
    typing: Typing,
    reading: Reading,
    /// Who lost their last socket and when their linger ends, in that order; whoever came back in
    /// the meantime is passed over.
    leaving: VecDeque<(Instant, UserId)>,
    /// How many of those here the others are told of by name.
    visible_count: usize,
    /// How many members the room has, as far as is known.
    member_count: u32,
    /// Counts arrivals, so that those who came first are shown first.
    arrivals: u64,
    named_max_members: u32,
    visible_max: usize,
}

/// Something that happens in a room.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    /// A socket follows the room from now on.
    Entered(ConnectionId, UserSummary, PresenceState),
    /// A socket's user is here in another way.
    Changed(ConnectionId, UserId, PresenceState),
    /// A socket follows the room no more.
    Gone(ConnectionId, UserId),
    /// A user is no member any more.
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
    /// Somebody is here in another way.
    Presence(UserSummary, PresenceState),
    /// Somebody began or stopped typing.
    Typing(UserSummary, bool),
    /// Somebody has read up to a place.
    Read(UserId, Seq),
}

/// One person.
#[derive(Debug)]
struct Here {
    user: UserSummary,
    connections: HashMap<ConnectionId, PresenceState>,
    /// What the others were told last.
    told: PresenceState,
    /// When they are offline, unless a socket of theirs comes back.
    leaves_at: Option<Instant>,
    arrival: u64,
    /// Whether the others are told of them by name.
    is_visible: bool,
}

/// How long somebody without a socket still counts as here: a page that is loaded again takes less.
const LINGER: Duration = Duration::from_secs(8);
impl Roster {
    /// An empty room.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            here: HashMap::new(),
            typing: Typing::default(),
            reading: Reading::default(),
            leaving: VecDeque::new(),
            visible_count: 0,
            member_count: 0,
            arrivals: 0,
            named_max_members: limits.presence_named_max_members,
            visible_max: limits.presence_visible_max,
        }
    }

    /// Takes in what happens at `now`, and answers what to tell.
    pub(crate) fn apply(&mut self, happening: Happening, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        match happening {
            Happening::Entered(connection, user, state) => {
                self.enter(connection, user, state, &mut effects);
            }
            Happening::Changed(connection, user, state) => {
                if let Some(here) = self.here.get_mut(&user)
                    && let Some(known) = here.connections.get_mut(&connection)
                {
                    *known = state;
                    self.tell(user, &mut effects);
                }
            }
            Happening::Gone(connection, user) => {
                if let Some(here) = self.here.get_mut(&user) {
                    here.connections.remove(&connection);
                    if here.connections.is_empty() {
                        here.leaves_at = Some(now + LINGER);
                        self.leaving.push_back((now + LINGER, user));
                        self.typing.end(user, &mut effects);
                    } else {
                        self.tell(user, &mut effects);
                    }
                }
            }
            Happening::Removed(user) => {
                self.typing.end(user, &mut effects);
                self.remove(user, &mut effects);
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
        let shown = |here: &&Here| here.state().shown() != PresenceState::Offline;
        let count = self.here.values().filter(shown).count();
        let mut users = Vec::new();
        if self.is_named() {
            let mut visible: Vec<_> = self
                .here
                .values()
                .filter(shown)
                .filter(|here| here.is_visible)
                .collect();
            visible.sort_unstable_by_key(|here| here.arrival);
            let online = |here: &Here| OnlineUser {
                user: here.user.clone(),
                state: here.told,
            };
            users.extend(visible.into_iter().map(online));
        }
        Online {
            count: u32::try_from(count).unwrap_or(u32::MAX),
            users,
        }
    }

    /// Whether somebody is here, or was a moment ago.
    pub(crate) fn has(&self, user: UserId) -> bool {
        self.here.contains_key(&user)
    }

    /// Whether people are told of by name here.
    const fn is_named(&self) -> bool {
        self.member_count <= self.named_max_members
    }

    fn enter(
        &mut self,
        connection: ConnectionId,
        user: UserSummary,
        state: PresenceState,
        effects: &mut Vec<Effect>,
    ) {
        let id = user.id;
        let here = self.here.entry(id).or_insert_with(|| {
            let is_visible = self.visible_count < self.visible_max;
            self.visible_count += usize::from(is_visible);
            self.arrivals += 1;
            Here {
                user: user.clone(),
                connections: HashMap::new(),
                told: PresenceState::Offline,
                leaves_at: None,
                arrival: self.arrivals,
                is_visible,
            }
        });
        here.user = user;
        here.connections.insert(connection, state);
        here.leaves_at = None;
        self.tell(id, effects);
    }

    /// Tells the others what `user` is now, if they do not know it.
    fn tell(&mut self, user: UserId, effects: &mut Vec<Effect>) {
        let is_named = self.is_named();
        if let Some(here) = self.here.get_mut(&user) {
            let state = here.state().shown();
            if state != here.told {
                here.told = state;
                if here.is_visible && is_named {
                    effects.push(Effect::Presence(here.user.clone(), state));
                }
            }
        }
    }

    fn remove(&mut self, user: UserId, effects: &mut Vec<Effect>) {
        let Some(here) = self.here.remove(&user) else {
            return;
        };
        if !here.is_visible {
            return;
        }
        if here.told != PresenceState::Offline && self.is_named() {
            effects.push(Effect::Presence(here.user, PresenceState::Offline));
        }
        self.visible_count -= 1;
        // Whoever waited longest to be seen takes the place.
        if self.visible_count == self.here.len() {
            return;
        }
        let hidden = self.here.values_mut().filter(|here| !here.is_visible);
        if let Some(next) = hidden.min_by_key(|here| here.arrival) {
            next.is_visible = true;
            self.visible_count += 1;
            let shown = next.told != PresenceState::Offline;
            let effect = Effect::Presence(next.user.clone(), next.told);
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
                .get(&user)
                .is_some_and(|here| here.leaves_at == Some(at))
            {
                self.remove(user, effects);
            }
        }
    }
}

impl Here {
    /// The most present of what their sockets say.
    fn state(&self) -> PresenceState {
        let lingering = if self.leaves_at.is_some() {
            self.told
        } else {
            PresenceState::Offline
        };
        self.connections
            .values()
            .copied()
            .max()
            .unwrap_or(lingering)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn user(number: u128) -> UserSummary {
        let id = UserId::from_uuid(Uuid::from_u128(number));
        let name = format!("user{number}");
        UserSummary {
            id,
            username: name.clone(),
            display_name: name,
        }
    }

    fn connection(number: u128) -> ConnectionId {
        ConnectionId::from_uuid(Uuid::from_u128(number))
    }

    fn states() -> impl Strategy<Value = PresenceState> {
        use PresenceState::{Away, Dnd, Invisible, Online};
        proptest::sample::select(vec![Invisible, Away, Dnd, Online])
    }

    /// What one step of the test does: each socket belongs to one of four users.
    fn happenings() -> impl Strategy<Value = (Happening, u64)> {
        let of = |socket: u128| user(socket % 4);
        let happening = prop_oneof![
            (0_u128..8, states()).prop_map(move |(s, state)| Happening::Entered(
                connection(s),
                of(s),
                state
            )),
            (0_u128..8, states()).prop_map(move |(s, state)| Happening::Changed(
                connection(s),
                of(s).id,
                state
            )),
            (0_u128..8).prop_map(move |s| Happening::Gone(connection(s), of(s).id)),
            (0_u128..4).prop_map(|u| Happening::Removed(user(u).id)),
            (0_u128..4, any::<bool>()).prop_map(|(u, on)| Happening::Typed(user(u), on)),
            Just(Happening::Tick),
        ];
        (happening, 0_u64..5_000)
    }

    fn view_of(online: &Online) -> BTreeMap<UserId, PresenceState> {
        online
            .users
            .iter()
            .map(|online| (online.user.id, online.state))
            .collect()
    }

    proptest! {
        /// Who follows the effects from the start always sees what somebody who comes now is told,
        /// nobody is seen as invisible, and when all sockets are gone nobody is left after the linger.
        #[test]
        fn following_the_effects_is_the_same_as_asking(
            steps in proptest::collection::vec(happenings(), 0..60),
            visible_max in 1_usize..5,
        ) {
            let limits = Limits { presence_visible_max: visible_max, ..Limits::default() };
            let mut roster = Roster::new(&limits);
            let mut now = Instant::now();
            let mut seen = BTreeMap::new();
            let mut typing = BTreeSet::new();
            let mut follow = |effects: Vec<Effect>| {
                for effect in effects {
                    match effect {
                        Effect::Presence(user, PresenceState::Offline) => {
                            assert!(seen.remove(&user.id).is_some(), "went without having come");
                        }
                        Effect::Presence(user, state) => {
                            assert_eq!(state, state.shown());
                            assert_ne!(seen.insert(user.id, state), Some(state), "told twice");
                        }
                        Effect::Typing(user, true) => drop(typing.insert(user.id)),
                        Effect::Typing(user, false) => {
                            assert!(typing.remove(&user.id), "stopped without having begun");
                        }
                        Effect::Read(..) => {}
                    }
                }
                (seen.clone(), typing.len())
            };
            for (happening, waited_ms) in steps {
                now += Duration::from_millis(waited_ms);
                let (seen, _) = follow(roster.apply(happening, now));
                prop_assert_eq!(&seen, &view_of(&roster.online()));
                prop_assert!(seen.len() <= visible_max);
                prop_assert!(roster.deadline().is_none_or(|at| at > now));
            }
            for socket in 0..8 {
                follow(roster.apply(Happening::Gone(connection(socket), user(socket % 4).id), now));
            }
            while let Some(deadline) = roster.deadline() {
                now = deadline;
                follow(roster.apply(Happening::Tick, now));
            }
            let (seen, typing) = follow(Vec::new());
            prop_assert!(seen.is_empty() && typing == 0);
            prop_assert_eq!(roster.online(), Online::default());
        }
    }

    #[test]
    fn a_page_that_is_loaded_again_is_not_noticed() {
        let mut roster = Roster::new(&Limits::default());
        let now = Instant::now();
        let enter = |socket| Happening::Entered(connection(socket), user(1), PresenceState::Online);
        assert_eq!(roster.apply(enter(1), now).len(), 1);
        assert_eq!(
            roster.apply(Happening::Gone(connection(1), user(1).id), now),
            []
        );
        assert_eq!(roster.apply(enter(2), now + Duration::from_secs(7)), []);
        assert_eq!(
            roster.apply(Happening::Tick, now + Duration::from_secs(60)),
            []
        );
    }

    #[test]
    fn typing_counts_once_in_three_seconds_and_ends_after_six() {
        let mut roster = Roster::new(&Limits::default());
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        let typed = || Happening::Typed(user(1), true);
        assert_eq!(
            roster.apply(typed(), at(0)),
            [Effect::Typing(user(1), true)]
        );
        assert_eq!(roster.apply(typed(), at(2)), []);
        assert_eq!(
            roster.apply(typed(), at(4)),
            [Effect::Typing(user(1), true)]
        );
        assert_eq!(roster.apply(Happening::Tick, at(9)), []);
        assert_eq!(
            roster.apply(Happening::Tick, at(10)),
            [Effect::Typing(user(1), false)]
        );
    }

    #[test]
    fn marks_are_told_together_and_only_the_furthest() {
        let mut roster = Roster::new(&Limits::default());
        let start = Instant::now();
        for seq in [3, 5, 4] {
            assert_eq!(
                roster.apply(Happening::Read(user(1).id, Seq(seq)), start),
                []
            );
        }
        let told_at = roster.deadline().unwrap();
        let told = roster.apply(Happening::Tick, told_at);
        assert_eq!(told, [Effect::Read(user(1).id, Seq(5))]);
        assert_eq!(roster.deadline(), None);
    }

    #[test]
    fn a_large_room_is_only_counted() {
        let mut roster = Roster::new(&Limits::default());
        let now = Instant::now();
        roster.apply(Happening::Counted(501), now);
        let entered = Happening::Entered(connection(1), user(1), PresenceState::Online);
        assert_eq!(roster.apply(entered, now), []);
        assert_eq!(
            roster.online(),
            Online {
                count: 1,
                users: Vec::new()
            }
        );
    }
}
