//! What concerns somebody on all of their devices, whatever they follow there: said to every coordinator,
//! since any may have a socket of theirs. It may be lost: a client reads its rooms again when it connects.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use http::Method;
use protocol::{RoomId, Seq, UserId, accounts::UserSummary, frame::UnsubscribeReason};
use serde::{Deserialize, Serialize};
use tokio::{sync::broadcast, time::timeout};

use crate::{
    cluster::{Cluster, Node},
    internal_client::{InternalClient, WITHIN},
    store::ReadMark,
};

/// One of the body of `POST /internal/news`, and of what a coordinator in this process is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Whom it concerns.
    pub users: Vec<UserId>,
    /// What it is.
    pub word: Word,
}

/// What somebody is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Word {
    /// They are a member of this room now.
    RoomAdded {
        /// The room.
        room: RoomId,
    },
    /// They are a member of this room no more.
    RoomRemoved {
        /// The room.
        room: RoomId,
        /// Why.
        reason: UnsubscribeReason,
    },
    /// Somebody whom they know, or they themselves, is called something else or is up to something else.
    User {
        /// Who, and what they are called.
        user: UserSummary,
        /// What they are up to.
        status: String,
    },
    /// So many reports of a room that they moderate are open.
    Reports {
        /// The room.
        room: RoomId,
        /// How many.
        open: u32,
    },
    /// They have read a room on one of their devices.
    Read {
        /// The room.
        room: RoomId,
        /// Up to where.
        seq: Seq,
        /// Whether those who follow the room may know it, too.
        is_shown: bool,
    },
}

impl From<ReadMark> for Told {
    fn from(mark: ReadMark) -> Self {
        let ReadMark {
            room,
            user,
            seq,
            is_shown,
        } = mark;
        Self {
            users: vec![user],
            word: Word::Read {
                room,
                seq,
                is_shown,
            },
        }
    }
}

/// Where news goes. Cloning gives the same.
#[derive(Clone)]
pub struct News(Arc<Inner>);

struct Inner {
    /// This process, which tells itself.
    node: String,
    cluster: Cluster,
    client: InternalClient,
    here: broadcast::Sender<Arc<[Told]>>,
}

/// Who falls behind further loses the oldest.
const QUEUE: usize = 1_024;
/// So much is told at once: what a node takes in one body, and more than people read in a second.
const AT_ONCE: usize = 4_096;

impl News {
    /// From the process `node` to itself and to the other coordinators.
    pub fn new(node: &str, cluster: Cluster, client: InternalClient) -> Self {
        Self(Arc::new(Inner {
            node: node.to_owned(),
            cluster,
            client,
            here: broadcast::channel(QUEUE).0,
        }))
    }

    /// Tells `users`. One try for each node; never fails, never waits longer than 300 ms.
    pub async fn tell(&self, users: Vec<UserId>, word: Word) {
        self.tell_all(vec![Told { users, word }]).await;
    }

    /// Tells some people one thing, and others another. As [`News::tell`], for each 4,096 of them.
    pub async fn tell_all(&self, told: Vec<Told>) {
        for told in told.chunks(AT_ONCE) {
            let body = serde_json::to_vec(told).expect("ids and words are always JSON");
            self.hear(told.into());
            // Which nodes there are may have to be read first, from a store that is slow.
            let is_told = timeout(WITHIN, self.tell_others(body.into())).await;
            if is_told.is_err() {
                metrics::counter!("chatx_news_lost_total").increment(1);
            }
        }
    }

    /// Passes on what another process tells.
    pub fn hear(&self, told: Arc<[Told]>) {
        // In a process without sockets nobody listens.
        let _ = self.0.here.send(told);
    }

    /// All that is told from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<[Told]>> {
        self.0.here.subscribe()
    }

    async fn tell_others(&self, body: Bytes) {
        let nodes = self.0.cluster.live().await;
        let others = nodes.iter().filter(|node| node.name != self.0.node);
        join_all(others.map(|node| self.post(node, body.clone()))).await;
    }

    async fn post(&self, node: &Node, body: Bytes) {
        let client = &self.0.client;
        let asked = client.ask(Method::POST, &node.internal_url, "/internal/news", body);
        match asked.await {
            Ok(status) if status.is_success() => {}
            Ok(status) => {
                metrics::counter!("chatx_news_lost_total").increment(1);
                tracing::debug!(node = node.name, %status, "news is lost");
            }
            Err(error) => {
                metrics::counter!("chatx_news_lost_total").increment(1);
                tracing::debug!(node = node.name, %error, "news is lost");
            }
        }
    }
}
