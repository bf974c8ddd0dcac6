//! The roster under any order of what can happen.

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

fn socket(number: u128) -> Via {
    Via::Socket(connection(number))
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
            socket(s),
            of(s).into(),
            state
        )),
        (0_u128..8, states()).prop_map(move |(s, state)| Happening::Changed(
            connection(s),
            of(s).id,
            state
        )),
        (0_u128..8).prop_map(move |s| Happening::Gone(socket(s), of(s).id)),
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
                    Effect::Read(..) | Effect::Here(..) | Effect::Away(..) | Effect::NodeAway(_) => {}
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
        for number in 0..8 {
            follow(roster.apply(Happening::Gone(socket(number), user(number % 4).id), now));
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
    let enter = |number| Happening::Entered(socket(number), user(1).into(), PresenceState::Online);
    let shown = |effects: Vec<Effect>| {
        effects
            .into_iter()
            .filter(|effect| matches!(effect, Effect::Presence(..)))
            .count()
    };
    assert_eq!(shown(roster.apply(enter(1), now)), 1);
    let gone = Happening::Gone(socket(1), user(1).id);
    assert_eq!(shown(roster.apply(gone, now)), 0);
    let again = roster.apply(enter(2), now + Duration::from_secs(7));
    assert_eq!(shown(again), 0);
    assert_eq!(
        roster.apply(Happening::Tick, now + Duration::from_secs(60)),
        []
    );
}

/// They may have come back there before it is heard here that they were put out.
#[test]
fn who_is_put_out_here_is_on_other_nodes_for_as_long_as_those_say() {
    let mut roster = Roster::new(&Limits::default());
    let now = Instant::now();
    let guest = Via::Guest(name(1));
    let entered = Happening::Entered(guest.clone(), user(1).into(), PresenceState::Online);
    roster.apply(entered, now);
    roster.apply(Happening::Removed(user(1).id), now);
    assert_eq!(roster.online().count, 1);
    let gone = roster.apply(Happening::Gone(guest, user(1).id), now);
    assert!(gone.contains(&Effect::Presence(user(1), PresenceState::Offline)));
    assert_eq!(roster.online().count, 0);
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
    let entered = Happening::Entered(socket(1), user(1).into(), PresenceState::Online);
    let told = roster.apply(entered, now);
    assert!(matches!(told[..], [Effect::Here(Place::Own, _)]));
    assert_eq!(
        roster.online(),
        Online {
            count: 1,
            users: Vec::new()
        }
    );
}

/// Nodes that follow one room, and what is on its way between them: whatever is said to a node that is not
/// linked is lost, and what was lost is only made good by attaching again.
struct Cluster {
    nodes: Vec<Roster>,
    /// Which node the room is with.
    owner: usize,
    /// Whether each node is attached to the owner.
    attached: Vec<bool>,
    now: Instant,
}

#[derive(Clone, Debug)]
enum Step {
    /// On a node, a socket does something.
    Socket(usize, Happening),
    /// The link between a node and the owner is lost.
    Lose(usize),
    /// A node attaches.
    Attach(usize),
    /// The room moves to another node.
    Move(usize),
    /// Time passes.
    Wait(u64),
}

const NODES: usize = 4;

fn name(node: usize) -> Arc<str> {
    format!("node{node}").into()
}

impl Cluster {
    fn new() -> Self {
        let limits = Limits::default();
        Self {
            nodes: (0..NODES).map(|_| Roster::new(&limits)).collect(),
            owner: 0,
            attached: vec![false; NODES],
            now: Instant::now(),
        }
    }

    fn happen(&mut self, node: usize, happening: Happening) {
        let effects = self.nodes[node].apply(happening, self.now);
        for effect in effects {
            self.announce(node, effect);
        }
    }

    /// Passes on what one node tells others, as a room does.
    fn announce(&mut self, node: usize, effect: Effect) {
        let guest = |place: &Place| match place {
            Place::Own => name(node),
            Place::Guest(guest) => guest.clone(),
        };
        if node == self.owner {
            let (from, news) = match effect {
                Effect::Here(place, Present { user, state }) => {
                    let from = guest(&place);
                    let via = Via::Upstream(from.clone());
                    (from, Happening::Entered(via, user, state))
                }
                Effect::Away(place, user) => {
                    let from = guest(&place);
                    let via = Via::Upstream(from.clone());
                    (from, Happening::Gone(via, user))
                }
                Effect::NodeAway(from) => (from.clone(), Happening::NodeAway(from)),
                _ => return,
            };
            for other in 0..NODES {
                if other != node && self.attached[other] && name(other) != from {
                    self.happen(other, news.clone());
                }
            }
        } else if self.attached[node] {
            let via = Via::Guest(name(node));
            let word = match effect {
                Effect::Here(Place::Own, Present { user, state }) => {
                    Happening::Entered(via, user, state)
                }
                Effect::Away(Place::Own, user) => Happening::Gone(via, user),
                _ => return,
            };
            self.happen(self.owner, word);
        }
    }

    fn lose(&mut self, node: usize) {
        if std::mem::take(&mut self.attached[node]) {
            self.happen(self.owner, Happening::GuestAway(name(node)));
            self.happen(node, Happening::Upstream(Vec::new()));
        }
    }

    fn attach(&mut self, node: usize) {
        if node == self.owner {
            return;
        }
        let (owner, here) = (self.owner, self.nodes[node].own().collect());
        self.attached[node] = true;
        self.happen(owner, Happening::Guest(name(node), here));
        let elsewhere = self.nodes[owner].beside(&name(node), &name(owner));
        self.happen(node, Happening::Upstream(elsewhere));
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Socket(node, happening) => self.happen(node, happening),
            Step::Lose(node) => self.lose(node),
            Step::Attach(node) => self.attach(node),
            Step::Move(owner) => {
                for node in 0..NODES {
                    self.lose(node);
                }
                self.owner = owner;
            }
            Step::Wait(ms) => {
                self.now += Duration::from_millis(ms);
                for node in 0..NODES {
                    self.happen(node, Happening::Tick);
                }
            }
        }
    }
}

fn steps() -> impl Strategy<Value = Step> {
    let node = || 0..NODES;
    let socket = (node(), 0_u128..3, 0_u128..3, states(), 0..4);
    prop_oneof![
        6 => socket.prop_map(|(node, number, person, state, what)| {
            // Each socket is one of a node and a person.
            let connection = connection(number + 10 * person + 100 * node as u128);
            let via = Via::Socket(connection);
            Step::Socket(node, match what {
                0 => Happening::Entered(via, user(person).into(), state),
                1 => Happening::Changed(connection, user(person).id, state),
                2 => Happening::Removed(user(person).id),
                _ => Happening::Gone(via, user(person).id),
            })
        }),
        1 => node().prop_map(Step::Lose),
        2 => node().prop_map(Step::Attach),
        1 => node().prop_map(Step::Move),
        2 => (0_u64..6_000).prop_map(Step::Wait),
    ]
}

proptest! {
    /// However nodes lose each other and the room moves: once every node has attached again and nobody lingers,
    /// all see the same people, those who are there, each as they are.
    #[test]
    fn all_nodes_see_the_same_people(steps in proptest::collection::vec(steps(), 0..80)) {
        let mut cluster = Cluster::new();
        let mut there: BTreeMap<(usize, ConnectionId), (UserId, PresenceState)> = BTreeMap::new();
        for step in steps {
            if let Step::Socket(node, happening) = &step {
                match happening {
                    Happening::Entered(Via::Socket(socket), user, state) => {
                        there.insert((*node, *socket), (user.id, *state));
                    }
                    Happening::Changed(socket, _, state) => {
                        if let Some(known) = there.get_mut(&(*node, *socket)) {
                            known.1 = *state;
                        }
                    }
                    Happening::Gone(Via::Socket(socket), _) => drop(there.remove(&(*node, *socket))),
                    // Each node hears by itself who is put out, and when.
                    Happening::Removed(user) => there.retain(|(on, _), (who, _)| (*on, *who) != (*node, *user)),
                    _ => {}
                }
            }
            cluster.step(step);
        }
        for node in 0..NODES {
            cluster.attach(node);
        }
        cluster.step(Step::Wait(10_000));
        let mut wanted = BTreeMap::new();
        for (user, state) in there.into_values() {
            let known = wanted.entry(user).or_insert(PresenceState::Offline);
            *known = state.max(*known);
        }
        wanted.retain(|_, state| state.shown() != PresenceState::Offline);
        for node in &cluster.nodes {
            prop_assert_eq!(&view_of(&node.online()), &wanted);
        }
    }

    /// A room that moves, or a node that is lost for less than the linger, is not seen by anybody.
    #[test]
    fn a_move_is_not_seen(
        people in proptest::collection::vec((0..NODES, 0_u128..6), 1..10),
        owner in 0..NODES,
        waited_ms in 0_u64..7_900,
    ) {
        let mut cluster = Cluster::new();
        (0..NODES).for_each(|node| cluster.attach(node));
        for (number, (node, person)) in people.into_iter().enumerate() {
            let entered = Happening::Entered(socket(number as u128), user(person).into(), PresenceState::Online);
            cluster.happen(node, entered);
        }
        let before: Vec<_> = cluster.nodes.iter().map(|node| view_of(&node.online())).collect();
        let is_as_before = |cluster: &Cluster| {
            cluster.nodes.iter().zip(&before).all(|(node, before)| view_of(&node.online()) == *before)
        };
        cluster.step(Step::Move(owner));
        prop_assert!(is_as_before(&cluster));
        cluster.step(Step::Wait(waited_ms));
        prop_assert!(is_as_before(&cluster));
        for node in 0..NODES {
            cluster.attach(node);
            prop_assert!(is_as_before(&cluster));
        }
        cluster.step(Step::Wait(20_000));
        prop_assert!(is_as_before(&cluster));
    }
}
