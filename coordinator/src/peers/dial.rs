//! How a link is opened: the connection to another node, and the handshake. Who may come in,
//! [`crate::internal`] says.

use std::{io, sync::Arc};

use futures_util::{FutureExt, future::BoxFuture};
use http::{HeaderValue, header};
use shared::{cluster::Node, internal_client::NODE, internal_tls::InternalTls, token::Secrets};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{self, client::IntoClientRequest},
};

use super::{frame::SUBPROTOCOL, line};

/// A connection of any kind.
pub(crate) type Stream = Box<dyn Duplex>;

/// What carries bytes both ways.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

/// A way to other nodes.
pub(crate) trait Dial: Send + Sync {
    /// Opens a link to a node, one try. How long that may take is the caller's to say.
    fn dial(&self, node: &Node) -> BoxFuture<'static, io::Result<WebSocketStream<Stream>>>;
}

/// Where links are opened.
pub(crate) const PATH: &str = "/internal/link";

/// The way over the network, to the internal urls.
pub(crate) struct Network {
    /// This node.
    pub(crate) name: Arc<str>,
    /// Plain, or encrypted.
    pub(crate) tls: InternalTls,
    /// What proves that it is of the cluster.
    pub(crate) secrets: Secrets,
}

impl Dial for Network {
    fn dial(&self, node: &Node) -> BoxFuture<'static, io::Result<WebSocketStream<Stream>>> {
        let (tls, url) = (self.tls.clone(), node.internal_url.clone());
        let (name, secrets) = (Arc::clone(&self.name), self.secrets.clone());
        async move {
            let stream: Stream = Box::new(tls.connect(&url).await?);
            handshake(stream, &url, &name, secrets.peer_bearer()).await
        }
        .boxed()
    }
}

/// Turns a connection into a link.
pub(crate) async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    internal_url: &str,
    name: &str,
    bearer: &str,
) -> io::Result<WebSocketStream<S>> {
    let at = internal_url
        .trim_end_matches('/')
        .strip_prefix("http")
        .ok_or_else(|| io::Error::other("the url is neither http nor https"))?;
    // The library knows these schemes only; whether it is encrypted was decided before.
    let mut request = format!("ws{at}{PATH}")
        .into_client_request()
        .map_err(io::Error::other)?;
    let headers = request.headers_mut();
    let value = |text: &str| HeaderValue::from_str(text).map_err(io::Error::other);
    headers.insert(header::AUTHORIZATION, value(&format!("Bearer {bearer}"))?);
    headers.insert(NODE, value(name)?);
    headers.insert(
        header::SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_static(SUBPROTOCOL),
    );
    match client_async_with_config(request, stream, Some(line::config())).await {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Io(error)) => Err(error),
        Err(tungstenite::Error::Http(answer)) => {
            Err(io::Error::other(format!("it answers {}", answer.status())))
        }
        Err(error) => Err(io::Error::other(error)),
    }
}
