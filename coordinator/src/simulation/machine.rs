//! One node: real rooms and real links, on the simulated network, before the simulated database. Only
//! its sockets are the simulation's own.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, MutexGuard},
};

use futures_util::{FutureExt, future::BoxFuture};
use http::{HeaderValue, StatusCode, header};
use protocol::Limits;
use shared::{cluster::Node, hints::Hint};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{Duration, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::handshake::server::{ErrorResponse, Request, Response},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use turmoil::net::{TcpListener, TcpStream};

use super::{
    database::{Database, Way},
    ears::Ears,
    pipe::Pipe,
    session::Session,
    world::{World, note},
};
use crate::{
    log::Log,
    outbox::Capacity,
    peers::{
        self, Peers,
        dial::{self, Dial, Stream},
        frame::SUBPROTOCOL,
        guest,
    },
    rooms::Rooms,
    tail,
};

/// One node, on or off.
pub(super) struct Machine {
    pub(super) world: Arc<World>,
    pub(super) database: Arc<Database>,
    pub(super) number: usize,
    pub(super) limits: Limits,
    pub(super) capacities: Capacities,
    /// The nodes that this one believes to be alive.
    pub(super) live: watch::Sender<Arc<[Node]>>,
    orders: Mutex<Orders>,
    ordered: Notify,
}

/// How much may wait where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capacities {
    pub(super) outbox: Capacity,
    pub(super) appender: usize,
    pub(super) peers: peers::Capacities,
}

#[derive(Default)]
struct Orders {
    waiting: VecDeque<Order>,
    is_open: bool,
    /// How many rooms were live when somebody asked.
    live_rooms: Option<usize>,
    /// How many tasks were left when it had stopped.
    left: Option<usize>,
}

/// What a node is told from outside.
pub(super) enum Order {
    /// Serve this socket.
    Serve(Pipe),
    /// A room has reached a place, says somebody who wrote into it.
    Hear(Hint),
    /// Own nothing any more, and send everybody away.
    Drain,
    /// Say how many rooms are live.
    Count,
    /// End in order.
    Stop,
}

const PORT: u16 = 7_000;
/// Between telling the others and ending.
const DRAINS_FOR: Duration = Duration::from_millis(1_500);
const HINTS: usize = 64;

impl Machine {
    pub(super) fn new(
        database: Arc<Database>,
        world: Arc<World>,
        number: usize,
        limits: Limits,
        capacities: Capacities,
    ) -> Self {
        Self {
            world,
            database,
            number,
            limits,
            capacities,
            live: watch::Sender::new(Arc::default()),
            orders: Mutex::default(),
            ordered: Notify::new(),
        }
    }

    /// Its name on the network and in the cluster.
    pub(super) fn name(number: usize) -> String {
        format!("node-{number}")
    }

    /// How the others see it.
    pub(super) fn node(number: usize, draining: bool) -> Node {
        let name = Self::name(number);
        Node {
            url: String::new(),
            internal_url: format!("http://{name}:{PORT}"),
            name,
            weight: 1,
            draining,
        }
    }

    /// Tells it something; nobody hears it when the node is off.
    pub(super) fn order(&self, order: Order) {
        self.orders().waiting.push_back(order);
        self.ordered.notify_one();
    }

    /// Whether it takes sockets.
    pub(super) fn is_open(&self) -> bool {
        self.orders().is_open
    }

    /// It has died, or is about to start.
    pub(super) fn forget(&self) {
        *self.orders() = Orders::default();
    }

    pub(super) fn live_rooms(&self) -> Option<usize> {
        self.orders().live_rooms
    }

    pub(super) fn left(&self) -> Option<usize> {
        self.orders().left
    }

    async fn next(&self) -> Order {
        loop {
            if let Some(order) = self.orders().waiting.pop_front() {
                return order;
            }
            self.ordered.notified().await;
        }
    }

    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders
            .lock()
            .expect("nothing panics while it holds the orders")
    }

    /// What runs on it.
    pub(super) async fn run(self: Arc<Self>) -> turmoil::Result {
        self.forget();
        let number = self.number;
        note!(self.world, "node {number} starts");
        let (cancel, tasks) = (CancellationToken::new(), TaskTracker::new());
        let log: Arc<dyn Log> = Arc::new(Way::start(
            Arc::clone(&self.database),
            number,
            self.capacities.appender,
            &tasks,
            cancel.clone(),
        ));
        let peers = Peers::new(Self::node(number, false), self.capacities.peers);
        let rooms = Rooms::new(
            Arc::clone(&log),
            peers.clone(),
            self.limits.clone(),
            tasks.clone(),
            cancel.clone(),
        );
        let (hints, heard) = mpsc::channel(HINTS);
        tasks.spawn(tail::listen(rooms.clone(), heard, cancel.clone()));
        tasks.spawn(tail::watch(rooms.clone(), log, cancel.clone()));
        let dial = Arc::new(Network {
            name: Self::name(number),
        });
        let live = self.live.subscribe();
        let ears = Ears::new(&self.world, &rooms);
        tasks.spawn(peers.clone().run(ears.clone(), dial, live, cancel.clone()));
        let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
        tasks.spawn(accept(
            listener,
            peers.clone(),
            ears,
            tasks.clone(),
            cancel.clone(),
        ));
        self.orders().is_open = true;
        let ending = CancellationToken::new();
        loop {
            match self.next().await {
                Order::Serve(pipe) => {
                    let session = Session::new(&self, pipe, &rooms, &tasks);
                    let ending = ending.clone();
                    tasks.spawn(async move { ending.run_until_cancelled(session.run()).await });
                }
                Order::Hear(hint) => drop(hints.try_send(hint)),
                Order::Drain => {
                    note!(self.world, "node {number} drains");
                    self.orders().is_open = false;
                    peers.drain();
                    let ending = ending.clone();
                    tasks.spawn(async move {
                        tokio::time::sleep(DRAINS_FOR).await;
                        ending.cancel();
                    });
                }
                Order::Count => {
                    let count = rooms.count();
                    self.orders().live_rooms = Some(count);
                }
                Order::Stop => break,
            }
        }
        self.orders().is_open = false;
        ending.cancel();
        cancel.cancel();
        tasks.close();
        drop(timeout(Duration::from_secs(8), tasks.wait()).await);
        self.orders().left = Some(tasks.len());
        note!(self.world, "node {number} has stopped");
        Ok(())
    }
}

/// The way to other nodes, over the simulated network.
struct Network {
    name: String,
}

impl Dial for Network {
    fn dial(&self, node: &Node) -> BoxFuture<'static, io::Result<WebSocketStream<Stream>>> {
        let (name, url, host) = (
            self.name.clone(),
            node.internal_url.clone(),
            node.name.clone(),
        );
        async move {
            let stream: Stream = Box::new(TcpStream::connect((host, PORT)).await?);
            dial::handshake(stream, &url, &name, "a secret").await
        }
        .boxed()
    }
}

/// Lets other nodes in.
#[expect(
    clippy::result_large_err,
    reason = "the library asks for a whole response"
)]
async fn accept(
    listener: TcpListener,
    peers: Peers,
    rooms: Ears,
    tasks: TaskTracker,
    cancel: CancellationToken,
) {
    while let Some(Ok((stream, _))) = cancel.run_until_cancelled(listener.accept()).await {
        let (peers, rooms, served) = (peers.clone(), rooms.clone(), cancel.clone());
        let linked = async move {
            let mut admitted = None;
            let judge = |request: &Request, mut response: Response| {
                let name = request.headers().get(shared::internal_client::NODE);
                let name = name.and_then(|name| name.to_str().ok()).unwrap_or_default();
                let Ok(guest) = peers.admit(name) else {
                    let mut refused = ErrorResponse::new(None);
                    *refused.status_mut() = StatusCode::CONFLICT;
                    return Err(refused);
                };
                admitted = Some(guest);
                let protocol = HeaderValue::from_static(SUBPROTOCOL);
                response
                    .headers_mut()
                    .insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
                Ok(response)
            };
            let socket = accept_hdr_async(stream, judge).await;
            if let (Ok(socket), Some(admitted)) = (socket, admitted) {
                guest::serve(admitted, rooms, socket, served).await;
            }
        };
        let cancel = cancel.clone();
        tasks.spawn(async move { cancel.run_until_cancelled(linked).await });
    }
}
