//! A CA that nobody else knows, and doors of TLS before servers that speak none: what comes in at one is decrypted and
//! passed on as it is.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tempfile::TempDir;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

/// A CA.
pub struct Ca {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// A listener on this machine, which ends when it is dropped.
pub struct Door {
    port: u16,
    _serving: JoinSet<()>,
}

impl Ca {
    /// One of its own.
    ///
    /// # Errors
    /// When its certificate cannot be made, or written.
    pub fn new() -> Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = Self {
            issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)?,
            folder: TempDir::new()?,
        };
        fs::write(ca.file(), ca.issuer.pem())?;
        Ok(ca)
    }

    /// Its certificate (PEM).
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Opens a door before the server at `to`, with a certificate for a name or an address.
    ///
    /// # Errors
    /// When there is no port, or no certificate for that name.
    pub async fn door(&self, to: SocketAddr, name: &str) -> Result<Door> {
        let key = KeyPair::generate()?;
        let own = CertificateParams::new(vec![name.to_owned()])?.signed_by(&key, &self.issuer)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![own.der().clone()], key)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut passing = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                passing.spawn(pass(acceptor.clone(), stream, to));
            }
        });
        Ok(Door {
            port,
            _serving: serving,
        })
    }
}

impl Door {
    /// Where it is.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

/// Lets somebody in. Who does not believe the certificate goes by themselves.
async fn pass(acceptor: TlsAcceptor, stream: TcpStream, to: SocketAddr) {
    if let Ok(mut from) = acceptor.accept(stream).await
        && let Ok(mut to) = TcpStream::connect(to).await
    {
        drop(copy_bidirectional(&mut from, &mut to).await);
    }
}
