//! Serves a router on a TCP listener, with or without TLS: one task a connection, all of them bounded in
//! number and time. What the routes do is not its concern.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use axum::{Router, extract::ConnectInfo};
use coordinator::Arrivals;
use http::StatusCode;
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
};
use shared::internal_tls::{InternalTls, Stream};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::yield_now,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tower_http::timeout::TimeoutLayer;

/// HTTP connections at a time; when so many are open, further ones wait in the kernel's queue. A socket
/// counts until it is upgraded: from then on it is the coordinator's.
const MAX_CONNECTIONS: usize = 16_384;
/// Connections that wait to be taken; the system may allow fewer.
const BACKLOG: u32 = 16_384;
/// So many are taken in one go. Then those who are here have their turn: when thousands come at once, nobody who
/// talks waits for all of them.
const TAKEN_AT_ONCE: u32 = 16;
/// How long the two sides may take to show each other who they are.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a client may take over the head of a request, and how long a connection may idle between two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a request may take, its body included; the longest that is waited for on purpose is 30 s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// What is buffered of a request's head and of pieces of its body.
const BUFFER_BYTES: usize = 64 * 1_024;
/// How long requests may take to end once the process is to stop.
pub const LAST_REQUESTS: Duration = Duration::from_secs(4);

/// A bound listener that serves nobody yet.
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
    /// What a connection goes through before its first request; for clients it is plain.
    entrance: InternalTls,
    /// Who looks first whether a connection is for a socket.
    arrivals: Option<Arrivals>,
}

impl Listener {
    /// Binds `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address is taken or not ours.
    pub async fn bind(address: SocketAddr) -> Result<Self> {
        let bound = async {
            let listener = bind(address)?;
            let address = listener.local_addr()?;
            io::Result::Ok(Self {
                listener,
                address,
                entrance: InternalTls::default(),
                arrivals: None,
            })
        };
        bound
            .await
            .with_context(|| format!("cannot listen on {address}"))
    }

    /// The same, open to other processes of the cluster only, where those are known by certificate.
    #[must_use]
    pub fn for_peers(mut self, tls: InternalTls) -> Self {
        self.entrance = tls;
        self
    }

    /// The same, where a connection that begins by asking for a socket is taken by `arrivals`.
    #[must_use]
    pub fn for_sockets(mut self, arrivals: Option<Arrivals>) -> Self {
        self.arrivals = arrivals;
        self
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `router` until `stop`; then takes no new connection, lets requests in flight end, and
    /// drops what is left after [`LAST_REQUESTS`].
    pub async fn serve(self, router: Router, stop: CancellationToken) {
        let timeout_layer =
            TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_TIMEOUT);
        let router = router.layer(timeout_layer);
        let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let graceful = GracefulShutdown::new();
        let mut taken: u32 = 0;
        loop {
            let next = async {
                let permit = Arc::clone(&connections).acquire_owned().await;
                (
                    permit.expect("the semaphore is never closed"),
                    self.listener.accept().await,
                )
            };
            tokio::select! {
                // Stop is looked at first, so that a flood of connections cannot hold it up.
                biased;
                () = stop.cancelled() => break,
                (permit, accepted) = next => match accepted {
                    Ok((stream, peer)) => {
                        let connection = Connection {
                            stream,
                            peer,
                            router: router.clone(),
                            graceful: graceful.watcher(),
                            permit,
                        };
                        let (entrance, arrivals) = (self.entrance.clone(), self.arrivals.clone());
                        tokio::spawn(connection.serve(entrance, arrivals, stop.clone()));
                        taken = taken.wrapping_add(1);
                        if taken.is_multiple_of(TAKEN_AT_ONCE) {
                            yield_now().await;
                        }
                    }
                    // Out of file descriptors, most likely: taking the next at once would only spin.
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be taken");
                        sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
        drop(self.listener);
        if timeout(LAST_REQUESTS, graceful.shutdown()).await.is_err() {
            tracing::warn!("requests that did not end in time are dropped");
        }
    }
}

/// A connection that was taken.
struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    /// Tells it to end after the request that is under way.
    graceful: Watcher,
    /// Its place among [`MAX_CONNECTIONS`].
    permit: OwnedSemaphorePermit,
}

impl Connection {
    /// Lets it in and answers its requests. Whoever is still at the entrance at `stop` is not let in.
    async fn serve(
        self,
        entrance: InternalTls,
        arrivals: Option<Arrivals>,
        stop: CancellationToken,
    ) {
        let peer = self.peer;
        let entered = tokio::select! {
            entered = enter(self.stream, peer, &entrance, arrivals) => entered,
            () = stop.cancelled() => return,
        };
        match entered {
            // On the heap, so that those who only want a socket do not pay for what HTTP needs.
            Ok(Some(stream)) => {
                Box::pin(serve_http(stream, peer, self.router, self.graceful)).await;
            }
            Ok(None) => {}
            // With certificates this is somebody who has none of ours, which is worth a line.
            Err(error) if entrance.is_on() => {
                tracing::warn!(%peer, %error, "a connection to the internal listener is refused");
            }
            Err(error) => tracing::debug!(%error, "a connection ended before it was served"),
        }
        drop(self.permit);
    }
}

/// Lets a connection in; nothing if somebody else took it.
async fn enter(
    stream: TcpStream,
    peer: SocketAddr,
    entrance: &InternalTls,
    arrivals: Option<Arrivals>,
) -> io::Result<Option<Stream>> {
    let stream = match arrivals {
        Some(arrivals) => timeout(HEAD_TIMEOUT, arrivals.take(stream, peer)).await??,
        None => Some(stream),
    };
    match stream {
        Some(stream) => Ok(Some(
            timeout(HANDSHAKE_TIMEOUT, entrance.accept(stream)).await??,
        )),
        None => Ok(None),
    }
}

/// Binds `address`, with room for everybody who comes back at once when another node is lost.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A process that starts again takes the address that its connections of before still linger on.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn serve_http(stream: Stream, peer: SocketAddr, router: Router, graceful: Watcher) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    });
    let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(BUFFER_BYTES);
    let connection = builder
        .serve_connection_with_upgrades(TokioIo::new(stream), service)
        .into_owned();
    if let Err(error) = graceful.watch(connection).await {
        tracing::debug!(%error, "a connection broke");
    }
}
