//! The way to a server: TCP, with TLS on it where the url says so. What is said over it is not its
//! concern.

use std::{fmt, io, sync::Arc};

use hyper::{
    Uri,
    http::uri::{PathAndQuery, Scheme},
};
use hyper_util::{
    client::legacy::connect::{Connected, Connection, HttpConnector},
    rt::TokioIo,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tower::{ServiceExt as _, service_fn, util::BoxCloneSyncService};

use crate::{Error, Result};

/// Opens connections. Cloning gives the same.
#[derive(Clone)]
pub(crate) struct Network {
    tcp: HttpConnector,
    tls: TlsConnector,
}

/// Bytes to a server and back.
pub(crate) type Stream = Box<dyn Duplex>;

/// What both kinds of connections are.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin> Duplex for T {}

/// The same as HTTP calls need it.
pub(crate) type Connector = BoxCloneSyncService<Uri, TokioIo<Stream>, io::Error>;

impl Network {
    /// Trusts the certificates that browsers trust, and those that stand on `extra_roots`.
    pub(crate) fn new(extra_roots: &[CertificateDer<'static>]) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        for root in extra_roots {
            let added = roots.add(root.clone());
            added.map_err(|error| Error::Root(error.to_string()))?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has suites of every version of TLS that is safe")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        Ok(Self {
            tcp,
            tls: TlsConnector::from(Arc::new(config)),
        })
    }

    /// Connects to the host of `url`, which begins with `http`, `https`, `ws` or `wss`.
    pub(crate) async fn connect(&self, url: &Uri) -> io::Result<Stream> {
        let is_secure = match url.scheme_str() {
            Some("https" | "wss") => true,
            Some("http" | "ws") => false,
            _ => return Err(invalid("the url begins with none of http, https, ws, wss")),
        };
        let host = url.host().ok_or_else(|| invalid("the url has no host"))?;
        let stream = self.tcp.clone().oneshot(at_host(url, is_secure)?).await;
        let stream = stream.map_err(io::Error::other)?.into_inner();
        if !is_secure {
            return Ok(Box::new(stream));
        }
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned()).map_err(invalid)?;
        Ok(Box::new(self.tls.connect(name, stream).await?))
    }

    pub(crate) fn connector(&self) -> Connector {
        let network = self.clone();
        BoxCloneSyncService::new(service_fn(move |url: Uri| {
            let network = network.clone();
            async move { Ok(TokioIo::new(network.connect(&url).await?)) }
        }))
    }
}

/// The same host under a scheme whose port the connector below knows.
fn at_host(url: &Uri, is_secure: bool) -> io::Result<Uri> {
    let mut parts = url.clone().into_parts();
    parts.scheme = Some(if is_secure {
        Scheme::HTTPS
    } else {
        Scheme::HTTP
    });
    parts
        .path_and_query
        .get_or_insert(PathAndQuery::from_static("/"));
    Uri::from_parts(parts).map_err(invalid)
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network")
    }
}
