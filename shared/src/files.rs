//! Files: taken in, looked into, kept, and read again. Who may read one, and which message has it, the store
//! says.
//!
//! The path of one file: bytes arrive in a private place of this machine (`incoming`); its kind is found by
//! what is in it (`kind`); of a picture everything is taken out that is no picture (`metadata`), and a small
//! one is drawn (`picture`); the store notes it; it goes to where files are kept (`place`); the store notes
//! that it is there. What breaks off on the way leaves nothing that anybody could find, and `sweep` takes
//! away what is left.

mod bucket;
mod directory;
mod examined;
mod incoming;
mod kind;
mod metadata;
mod picture;
mod place;
mod sweep;

use std::{io, ops::Range, path::PathBuf, sync::Arc};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use protocol::{
    ErrorCode, FileId, RoomId,
    files::{File, FileName},
};

use crate::{
    App, Caller, Refusal, Settings,
    store::{NewFile, ReadableFile, Store},
    trust::Trust,
};
use examined::Examiner;
use place::{Key, Part, Place};

pub use bucket::Unusable;
pub use incoming::Incoming;
pub use kind::served_as;
pub use sweep::{Unswept, run as sweep_until};

/// Where files are kept, and how they come there. Cloning gives the same.
#[derive(Clone)]
pub struct Files {
    place: Arc<Place>,
    /// Where files arrive.
    incoming: PathBuf,
    max_bytes: u64,
    examiner: Examiner,
}

/// Why a file cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing is kept under this name.
    #[error("it is not there")]
    Missing,
    /// Where files are kept cannot be reached, or is full.
    #[error("the place of files is away: {0}")]
    Away(#[source] io::Error),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound {
            Self::Missing
        } else {
            Self::Away(error)
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Missing => ErrorCode::FileNotFound.into(),
            Error::Away(source) => {
                tracing::warn!(error = %source, "the place of files is away");
                ErrorCode::Unavailable.into()
            }
        }
    }
}

/// Something that is kept, as it is read.
pub struct Content {
    /// How many bytes the whole of it has.
    pub size: u64,
    /// The bytes that were asked for.
    pub bytes: BoxStream<'static, io::Result<Bytes>>,
}

impl Files {
    /// Where `settings` say. Nothing is made or asked before the first file.
    ///
    /// # Errors
    /// When a bucket is named in a way that none can be.
    pub fn new(settings: &Settings, trust: &Trust) -> Result<Self, Unusable> {
        let (place, incoming) = match settings.files_directory() {
            Some(directory) => {
                let incoming = directory.join("incoming");
                (Place::directory(directory), incoming)
            }
            None => {
                let incoming = settings.data_dir.join("incoming");
                (Place::bucket(settings, trust)?, incoming)
            }
        };
        Ok(Self {
            place: Arc::new(place),
            incoming,
            max_bytes: settings.limits.file_max_bytes,
            examiner: Examiner::new(),
        })
    }

    /// Most bytes of one file.
    pub const fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// Begins to take in a file.
    ///
    /// # Errors
    /// When there is no room for it here.
    pub async fn receive(&self) -> Result<Incoming, Error> {
        Incoming::begin(self.incoming.clone(), self.max_bytes).await
    }

    async fn read(
        &self,
        file: FileId,
        part: Part,
        range: Option<Range<u64>>,
    ) -> Result<Content, Refusal> {
        let read = self.place.read(Key { file, part }, range).await;
        if matches!(read, Err(Error::Missing)) {
            tracing::error!(file.id = %file, "what is in a file is not where files are kept");
        }
        Ok(read?)
    }
}

/// Whether the caller may upload a file for this room.
///
/// # Errors
/// `not_a_member`, `room_not_found`, `archived`.
pub async fn may_upload(app: &App, caller: &Caller, room: RoomId) -> Result<(), Refusal> {
    if app.store.access(room, caller.user.id).await?.archived {
        return Err(ErrorCode::Archived.into());
    }
    Ok(())
}

/// Keeps a file that has arrived. It is its uploader's alone until a message takes it.
///
/// # Errors
/// `unavailable` when it cannot be kept.
pub async fn keep(
    app: &App,
    caller: &Caller,
    room: RoomId,
    name: FileName,
    incoming: Incoming,
) -> Result<File, Refusal> {
    let files = &app.files;
    let arrived = incoming.complete().await?;
    let examined = files.examiner.examine(arrived).await?;
    let new = NewFile {
        id: app.clock.id(),
        room,
        user: caller.user.id,
        name,
        mime: examined.mime,
        size: examined.content.size,
        pixels: examined.pixels,
        thumbnail: examined.thumbnail.as_ref().map(|drawn| drawn.mime),
        at: app.clock.now(),
    };
    app.store.expect_file(&new).await?;
    let kept = async {
        if let Some(drawn) = examined.thumbnail {
            let picture = Incoming::holding(files.incoming.clone(), drawn.bytes).await?;
            files.place.keep(Key::thumbnail(new.id), picture).await?;
        }
        files.place.keep(Key::whole(new.id), examined.content).await
    };
    if let Err(error) = kept.await {
        give_up(&app.store, app, new.id).await;
        return Err(error.into());
    }
    app.store.keep_file(new.id, app.clock.now()).await?;
    tracing::info!(file.id = %new.id, room.id = %room, bytes = new.size, mime = new.mime, "file kept");
    Ok(new.file())
}

/// What became of it is not known: whatever is there is to go.
async fn give_up(store: &Store, app: &App, file: FileId) {
    if let Err(error) = store.drop_file(file, app.clock.now()).await {
        // The row says that the file never came; it is taken away when its time is over.
        tracing::warn!(%error, file.id = %file, "a file that could not be kept cannot be given up now");
    }
}

/// A file that the caller may read.
///
/// # Errors
/// As [`Store::file`].
pub async fn find(app: &App, caller: &Caller, file: FileId) -> Result<ReadableFile, Refusal> {
    Ok(app.store.file(file, caller.user.id).await?)
}

/// What is in a file, all of it or the bytes of `range`.
///
/// # Errors
/// `unavailable` when it cannot be read now.
pub async fn read(app: &App, file: FileId, range: Option<Range<u64>>) -> Result<Content, Refusal> {
    app.files.read(file, Part::Whole, range).await
}

/// The small picture of a file that has one.
///
/// # Errors
/// As [`read`].
pub async fn read_thumbnail(app: &App, file: FileId) -> Result<Content, Refusal> {
    app.files.read(file, Part::Thumbnail, None).await
}
