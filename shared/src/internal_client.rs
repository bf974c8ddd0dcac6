//! What this process asks of the others of its cluster at their internal urls: small questions over kept
//! connections, answered soon or not at all. What is asked is not its concern.

use std::{io, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::Connected},
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tower::{service_fn, util::BoxCloneSyncService};

use crate::{
    internal_tls::{InternalTls, Stream},
    token::Secrets,
};

/// Asks other processes of the cluster. Cloning shares the connections.
#[derive(Clone)]
pub struct InternalClient {
    client: Client<Connector, Full<Bytes>>,
    /// Proves that a process of the cluster asks.
    authorization: HeaderValue,
    /// Says which one.
    node: Option<HeaderValue>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// The url of the other process is none.
    #[error("its internal url is none: {0}")]
    Url(#[from] http::Error),
    /// It is not reached, or breaks off.
    #[error(transparent)]
    Connection(#[from] hyper_util::client::legacy::Error),
    /// It took too long.
    #[error("no answer in time")]
    Late,
}

type Connector = BoxCloneSyncService<Uri, TokioIo<Stream>, io::Error>;

/// How long an answer may take, connecting included.
pub(crate) const WITHIN: Duration = Duration::from_millis(300);
/// Names the process that asks, so that who looks at the traffic can tell one from another.
pub const NODE: HeaderName = HeaderName::from_static("chatx-node");

impl InternalClient {
    /// As the process `node`, with what `secrets` proves, over what `tls` says.
    pub fn new(node: &str, secrets: &Secrets, tls: InternalTls) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build(connector(tls));
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", secrets.peer_bearer()))
            .expect("the pass between nodes is ascii");
        authorization.set_sensitive(true);
        Self {
            client,
            authorization,
            node: HeaderValue::from_str(node).ok(),
        }
    }

    /// Asks the process at `internal_url`, once; with a body, of JSON, if it is not empty. Waits no longer
    /// than 300 ms.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn ask(
        &self,
        method: Method,
        internal_url: &str,
        path: &str,
        body: Bytes,
    ) -> Result<StatusCode, NoAnswer> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", internal_url.trim_end_matches('/')))
            .header(header::AUTHORIZATION, self.authorization.clone());
        if let Some(node) = &self.node {
            request = request.header(NODE, node.clone());
        }
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::new(body))?;
        let answer = tokio::time::timeout(WITHIN, self.client.request(request)).await;
        Ok(answer.map_err(|_| NoAnswer::Late)??.status())
    }
}

/// How a connection is made.
fn connector(tls: InternalTls) -> Connector {
    BoxCloneSyncService::new(service_fn(move |uri: Uri| {
        let tls = tls.clone();
        async move {
            // Who asked may have gone meanwhile, and nobody else would end this.
            let url = uri.to_string();
            let connected = tokio::time::timeout(WITHIN, tls.connect(&url)).await;
            Ok(TokioIo::new(connected??))
        }
    }))
}

impl hyper_util::client::legacy::connect::Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}
