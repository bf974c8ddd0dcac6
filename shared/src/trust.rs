//! Whom this process believes over TLS when it asks a server that is none of its own cluster: the CAs of the
//! web, and those that a setting adds. What is asked there is not its concern.

use std::{fmt, io, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    Settings,
    certificates::{Unreadable, certificates},
};

/// Who is believed. What it needs is made once; cloning shares it.
#[derive(Clone)]
pub struct Trust {
    connector: TlsConnector,
    added: Arc<[CertificateDer<'static>]>,
}

/// Why nobody can be believed.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] Unreadable),
    /// A certificate in it is none.
    #[error("{CA_FILE}: {0}")]
    Ca(#[source] rustls::Error),
}

const CA_FILE: &str = "CHATX_TLS_CA_FILE";

impl Trust {
    /// As the settings say.
    ///
    /// # Errors
    /// When the file that they name cannot be used.
    pub fn new(settings: &Settings) -> Result<Self, Unusable> {
        let added = match &settings.tls_ca_file {
            Some(path) => certificates(CA_FILE, path)?,
            None => Vec::new(),
        };
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        for ca in &added {
            roots.add(ca.clone()).map_err(Unusable::Ca)?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has suites of every version of TLS that is safe")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            added: added.into(),
        })
    }

    /// The CAs that were added to those of the web.
    pub(crate) fn added(&self) -> &[CertificateDer<'static>] {
        &self.added
    }

    /// Speaks TLS with the server of this name, or of this address, on a connection to it. How long that may take is
    /// the caller's to say.
    pub(crate) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        self.connector.connect(name, stream).await
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trust({} added)", self.added.len())
    }
}
