//! Files on their way in, in a private place of this machine. Each is locked by the process that takes it
//! in, so that whoever finds one without a living owner can take it away.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Read, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use protocol::ErrorCode;
use tokio::{io::AsyncWriteExt as _, task::spawn_blocking};
use uuid::Uuid;

use super::Error;
use crate::Refusal;

/// A file that arrives. Dropped before it is complete, nothing is left of it.
pub struct Incoming {
    file: tokio::fs::File,
    place: OwnFile,
    size: u64,
    max_bytes: u64,
}

/// A file that has arrived as a whole.
pub(super) struct Arrived {
    place: OwnFile,
    pub(super) size: u64,
}

/// A file of this process alone, gone when it is dropped.
struct OwnFile {
    path: PathBuf,
    /// Locked until it is closed, by whatever ends this process.
    file: fs::File,
}

impl Incoming {
    pub(super) async fn begin(directory: PathBuf, max_bytes: u64) -> Result<Self, Error> {
        let place = blocking(move || OwnFile::create(&directory)).await?;
        Ok(Self {
            file: tokio::fs::File::from_std(place.file.try_clone()?),
            place,
            size: 0,
            max_bytes,
        })
    }

    /// A file that is at hand as a whole.
    pub(super) async fn holding(directory: PathBuf, bytes: Vec<u8>) -> Result<Arrived, Error> {
        blocking(move || {
            let mut place = OwnFile::create(&directory)?;
            place.file.write_all(&bytes)?;
            let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            Ok(Arrived { place, size })
        })
        .await
    }

    /// Adds what has come.
    ///
    /// # Errors
    /// `too_large`, and `unavailable` when there is no room for it here.
    pub async fn take(&mut self, bytes: &Bytes) -> Result<(), Refusal> {
        self.size += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if self.size > self.max_bytes {
            return Err(ErrorCode::TooLarge.into());
        }
        Ok(self.file.write_all(bytes).await.map_err(Error::Away)?)
    }

    pub(super) async fn complete(mut self) -> Result<Arrived, Error> {
        self.file.flush().await.map_err(Error::Away)?;
        Ok(Arrived {
            place: self.place,
            size: self.size,
        })
    }
}

impl Arrived {
    pub(super) fn path(&self) -> &Path {
        &self.place.path
    }

    /// At most so many bytes from its beginning.
    pub(super) fn beginning(&self, max_bytes: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        fs::File::open(self.path())?
            .take(max_bytes)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Puts other bytes in the place of what has arrived.
    pub(super) fn replace(&mut self, bytes: &[u8]) -> io::Result<()> {
        fs::write(self.path(), bytes)?;
        self.size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok(())
    }

    /// Makes what is in it last, and moves it to `path`.
    pub(super) fn move_to(self, path: &Path) -> io::Result<()> {
        self.place.file.sync_all()?;
        fs::rename(self.path(), path)
    }
}

impl OwnFile {
    fn create(directory: &Path) -> io::Result<Self> {
        make_directory(directory)?;
        loop {
            let path = directory.join(Uuid::new_v4().to_string());
            let mut options = OpenOptions::new();
            let file = options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)?;
            let own = Self { path, file };
            // Whoever clears up may have found it before it was locked, and taken it away.
            if own.file.try_lock().is_ok() && own.file.metadata()?.nlink() > 0 {
                return Ok(own);
            }
        }
    }
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "what is left of an upload cannot be taken away");
        }
    }
}

/// Takes away what processes left that have ended. Answers how many files.
pub(super) fn clear(directory: &Path) -> io::Result<usize> {
    let mut cleared = 0;
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        let Ok(file) = fs::File::open(&path) else {
            continue;
        };
        if file.try_lock().is_ok() && fs::remove_file(&path).is_ok() {
            cleared += 1;
        }
    }
    Ok(cleared)
}

/// A directory for its owner's eyes only, if it is not there yet.
pub(super) fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Does what waits for a disk where it holds up nobody.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let done = spawn_blocking(work).await.map_err(io::Error::other);
    Ok(done.and_then(|done| done)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_nobody_completes_is_gone_and_what_somebody_takes_in_stays() {
        let directory = tempfile::tempdir().unwrap();
        let incoming = directory.path().join("incoming");
        let left = || fs::read_dir(&incoming).unwrap().count();
        let mut arriving = Incoming::begin(incoming.clone(), 4).await.unwrap();
        arriving.take(&Bytes::from_static(b"tea")).await.unwrap();
        fs::write(incoming.join("of a process that was killed"), "half").unwrap();
        assert_eq!(clear(&incoming).unwrap(), 1);
        assert_eq!(left(), 1, "the one that still arrives");
        let refused = arriving.take(&Bytes::from_static(b"?!")).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::TooLarge);
        drop(arriving);
        assert_eq!(left(), 0);
    }
}
