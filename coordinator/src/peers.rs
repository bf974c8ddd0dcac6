//! The other nodes, as the rooms of this one see them: a link to each, and which of them a room is with.
//! What is said over a link is [`frame`]'s, and what it does to a room the room's.

pub(crate) mod dial;
pub(crate) mod door;
pub(crate) mod frame;
pub(crate) mod guest;
mod line;
pub(crate) mod link;
mod outbox;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use dial::Dial;
use frame::{News, Word};
pub(crate) use guest::Guest;
pub(crate) use link::Link;
use protocol::RoomId;
use shared::{cluster::Node, ring};
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::{Duration, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::outbox::Capacity;

/// The other nodes. Cloning gives the same.
#[derive(Clone)]
pub(crate) struct Peers(Arc<Inner>);

struct Inner {
    /// This node.
    own: Node,
    /// What it is called.
    name: Arc<str>,
    capacities: Capacities,
    known: Mutex<Known>,
    /// Tells that rooms may be with other nodes than before.
    moved: Notify,
}

/// How much may wait on the way to another node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capacities {
    /// For its rooms. Full, messages are refused, and whatever else a room says is not said: it attaches
    /// again.
    pub(crate) link: Capacity,
    /// For its sockets. Full, events are dropped, and it is told that it lost something.
    pub(crate) guest: Capacity,
}

/// What is known of the others, and what follows from it.
struct Known {
    /// The nodes that are alive.
    live: Arc<[Node]>,
    /// The links that are up, by node.
    links: BTreeMap<Arc<str>, Link>,
    /// The gateways that are linked to this node.
    guests: BTreeMap<Arc<str>, Guest>,
    /// Whether this node is about to go.
    is_draining: bool,
    /// Whether this node reaches the store. Without it, it can keep its sockets and nothing else.
    has_store: bool,
    view: Arc<View>,
}

/// Where rooms can be.
#[derive(Default)]
struct View {
    /// This node and those it has a link to, without those that are about to go or have lost the store.
    nodes: Vec<Node>,
    /// The links to them.
    links: BTreeMap<Arc<str>, Link>,
}

/// What links lead to: the rooms of this node.
pub(crate) trait LocalRooms: Clone + Send + Sync + 'static {
    /// News of a room from the node that owns it. Only live rooms hear it. Waits while the room is busy.
    fn hear(&self, link: &Link, room: RoomId, news: News) -> impl Future<Output = ()> + Send;

    /// What a gateway says about a room. Attach and append load the room; what else is about a room that
    /// is not live is dropped. Waits while the room is busy, but an append is refused `unavailable`.
    fn guest(&self, guest: &Guest, room: RoomId, word: Word) -> impl Future<Output = ()> + Send;

    /// Rooms may be with other nodes than before.
    fn moved(&self);
}

/// A gateway that may come in, for as long as it lives.
pub(crate) struct Admitted {
    peers: Peers,
    guest: Guest,
}

/// Why a gateway may not come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAdmitted {
    #[error("it has the name of this node")]
    Itself,
    #[error("a node of that name is linked already")]
    Twice,
}

impl Default for Capacities {
    /// A node stands for all of its sockets, and for every room that they follow: it may fall behind as
    /// far as many sockets together, and a second of a busy one fits.
    fn default() -> Self {
        let capacity = Capacity {
            bytes: 8 * 1_024 * 1_024,
            frames: 16_384,
        };
        Self {
            link: capacity,
            guest: capacity,
        }
    }
}

/// Between two tries to open a link: short beside the time in which people notice that a node is gone.
const DIALED_EVERY: Duration = Duration::from_millis(250);
/// How long one try may take.
const DIALED_WITHIN: Duration = Duration::from_secs(1);

impl Peers {
    /// `own` is this node; others are not known yet.
    pub(crate) fn new(own: Node, capacities: Capacities) -> Self {
        let mut known = Known {
            live: Arc::default(),
            links: BTreeMap::new(),
            guests: BTreeMap::new(),
            is_draining: false,
            has_store: true,
            view: Arc::default(),
        };
        known.look(&own);
        Self(Arc::new(Inner {
            name: own.name.as_str().into(),
            own,
            capacities,
            known: Mutex::new(known),
            moved: Notify::new(),
        }))
    }

    /// What this node is called.
    pub(crate) fn node(&self) -> &Arc<str> {
        &self.0.name
    }

    /// The node that a room is with, unless it is this one.
    pub(crate) fn upstream(&self, room: RoomId) -> Option<Link> {
        let view = Arc::clone(&self.known().view);
        let owner = ring::owner(room, &view.nodes)?;
        view.links.get(owner.name.as_str()).cloned()
    }

    /// Keeps links to every other live node, and tells the rooms when they may be with other nodes than
    /// before, until `cancel`.
    pub(crate) async fn run<R: LocalRooms>(
        self,
        rooms: R,
        dial: Arc<dyn Dial>,
        mut live: watch::Receiver<Arc<[Node]>>,
        cancel: CancellationToken,
    ) {
        let mut dialing = Dialing {
            peers: self.clone(),
            rooms: rooms.clone(),
            dial,
            tasks: JoinSet::new(),
            of: BTreeMap::new(),
        };
        loop {
            let nodes = Arc::clone(&live.borrow_and_update());
            dialing.keep(&nodes);
            self.known().live = nodes;
            self.look_again();
            // Ending comes first, then what rooms should know at once.
            loop {
                tokio::select! {
                    biased;
                    () = cancel.cancelled() => return,
                    () = self.0.moved.notified() => rooms.moved(),
                    Some(_) = dialing.tasks.join_next() => {}
                    changed = live.changed() => match changed {
                        Ok(()) => break,
                        Err(_) => return,
                    },
                }
            }
        }
    }

    /// Says to every gateway that this node is about to go, and counts it no longer itself: its rooms
    /// move to the others, if there are any.
    pub(crate) fn drain(&self) {
        self.learn(|known| known.is_draining = true);
    }

    /// Notes whether this node reaches the store. While it does not, its rooms are with others that do: what
    /// its sockets send goes through all the same.
    pub(crate) fn reach_store(&self, has_store: bool) {
        self.learn(|known| known.has_store = has_store);
    }

    /// Whether rooms and sockets are in good hands here.
    pub(crate) fn is_staying(&self) -> bool {
        self.known().is_staying()
    }

    /// Learns something of this node, and tells every gateway if it means that rooms should be here, or not.
    fn learn(&self, change: impl FnOnce(&mut Known)) {
        let mut known = self.known();
        let was_staying = known.is_staying();
        change(&mut known);
        let is_staying = known.is_staying();
        if is_staying != was_staying {
            for guest in known.guests.values() {
                guest.tell_staying(is_staying);
            }
        }
        drop(known);
        self.look_again();
    }

    /// Lets a gateway in, one of each name: who comes again while it seems to be here is another process
    /// of its name, or is so soon that the link it had before is not seen to be lost yet.
    pub(crate) fn admit(&self, node: &str) -> Result<Admitted, NotAdmitted> {
        if node == self.0.own.name {
            return Err(NotAdmitted::Itself);
        }
        let mut known = self.known();
        if known.guests.contains_key(node) {
            return Err(NotAdmitted::Twice);
        }
        let guest = Guest::new(node.into(), self.0.capacities.guest);
        if !known.is_staying() {
            guest.tell_staying(false);
        }
        known.guests.insert(Arc::clone(guest.node()), guest.clone());
        Ok(Admitted {
            peers: self.clone(),
            guest,
        })
    }

    /// Notes that a link is up.
    fn raise(&self, link: &Link) {
        self.known()
            .links
            .insert(Arc::clone(link.node()), link.clone());
        self.look_again();
    }

    /// Notes that a link is lost.
    fn lower(&self, link: &Link) {
        let mut known = self.known();
        // Another may be up by now.
        if known
            .links
            .get(link.node())
            .is_some_and(|up| up.is_same(link))
        {
            known.links.remove(link.node());
        }
        drop(known);
        self.look_again();
    }

    /// Sees where rooms can be now.
    fn look_again(&self) {
        let moved = self.known().look(&self.0.own);
        if moved {
            self.0.moved.notify_one();
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0
            .known
            .lock()
            .expect("nothing panics while it holds what is known")
    }
}

impl Known {
    /// Whether rooms should be with this node.
    const fn is_staying(&self) -> bool {
        self.has_store && !self.is_draining
    }

    /// Whether rooms may be with other nodes than before.
    fn look(&mut self, own: &Node) -> bool {
        let others = self.live.iter().filter(|node| {
            let link = self.links.get(node.name.as_str());
            node.name != own.name && !node.draining && link.is_some_and(|link| !link.is_leaving())
        });
        let mut nodes: Vec<Node> = others.cloned().collect();
        if self.is_staying() {
            nodes.push(own.clone());
        }
        let links = nodes.iter().filter_map(|node| {
            self.links
                .get_key_value(node.name.as_str())
                .map(|(name, link)| (Arc::clone(name), link.clone()))
        });
        let view = View {
            links: links.collect(),
            nodes,
        };
        let is_new = !view.is_same(&self.view);
        if is_new {
            self.view = Arc::new(view);
        }
        is_new
    }
}

impl View {
    fn is_same(&self, other: &Self) -> bool {
        self.nodes == other.nodes
            && self.links.len() == other.links.len()
            && self
                .links
                .values()
                .zip(other.links.values())
                .all(|(one, other)| one.is_same(other))
    }
}

impl Admitted {
    /// The gateway.
    pub(crate) const fn guest(&self) -> &Guest {
        &self.guest
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.peers.known().guests.remove(self.guest.node());
    }
}

/// The tasks that keep the links.
struct Dialing<R> {
    peers: Peers,
    rooms: R,
    dial: Arc<dyn Dial>,
    tasks: JoinSet<()>,
    /// By name: where the node is, and the task that keeps the link to it.
    of: BTreeMap<String, (String, tokio::task::AbortHandle)>,
}

impl<R: LocalRooms> Dialing<R> {
    /// Keeps a link to each of these nodes, and no other.
    fn keep(&mut self, nodes: &[Node]) {
        let is_wanted = |name: &str, url: &str| {
            let mut nodes = nodes.iter();
            nodes.any(|node| node.name == name && node.internal_url == url)
        };
        self.of.retain(|name, (url, task)| {
            let is_kept = is_wanted(name, url);
            if !is_kept {
                task.abort();
            }
            is_kept
        });
        for node in nodes {
            let is_own = node.name == self.peers.0.own.name;
            if is_own || node.internal_url.is_empty() || self.of.contains_key(&node.name) {
                continue;
            }
            let keeping = keep(
                self.peers.clone(),
                self.rooms.clone(),
                Arc::clone(&self.dial),
                node.clone(),
            );
            let task = self.tasks.spawn(keeping);
            let place = (node.internal_url.clone(), task);
            self.of.insert(node.name.clone(), place);
        }
    }
}

/// Opens a link to a node, again and again.
async fn keep<R: LocalRooms>(peers: Peers, rooms: R, dial: Arc<dyn Dial>, node: Node) {
    let name: Arc<str> = node.name.as_str().into();
    let mut is_told = false;
    loop {
        match timeout(DIALED_WITHIN, dial.dial(&node)).await {
            Ok(Ok(socket)) => {
                let (was_up, lost) = link::run(&peers, &rooms, socket, &name).await;
                if was_up {
                    warn!(peer = node.name, reason = %lost, "a link is lost");
                    is_told = true;
                }
            }
            Ok(Err(error)) => tell(&node, &error, &mut is_told),
            Err(_) => tell(&node, &"no answer in time", &mut is_told),
        }
        sleep(DIALED_EVERY).await;
    }
}

/// Says once, until it changes, that a node cannot be reached.
fn tell(node: &Node, error: &dyn std::fmt::Display, is_told: &mut bool) {
    if *is_told {
        debug!(peer = node.name, %error, "a node cannot be linked");
    } else {
        warn!(peer = node.name, %error, "a node cannot be linked");
    }
    *is_told = true;
}

#[cfg(test)]
mod tests;
