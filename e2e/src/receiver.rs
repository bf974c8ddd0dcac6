//! Somebody else's server: takes what webhooks post, or does not, and can be away.

use std::{
    convert::Infallible,
    fmt::Write as _,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use protocol::webhooks::Delivery;
use tokio::{net::TcpListener, sync::Notify, task::JoinSet, time::timeout};

use crate::PATIENCE;

/// One post that came.
#[derive(Clone, Debug)]
pub struct Received {
    /// What it brought.
    pub delivery: Delivery,
    /// Whether it was taken.
    pub was_taken: bool,
    signature: String,
    body: Bytes,
}

/// The server.
pub struct Receiver {
    address: SocketAddr,
    board: Arc<Board>,
    /// Dropped, nobody listens and every connection is cut off.
    serving: Option<JoinSet<()>>,
}

struct Board {
    received: Mutex<Vec<Received>>,
    status: AtomicU16,
    came: Notify,
}

impl Receiver {
    /// Listens, and takes everything.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut receiver = Self {
            address: listener.local_addr()?,
            board: Arc::new(Board {
                received: Mutex::default(),
                status: AtomicU16::new(200),
                came: Notify::new(),
            }),
            serving: None,
        };
        receiver.serve(listener);
        Ok(receiver)
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its url, under this name of the machine.
    pub fn url_as(&self, host: &str) -> String {
        format!("http://{host}:{}/in", self.address.port())
    }

    /// Its url.
    pub fn url(&self) -> String {
        self.url_as("127.0.0.1")
    }

    /// Answers with this status from now on.
    pub fn answer(&self, status: u16) {
        self.board.status.store(status, Ordering::SeqCst);
    }

    /// Goes away in the middle of whatever comes.
    pub fn kill(&mut self) {
        self.serving = None;
    }

    /// Comes back where it was.
    ///
    /// # Errors
    /// When its port was taken meanwhile.
    pub async fn come_back(&mut self) -> Result<()> {
        let listener = TcpListener::bind(self.address).await?;
        self.serve(listener);
        Ok(())
    }

    /// Everything that came, in order.
    pub fn received(&self) -> Vec<Received> {
        let received = &self.board.received;
        received
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits until what came is `enough`.
    ///
    /// # Errors
    /// When that takes too long.
    pub async fn until(&self, enough: impl Fn(&[Received]) -> bool) -> Result<()> {
        let waiting = async {
            loop {
                let came = self.board.came.notified();
                if enough(&self.received()) {
                    return;
                }
                // Something may have come in between.
                drop(timeout(Duration::from_millis(200), came).await);
            }
        };
        let waited = timeout(PATIENCE, waiting).await;
        waited.with_context(|| format!("only {} posts came", self.received().len()))
    }

    fn serve(&mut self, listener: TcpListener) {
        let board = Arc::clone(&self.board);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let board = Arc::clone(&board);
                let answer = service_fn(move |request| take(Arc::clone(&board), request));
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
                connections.spawn(async move { drop(connection.await) });
            }
        });
        self.serving = Some(serving);
    }
}

async fn take(
    board: Arc<Board>,
    request: Request<Incoming>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let mut status = board.status.load(Ordering::SeqCst);
    let header = |name: &str| {
        let value = request.headers().get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    let signature = header("x-chatx-signature").unwrap_or_default();
    let body = request
        .into_body()
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    let body = body.unwrap_or_default();
    match serde_json::from_slice(&body) {
        Ok(delivery) => {
            let mut received = board
                .received
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            received.push(Received {
                delivery,
                was_taken: status == 200,
                signature,
                body,
            });
        }
        Err(_) => status = 400,
    }
    board.came.notify_waiters();
    let mut response = Response::new(Empty::new());
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    if status == 302 {
        // Who follows it comes back, and is seen.
        let here = hyper::header::HeaderValue::from_static("/in");
        response.headers_mut().insert(hyper::header::LOCATION, here);
    }
    Ok(response)
}

impl Received {
    /// Checks the signature as the contract describes it, from SHA-256 up.
    ///
    /// # Errors
    /// When it is not what it should be.
    pub fn check(&self, secret: &str) -> Result<()> {
        let (t, v1) = self
            .signature
            .strip_prefix("t=")
            .and_then(|rest| rest.split_once(",v1="))
            .with_context(|| format!("no signature: {}", self.signature))?;
        let expected = hmac(
            secret.as_bytes(),
            &[t.as_bytes(), b".", &self.body].concat(),
        );
        ensure!(v1 == expected, "{v1} is not {expected}");
        Ok(())
    }
}

/// RFC 2104.
fn hmac(secret: &[u8], text: &[u8]) -> String {
    const BLOCK_BYTES: usize = 64;
    let mut key = [0; BLOCK_BYTES];
    if secret.len() > BLOCK_BYTES {
        key[..32].copy_from_slice(digest(&SHA256, secret).as_ref());
    } else {
        key[..secret.len()].copy_from_slice(secret);
    }
    let inner = digest(&SHA256, &[&key.map(|byte| byte ^ 0x36), text].concat());
    let outer = digest(
        &SHA256,
        &[&key.map(|byte| byte ^ 0x5c), inner.as_ref()].concat(),
    );
    outer.as_ref().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
