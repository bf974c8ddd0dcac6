//! Files in a directory. Each comes there by a rename of what is already on the disk, so that nobody ever
//! reads half of one, whatever ends the process or the machine.

use std::{
    fs,
    io::{self, SeekFrom},
    ops::Range,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::{
    Content, Error,
    incoming::{Arrived, blocking, make_directory},
    place::Key,
};

/// The directory.
pub(super) struct Directory {
    path: PathBuf,
}

/// How much of a file is read at once.
const CHUNK_BYTES: u64 = 64 * 1_024;

impl Directory {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(super) async fn keep(&self, key: Key, arrived: Arrived) -> Result<(), Error> {
        let (root, folder) = (self.path.clone(), self.path.join(key.folder()));
        let path = self.path.join(key.to_string());
        let kept = blocking(move || {
            if !folder.is_dir() {
                make_directory(&folder)?;
                sync(&root)?;
            }
            arrived.move_to(&path)?;
            sync(&folder)
        });
        // A place that is gone is away, not empty.
        kept.await.map_err(|error| match error {
            Error::Missing => Error::Away(io::ErrorKind::NotFound.into()),
            error => error,
        })
    }

    pub(super) async fn read(&self, key: Key, range: Option<Range<u64>>) -> Result<Content, Error> {
        let mut file = tokio::fs::File::open(self.path.join(key.to_string())).await?;
        let size = file.metadata().await?.len();
        let range = range.unwrap_or(0..size);
        if range.start > 0 {
            file.seek(SeekFrom::Start(range.start)).await?;
        }
        let left = range.end - range.start;
        let bytes = stream::try_unfold((file, left), |(mut file, left)| async move {
            if left == 0 {
                return Ok(None);
            }
            let mut chunk = Vec::with_capacity(usize::try_from(left.min(CHUNK_BYTES)).unwrap_or(0));
            let mut part = (&mut file).take(left.min(CHUNK_BYTES));
            let read = part.read_to_end(&mut chunk).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let left = left - u64::try_from(read).unwrap_or(left);
            Ok(Some((Bytes::from(chunk), (file, left))))
        });
        Ok(Content {
            size,
            bytes: bytes.boxed(),
        })
    }

    pub(super) async fn remove(&self, key: Key) -> Result<(), Error> {
        Ok(tokio::fs::remove_file(self.path.join(key.to_string())).await?)
    }

    /// Whether files ever arrived in it: a disk that is not mounted leaves an empty directory behind.
    pub(super) async fn is_here(&self) -> bool {
        tokio::fs::try_exists(self.path.join("incoming"))
            .await
            .unwrap_or(false)
    }
}

/// Makes the names in a directory last.
fn sync(directory: &Path) -> io::Result<()> {
    fs::File::open(directory)?.sync_all()
}
