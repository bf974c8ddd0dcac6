//! Asking somebody else's server: at an address that was looked up and checked just now, without going where the answer
//! points to, and without reading more of it than was agreed. How long it may take is for who asks to say.

mod public;

use std::{io, net::SocketAddr};

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, Uri, header, uri::PathAndQuery};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    task::JoinSet,
};

use crate::trust::Trust;
pub use public::is_public;

/// The way to servers of others. Cloning gives the same.
#[derive(Clone)]
pub(crate) struct Outside {
    trust: Trust,
}

/// Which addresses a server may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Targets {
    /// Those of the open internet: a stranger named the server.
    Public,
    /// Any: who runs this server named it.
    Any,
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Empty, if none of it was to be read.
    pub(crate) body: Bytes,
}

/// Why there is no answer. People read this.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    #[error("the url cannot be read")]
    Url,
    #[error("the host is not found: {0}")]
    NotFound(#[source] io::Error),
    #[error("the host has a private address only, and such are not allowed")]
    Private,
    #[error("no connection: {0}")]
    Connection(#[source] io::Error),
    #[error("no answer: {0}")]
    Broken(#[from] hyper::Error),
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    #[error("the answer breaks off")]
    BreaksOff,
}

const AGENT: HeaderValue = HeaderValue::from_static(concat!("ChatX/", env!("CARGO_PKG_VERSION")));

impl Outside {
    pub(crate) const fn new(trust: Trust) -> Self {
        Self { trust }
    }

    /// Asks once, at the absolute url of `request`. Of the answer at most `most_bytes` are read: with none, it may be as
    /// long as it likes.
    pub(crate) async fn ask(
        &self,
        request: Request<Full<Bytes>>,
        targets: Targets,
        most_bytes: usize,
    ) -> Result<Answer, NoAnswer> {
        let url = request.uri().clone();
        let host = url.host().ok_or(NoAnswer::Url)?;
        let name = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let is_secure = url.scheme_str() == Some("https");
        let port = url.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        let request = addressed(request, &url)?;
        let stream = connect(&name, port, targets).await?;
        if !is_secure {
            return exchange(stream, request, most_bytes).await;
        }
        let stream = self.trust.connect(&name, stream).await;
        exchange(stream.map_err(NoAnswer::Connection)?, request, most_bytes).await
    }
}

/// Connects to one of the addresses that were checked: were the name looked up again, it could lead
/// elsewhere by then.
async fn connect(host: &str, port: u16, targets: Targets) -> Result<TcpStream, NoAnswer> {
    let found = lookup_host((host, port)).await;
    let allowed: Vec<SocketAddr> = found
        .map_err(NoAnswer::NotFound)?
        .filter(|address| targets == Targets::Any || is_public(address.ip()))
        .collect();
    if allowed.is_empty() {
        return Err(NoAnswer::Private);
    }
    TcpStream::connect(allowed.as_slice())
        .await
        .map_err(NoAnswer::Connection)
}

/// The same request as it is written to the server itself.
fn addressed(
    mut request: Request<Full<Bytes>>,
    url: &Uri,
) -> Result<Request<Full<Bytes>>, NoAnswer> {
    let authority = url.authority().ok_or(NoAnswer::Url)?.as_str();
    let host = HeaderValue::from_str(authority).map_err(|_| NoAnswer::Url)?;
    let path = url.path_and_query().map_or("/", PathAndQuery::as_str);
    *request.uri_mut() = path.parse().map_err(|_| NoAnswer::Url)?;
    request.headers_mut().insert(header::HOST, host);
    request.headers_mut().insert(header::USER_AGENT, AGENT);
    Ok(request)
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
    most_bytes: usize,
) -> Result<Answer, NoAnswer> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with this function, whatever the other side is still saying.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = match most_bytes {
        0 => Bytes::new(),
        _ => {
            let whole = Limited::new(response.into_body(), most_bytes)
                .collect()
                .await;
            let too_long = |error: Box<dyn std::error::Error + Send + Sync>| {
                if error.is::<LengthLimitError>() {
                    NoAnswer::TooLong(most_bytes)
                } else {
                    NoAnswer::BreaksOff
                }
            };
            whole.map_err(too_long)?.to_bytes()
        }
    };
    Ok(Answer { status, body })
}
