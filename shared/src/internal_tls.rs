//! How processes of a cluster reach each other at their internal urls: over TCP, or over TLS where each
//! side shows a certificate of one CA. What they say there is not its concern.

use std::{
    fmt, io,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::Uri;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    server::{VerifierBuilderError, WebPkiClientVerifier},
    version::TLS13,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::{
    Settings,
    certificates::{Unreadable, certificates},
};

/// The way to other processes, and from them to this one. Cloning gives the same.
#[derive(Clone, Default)]
pub struct InternalTls(Option<Arc<Ends>>);

/// Both ends of TLS, with this process's certificate on each.
struct Ends {
    connector: TlsConnector,
    acceptor: TlsAcceptor,
}

/// A connection between two processes of the cluster, with `TCP_NODELAY` set.
pub enum Stream {
    /// As it is.
    Plain(TcpStream),
    /// Encrypted, and both sides known.
    Tls(Box<TlsStream<TcpStream>>),
}

/// Why the certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// There is nothing to be had from a file.
    #[error(transparent)]
    File(#[from] Unreadable),
    /// A certificate of the CA's file is none.
    #[error("{CA_FILE}: {0}")]
    Ca(#[source] rustls::Error),
    /// The CA's certificates verify nobody.
    #[error("{CA_FILE}: {0}")]
    Verifier(#[from] VerifierBuilderError),
    /// The certificate and the key do not belong together, or are of a kind that is not known.
    #[error("{CERT_FILE} and {KEY_FILE}: {0}")]
    Pair(#[source] rustls::Error),
}

const CERT_FILE: &str = "CHATX_INTERNAL_TLS_CERT_FILE";
const KEY_FILE: &str = "CHATX_INTERNAL_TLS_KEY_FILE";
const CA_FILE: &str = "CHATX_INTERNAL_TLS_CA_FILE";

impl InternalTls {
    /// As the settings say: TLS when they name certificates, else plain TCP.
    ///
    /// # Errors
    /// When what they name cannot be used.
    pub fn new(settings: &Settings) -> Result<Self, Unusable> {
        let (Some(certificate), Some(key), Some(ca)) = (
            &settings.internal_tls_cert_file,
            &settings.internal_tls_key_file,
            &settings.internal_tls_ca_file,
        ) else {
            return Ok(Self::default());
        };
        Ends::read(certificate, key, ca).map(|ends| Self(Some(Arc::new(ends))))
    }

    /// Whether it is TLS.
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Connects to the process at this internal url, whose path does not count. How long that may take is
    /// the caller's to say. Whether the other side takes our certificate shows when it first answers.
    ///
    /// # Errors
    /// When it is not reached, shows no certificate of our CA for this name, or when the url's scheme is
    /// not the one that this cluster speaks: what is encrypted elsewhere is not said openly here.
    pub async fn connect(&self, url: &str) -> io::Result<Stream> {
        let url: Uri = url.parse().map_err(invalid)?;
        let host = url.host().ok_or_else(|| invalid("the url has no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let ends = match (url.scheme_str(), self.0.as_deref()) {
            (Some("http"), None) => None,
            (Some("https"), Some(ends)) => Some(ends),
            (Some("http"), Some(_)) => {
                return Err(invalid("the url is not https, and internal TLS is on"));
            }
            (Some("https"), None) => {
                return Err(invalid("the url is https, and internal TLS is off"));
            }
            _ => return Err(invalid("the url is neither http nor https")),
        };
        let port = url.port_u16().unwrap_or(match ends {
            Some(_) => 443,
            None => 80,
        });
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        let Some(ends) = ends else {
            return Ok(Stream::Plain(stream));
        };
        let name = ServerName::try_from(host.to_owned()).map_err(invalid)?;
        let stream = ends.connector.connect(name, stream).await?;
        Ok(Stream::Tls(Box::new(stream.into())))
    }

    /// Takes somebody who came to the internal listener; with TLS only who shows a certificate of our CA.
    /// How long that may take is the caller's to say.
    ///
    /// # Errors
    /// When the connection ends, or the handshake fails.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<Stream> {
        stream.set_nodelay(true)?;
        match self.0.as_deref() {
            None => Ok(Stream::Plain(stream)),
            Some(ends) => {
                // Apart, so that the future of a plain connection stays small.
                let stream = Box::pin(ends.acceptor.accept(stream)).await?;
                Ok(Stream::Tls(Box::new(stream.into())))
            }
        }
    }
}

impl Ends {
    fn read(certificate: &Path, key: &Path, ca: &Path) -> Result<Self, Unusable> {
        let provider = Arc::new(ring::default_provider());
        let chain = certificates(CERT_FILE, certificate)?;
        let private_key = PrivateKeyDer::from_pem_file(key).map_err(|source| Unreadable::File {
            setting: KEY_FILE,
            path: key.to_owned(),
            source,
        })?;
        let mut roots = RootCertStore::empty();
        for root in certificates(CA_FILE, ca)? {
            roots.add(root).map_err(Unusable::Ca)?;
        }
        let roots = Arc::new(roots);
        let server = server_config(&provider, &roots, chain.clone(), private_key.clone_key())?;
        let client = client_config(&provider, roots, chain, private_key)?;
        Ok(Self {
            connector: TlsConnector::from(Arc::new(client)),
            acceptor: TlsAcceptor::from(Arc::new(server)),
        })
    }
}

// Nobody but our own processes speaks here, so there is no older version to be kind to.
const WITH_TLS13: &str = "ring has suites of TLS 1.3";

fn server_config(
    provider: &Arc<CryptoProvider>,
    roots: &Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, Unusable> {
    let clients =
        WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider))
            .build()?;
    ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])
        .expect(WITH_TLS13)
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)
        .map_err(Unusable::Pair)
}

fn client_config(
    provider: &Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ClientConfig, Unusable> {
    ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])
        .expect(WITH_TLS13)
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(Unusable::Pair)
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}

impl fmt::Debug for InternalTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = if self.is_on() { "tls" } else { "plain" };
        write!(f, "InternalTls({words})")
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, into),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
        }
    }
}
