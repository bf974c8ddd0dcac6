//! What stands in front of a server on the internet: it has a certificate, and takes the TLS off.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use client::pki_types::{CertificateDer, PrivateKeyDer};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, crypto::ring};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_rustls::TlsAcceptor;

/// Passes on to a server what comes by TLS for `localhost`.
pub(crate) struct Terminator {
    /// The private CA that its certificate stands on.
    pub(crate) root: CertificateDer<'static>,
    port: u16,
    server: watch::Sender<String>,
}

impl Terminator {
    pub(crate) async fn start() -> Result<Self> {
        let mut ca = CertificateParams::new(Vec::new())?;
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let own = CertificateParams::new(vec!["localhost".to_owned()])?.signed_by(&key, &ca)?;
        let secret = PrivateKeyDer::try_from(key.serialize_der()).ok();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![own.der().clone()], secret.context("a key")?)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (server, address) = watch::channel(String::new());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = address.borrow().clone();
                tokio::spawn(pass(acceptor.clone(), client, server));
            }
        });
        Ok(Self {
            root: ca.der().clone(),
            port,
            server,
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    pub(crate) fn point_to(&self, address: &str) {
        self.server.send_replace(address.to_owned());
    }
}

async fn pass(acceptor: TlsAcceptor, client: TcpStream, server: String) -> Result<()> {
    let mut client = acceptor.accept(client).await?;
    let mut server = TcpStream::connect(server).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}
