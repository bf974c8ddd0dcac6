//! Which coordinator a client is sent to for its socket: one that answers, since a node counts as alive for
//! some seconds after it died. Who counts as alive is [`crate::cluster`]'s to say, who owns which room
//! [`crate::ring`]'s.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, StatusCode};
use protocol::RoomId;
use tokio::time::Instant;

use crate::{
    cluster::{Cluster, Node},
    internal_client::InternalClient,
    ring,
};

/// Where clients are sent. Cloning gives the same.
#[derive(Clone)]
pub struct Gateways(Arc<Inner>);

struct Inner {
    /// The name of this process, which need not ask itself.
    own: String,
    cluster: Cluster,
    client: InternalClient,
    /// What each living node said last, by its name.
    answers: Mutex<HashMap<String, Answer>>,
}

/// What a node said last and when. Held while it is asked, so that one asks for all.
type Answer = Arc<tokio::sync::Mutex<Option<(State, Instant)>>>;

/// How a node took the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It answers; what it says does not matter, a node of another version may not know the question.
    Open,
    /// It takes no more sockets.
    Draining,
    /// It does not answer.
    Silent,
}

/// How old an answer may be.
const FRESH_FOR: Duration = Duration::from_millis(250);

impl Gateways {
    /// As the process `own` sees the nodes of `cluster`.
    pub fn new(own: &str, cluster: Cluster, client: InternalClient) -> Self {
        Self(Arc::new(Inner {
            own: own.to_owned(),
            cluster,
            client,
            answers: Mutex::default(),
        }))
    }

    /// The node that has `room`, or the next in the ring if that one does not answer. `None` while no node
    /// takes sockets.
    pub async fn of_room(&self, room: RoomId) -> Option<Node> {
        let mut nodes = self.staying().await;
        self.first_open(|| {
            let name = ring::owner(room, &nodes)?.name.clone();
            let place = nodes.iter().position(|node| node.name == name)?;
            Some(nodes.swap_remove(place))
        })
        .await
    }

    /// Any node that takes sockets, the same for the same `whose` while it does, so that clients spread.
    pub async fn any(&self, whose: u128) -> Option<Node> {
        let mut nodes = self.staying().await;
        let count = u128::try_from(nodes.len())
            .ok()
            .filter(|count| *count > 0)?;
        nodes.rotate_left(usize::try_from(whose % count).ok()?);
        let mut nodes = nodes.into_iter();
        self.first_open(|| nodes.next()).await
    }

    async fn staying(&self) -> Vec<Node> {
        let live = self.0.cluster.live().await;
        live.iter().filter(|node| !node.draining).cloned().collect()
    }

    /// The first of `nodes` that answers. When none does, it may be this process that is cut off from
    /// them, and not the client: then the first is as good a guess as any.
    async fn first_open(&self, mut nodes: impl FnMut() -> Option<Node>) -> Option<Node> {
        let mut guess = None;
        while let Some(node) = nodes() {
            match self.state(&node).await {
                State::Open => return Some(node),
                State::Draining => {}
                State::Silent => guess = guess.or(Some(node)),
            }
        }
        guess
    }

    async fn state(&self, node: &Node) -> State {
        if node.name == self.0.own && self.0.cluster.is_draining() {
            return State::Draining;
        }
        if node.name == self.0.own || node.internal_url.is_empty() {
            return State::Open;
        }
        let answer = self.answer_of(&node.name).await;
        let mut answer = answer.lock().await;
        if let Some((state, at)) = *answer
            && at.elapsed() < FRESH_FOR
        {
            return state;
        }
        let url = &node.internal_url;
        let asked = self
            .0
            .client
            .ask(Method::GET, url, "/internal/open", Bytes::new());
        let state = match asked.await {
            Ok(StatusCode::SERVICE_UNAVAILABLE) => State::Draining,
            Ok(_) => State::Open,
            Err(error) => {
                tracing::debug!(node = node.name, %error, "a node does not answer");
                State::Silent
            }
        };
        *answer = Some((state, Instant::now()));
        state
    }

    async fn answer_of(&self, name: &str) -> Answer {
        let live = self.0.cluster.live().await;
        let mut answers = self
            .0
            .answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        answers.retain(|known, _| live.iter().any(|node| node.name == *known));
        Arc::clone(answers.entry(name.to_owned()).or_default())
    }
}
