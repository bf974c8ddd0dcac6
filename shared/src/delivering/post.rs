//! One post to somebody else's server: to an address that was looked up and checked just now, within a
//! time, and without going where the answer points to.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::is_public;

/// Posts. What it needs for TLS is made once.
pub(super) struct Poster {
    tls: TlsConnector,
    /// Whether addresses are allowed that are not everybody's.
    private_targets: bool,
    /// How long all of it may take.
    within: Duration,
}

/// What is posted.
pub(super) struct Post {
    pub(super) url: String,
    pub(super) webhook: String,
    pub(super) delivery: String,
    pub(super) signature: String,
    pub(super) body: Bytes,
}

/// Why a post was not taken; whose webhook it is reads this.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotTaken {
    #[error("the url cannot be read")]
    Url,
    #[error("the host is not found: {0}")]
    NotFound(#[source] io::Error),
    #[error("the host has a private address only, and such are not allowed")]
    Private,
    #[error("no connection: {0}")]
    Connection(#[source] io::Error),
    #[error("no answer: {0}")]
    Answer(#[from] hyper::Error),
    #[error("answered {0}")]
    Status(StatusCode),
    #[error("no answer within {} s", .0.as_secs())]
    Late(Duration),
}

const AGENT: &str = concat!("ChatX/", env!("CARGO_PKG_VERSION"));

impl Poster {
    pub(super) fn new(private_targets: bool, within: Duration) -> Self {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has suites of every version of TLS that is safe")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            tls: TlsConnector::from(Arc::new(config)),
            private_targets,
            within,
        }
    }

    /// Posts once. Whatever is not an answer of success is a failure, a redirect too.
    pub(super) async fn post(&self, post: Post) -> Result<(), NotTaken> {
        let answered = timeout(self.within, self.ask(post)).await;
        let status = answered.map_err(|_| NotTaken::Late(self.within))??;
        if status.is_success() {
            Ok(())
        } else {
            Err(NotTaken::Status(status))
        }
    }

    async fn ask(&self, post: Post) -> Result<StatusCode, NotTaken> {
        let url: Uri = post.url.parse().map_err(|_| NotTaken::Url)?;
        let host = url.host().ok_or(NotTaken::Url)?;
        let name = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let is_secure = url.scheme_str() == Some("https");
        let port = url.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        let stream = self.connect(&name, port).await?;
        let request = request(&url, post)?;
        if !is_secure {
            return exchange(stream, request).await;
        }
        let name = ServerName::try_from(name).map_err(|_| NotTaken::Url)?;
        let stream = self.tls.connect(name, stream).await;
        exchange(stream.map_err(NotTaken::Connection)?, request).await
    }

    /// Connects to one of the addresses that were checked: were the name looked up again, it could lead
    /// elsewhere by then.
    async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, NotTaken> {
        let found = lookup_host((host, port)).await;
        let allowed: Vec<SocketAddr> = found
            .map_err(NotTaken::NotFound)?
            .filter(|address| self.private_targets || is_public(address.ip()))
            .collect();
        if allowed.is_empty() {
            return Err(NotTaken::Private);
        }
        TcpStream::connect(allowed.as_slice())
            .await
            .map_err(NotTaken::Connection)
    }
}

fn request(url: &Uri, post: Post) -> Result<Request<Full<Bytes>>, NotTaken> {
    let authority = url.authority().ok_or(NotTaken::Url)?.as_str();
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    Request::post(path)
        .header(header::HOST, authority)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, AGENT)
        .header("x-chatx-webhook", post.webhook)
        .header("x-chatx-delivery", post.delivery)
        .header("x-chatx-signature", post.signature)
        .body(Full::new(post.body))
        .map_err(|_| NotTaken::Url)
}

/// Nothing of the answer is read but its status: it may be as long as it likes.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<StatusCode, NotTaken> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with this function, whatever the other side is still saying.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    Ok(sender.send_request(request).await?.status())
}
