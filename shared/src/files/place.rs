//! Where files are kept: a directory, or a bucket. What is kept is there as a whole or not at all, and never
//! changes.

use std::{fmt, ops::Range, path::PathBuf};

use protocol::FileId;

use super::{
    Content, Error,
    bucket::{Bucket, Unusable},
    directory::Directory,
    incoming::Arrived,
};
use crate::{Settings, trust::Trust};

/// One of the two.
pub(super) enum Place {
    Directory(Directory),
    Bucket(Bucket),
}

/// The name of something that is kept.
#[derive(Clone, Copy)]
pub(super) struct Key {
    pub(super) file: FileId,
    pub(super) part: Part,
}

/// What is kept of a file.
#[derive(Clone, Copy)]
pub(super) enum Part {
    Whole,
    Thumbnail,
}

impl Key {
    pub(super) const fn whole(file: FileId) -> Self {
        let part = Part::Whole;
        Self { file, part }
    }

    pub(super) const fn thumbnail(file: FileId) -> Self {
        let part = Part::Thumbnail;
        Self { file, part }
    }

    /// The folder that it is in: ids of one time begin alike, and end evenly spread.
    pub(super) fn folder(self) -> String {
        format!("{:02x}", self.file.uuid().as_bytes()[15])
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = match self.part {
            Part::Whole => "",
            Part::Thumbnail => ".thumbnail",
        };
        write!(f, "{}/{}{end}", self.folder(), self.file)
    }
}

impl Place {
    pub(super) const fn directory(path: PathBuf) -> Self {
        Self::Directory(Directory::new(path))
    }

    pub(super) fn bucket(settings: &Settings, trust: &Trust) -> Result<Self, Unusable> {
        Ok(Self::Bucket(Bucket::new(settings, trust)?))
    }

    /// Keeps what has arrived. When it answers, it lasts.
    pub(super) async fn keep(&self, key: Key, arrived: Arrived) -> Result<(), Error> {
        match self {
            Self::Directory(directory) => directory.keep(key, arrived).await,
            Self::Bucket(bucket) => bucket.keep(key, arrived).await,
        }
    }

    /// Reads it, or the bytes of `range`, which begins before its end.
    pub(super) async fn read(&self, key: Key, range: Option<Range<u64>>) -> Result<Content, Error> {
        match self {
            Self::Directory(directory) => directory.read(key, range).await,
            Self::Bucket(bucket) => bucket.read(key, range).await,
        }
    }

    /// Takes it away. What is not there is gone already.
    pub(super) async fn remove(&self, key: Key) -> Result<(), Error> {
        let removed = match self {
            Self::Directory(directory) => directory.remove(key).await,
            Self::Bucket(bucket) => bucket.remove(key).await,
        };
        match removed {
            Err(Error::Missing) => Ok(()),
            removed => removed,
        }
    }

    /// Whether this process sees the place: a directory may be on the disk of another machine.
    pub(super) async fn is_here(&self) -> bool {
        match self {
            Self::Directory(directory) => directory.is_here().await,
            Self::Bucket(_) => true,
        }
    }
}
