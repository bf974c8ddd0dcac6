//! A node of a test: real links over TCP, and rooms that only pass on what they are told.

use std::{io, sync::Arc};

use futures_util::{FutureExt, future::BoxFuture};
use protocol::RoomId;
use shared::cluster::Node;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, mpsc, watch},
    time::{Duration, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async_with_config,
    tungstenite::handshake::server::{ErrorResponse, Request, Response},
};
use tokio_util::sync::CancellationToken;

use crate::peers::{
    Capacities, Guest, Link, LocalRooms, Peers,
    dial::{self, Dial, Stream},
    frame::{News, SUBPROTOCOL, Word},
    guest, line,
};

/// A bound on what cannot take long.
pub(super) const SOON: Duration = Duration::from_secs(20);

/// A node, until it is dropped.
pub(super) struct Neighbour {
    pub(super) peers: Peers,
    pub(super) node: Node,
    /// What its rooms hear from owners; while it is not taken they are busy.
    pub(super) news: mpsc::Receiver<(Link, RoomId, News)>,
    /// What its rooms hear from gateways; the same.
    pub(super) words: mpsc::Receiver<(Guest, RoomId, Word)>,
    moved: Arc<Notify>,
    cancel: CancellationToken,
}

/// Who is alive, for all nodes of a test.
pub(super) struct Town(watch::Sender<Arc<[Node]>>);

impl Town {
    pub(super) fn new() -> Self {
        Self(watch::Sender::default())
    }

    /// Has everybody see these nodes.
    pub(super) fn see(&self, nodes: &[&Node]) {
        self.0
            .send_replace(nodes.iter().map(|node| (*node).clone()).collect());
    }

    /// Starts a node that others reach at `address`.
    pub(super) async fn start_at(&self, name: &str, address: &str) -> Neighbour {
        let listener = TcpListener::bind(address).await.unwrap();
        let node = Node {
            name: name.to_owned(),
            url: String::new(),
            internal_url: format!("http://{}", listener.local_addr().unwrap()),
            weight: 1,
            draining: false,
        };
        let (to_news, news) = mpsc::channel(1);
        let (to_words, words) = mpsc::channel(1);
        let moved = Arc::new(Notify::new());
        let rooms = Rooms {
            news: to_news,
            words: to_words,
            moved: Arc::clone(&moved),
        };
        let (peers, cancel) = (
            Peers::new(node.clone(), Capacities::default()),
            CancellationToken::new(),
        );
        let dial = Arc::new(Telephone(name.into()));
        let running = peers
            .clone()
            .run(rooms.clone(), dial, self.0.subscribe(), cancel.clone());
        tokio::spawn(running);
        let listening = listen(listener, peers.clone(), rooms, cancel.clone());
        tokio::spawn(cancel.clone().run_until_cancelled_owned(listening));
        Neighbour {
            peers,
            node,
            news,
            words,
            moved,
            cancel,
        }
    }

    pub(super) async fn start(&self, name: &str) -> Neighbour {
        self.start_at(name, "127.0.0.1:0").await
    }

    /// Two nodes that see each other.
    pub(super) async fn two() -> (Self, Neighbour, Neighbour) {
        let town = Self::new();
        let (one, other) = (town.start("one").await, town.start("other").await);
        town.see(&[&one.node, &other.node]);
        one.is_linked_to(&other).await;
        other.is_linked_to(&one).await;
        (town, one, other)
    }
}

impl Neighbour {
    /// The link to another node, once it is up.
    pub(super) async fn is_linked_to(&self, other: &Self) -> Link {
        self.when(|peers| link_to(peers, &other.node.name)).await
    }

    /// Waits until there is something to see among the other nodes.
    pub(super) async fn when<T>(&self, mut look: impl FnMut(&Peers) -> Option<T>) -> T {
        let seen = async {
            loop {
                if let Some(seen) = look(&self.peers) {
                    return seen;
                }
                self.moved.notified().await;
            }
        };
        timeout(SOON, seen).await.expect("it is not to be seen")
    }

    /// The next news that its rooms hear.
    pub(super) async fn next_news(&mut self) -> (Link, RoomId, News) {
        let next = timeout(SOON, self.news.recv()).await;
        next.expect("no news come").unwrap()
    }

    /// The next word that its rooms hear.
    pub(super) async fn next_word(&mut self) -> (Guest, RoomId, Word) {
        let next = timeout(SOON, self.words.recv()).await;
        next.expect("no word comes").unwrap()
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// The link to a node of that name, if rooms can be there.
pub(super) fn link_to(peers: &Peers, name: &str) -> Option<Link> {
    peers.known().view.links.get(name).cloned()
}

#[derive(Clone)]
struct Rooms {
    news: mpsc::Sender<(Link, RoomId, News)>,
    words: mpsc::Sender<(Guest, RoomId, Word)>,
    moved: Arc<Notify>,
}

impl LocalRooms for Rooms {
    async fn hear(&self, link: &Link, room: RoomId, news: News) {
        drop(self.news.send((link.clone(), room, news)).await);
    }

    async fn guest(&self, guest: &Guest, room: RoomId, word: Word) {
        drop(self.words.send((guest.clone(), room, word)).await);
    }

    fn moved(&self) {
        self.moved.notify_one();
    }
}

/// The way to other nodes of the test, for the node of this name.
struct Telephone(Arc<str>);

impl Dial for Telephone {
    fn dial(&self, node: &Node) -> BoxFuture<'static, io::Result<WebSocketStream<Stream>>> {
        let (name, url) = (Arc::clone(&self.0), node.internal_url.clone());
        async move {
            let stream = TcpStream::connect(url.trim_start_matches("http://")).await?;
            stream.set_nodelay(true)?;
            dial::handshake(Box::new(stream) as Stream, &url, &name, "").await
        }
        .boxed()
    }
}

async fn listen(listener: TcpListener, peers: Peers, rooms: Rooms, cancel: CancellationToken) {
    while let Ok((stream, _)) = listener.accept().await {
        let (peers, rooms, cancel) = (peers.clone(), rooms.clone(), cancel.clone());
        tokio::spawn(async move {
            let (socket, name) = answer(stream).await;
            if let Ok(admitted) = peers.admit(&name) {
                guest::serve(admitted, rooms, socket, cancel).await;
            }
        });
    }
}

/// Takes a handshake, and hears who comes.
pub(super) async fn answer(stream: TcpStream) -> (WebSocketStream<TcpStream>, String) {
    stream.set_nodelay(true).unwrap();
    let mut name = String::new();
    #[expect(clippy::result_large_err, reason = "the library asks for it")]
    let greet = |request: &Request, mut answer: Response| -> Result<Response, ErrorResponse> {
        name = request.headers()[shared::internal_client::NODE]
            .to_str()
            .unwrap()
            .to_owned();
        let subprotocol = SUBPROTOCOL.parse().unwrap();
        answer
            .headers_mut()
            .insert("sec-websocket-protocol", subprotocol);
        Ok(answer)
    };
    let socket = accept_hdr_async_with_config(stream, greet, Some(line::config()))
        .await
        .unwrap();
    (socket, name)
}
