//! Looking into what has arrived: what it is, and for a picture its pixels, a small one, and nothing in it
//! that tells of who took it.

use std::{fs, io, sync::Arc, thread::available_parallelism};

use tokio::sync::Semaphore;

use super::{
    Error,
    incoming::{Arrived, blocking},
    kind, metadata,
    picture::{self, Thumbnail},
};

/// What was found.
pub(super) struct Examined {
    /// What is to be kept.
    pub(super) content: Arrived,
    pub(super) mime: String,
    pub(super) pixels: Option<(u32, u32)>,
    /// Only of what could be drawn as a whole.
    pub(super) thumbnail: Option<Thumbnail>,
}

/// Who looks. Drawing takes a core and memory for a while (see `picture`), so few do at once; the others'
/// files wait on the disk.
#[derive(Clone)]
pub(super) struct Examiner(Arc<Semaphore>);

impl Examiner {
    pub(super) fn new() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Semaphore::new(cores.div_ceil(2))))
    }

    pub(super) async fn examine(&self, arrived: Arrived) -> Result<Examined, Error> {
        let permit = Arc::clone(&self.0).acquire_owned().await;
        blocking(move || {
            let _permit = permit;
            examine(arrived)
        })
        .await
    }
}

fn examine(mut arrived: Arrived) -> io::Result<Examined> {
    let mime = kind::of(&arrived.beginning(kind::BEGINNING_BYTES)?);
    let other = |content, mime: &str, pixels| Examined {
        content,
        mime: mime.to_owned(),
        pixels,
        thumbnail: None,
    };
    let Some(format) = kind::picture(mime) else {
        return Ok(other(arrived, mime, None));
    };
    // It begins like a picture; whether it is one shows when it is taken apart.
    let Some(clean) = metadata::cleaned(format, &fs::read(arrived.path())?) else {
        return Ok(other(arrived, "application/octet-stream", None));
    };
    arrived.replace(&clean)?;
    match picture::draw(format, &clean) {
        Ok(drawn) => Ok(Examined {
            content: arrived,
            mime: mime.to_owned(),
            pixels: Some(drawn.pixels),
            thumbnail: Some(drawn.thumbnail),
        }),
        Err(undrawn) => {
            tracing::info!(reason = %undrawn.reason, mime, "a picture is not drawn");
            Ok(other(arrived, mime, undrawn.pixels))
        }
    }
}
