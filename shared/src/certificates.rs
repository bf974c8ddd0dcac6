//! Certificates in PEM files that settings name. Whom they make believable is for who reads them to say.

use std::path::{Path, PathBuf};

use rustls::pki_types::{
    CertificateDer,
    pem::{self, PemObject as _},
};

/// Why there is nothing to be had from a file.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It cannot be read, or is no PEM of what it should hold.
    #[error("{setting}: {}: {source}", path.display())]
    File {
        /// Which setting names it.
        setting: &'static str,
        /// Where it should be.
        path: PathBuf,
        /// What is wrong.
        source: pem::Error,
    },
    /// It holds no certificate.
    #[error("{setting}: {}: there is no certificate in it", path.display())]
    Empty {
        /// Which setting names it.
        setting: &'static str,
        /// Where it is.
        path: PathBuf,
    },
}

/// All that are in the file that `setting` names: one at least.
pub(crate) fn certificates(
    setting: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, Unreadable> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if found.is_empty() => Err(Unreadable::Empty {
            setting,
            path: path.to_owned(),
        }),
        Ok(found) => Ok(found),
        Err(source) => Err(Unreadable::File {
            setting,
            path: path.to_owned(),
            source,
        }),
    }
}
