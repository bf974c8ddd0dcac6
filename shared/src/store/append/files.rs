//! The files that a message takes. Whoever attaches any is alone in their batch.

use protocol::{ErrorCode, FileId, files::File};
use sqlx::types::Json;

use super::{Append, Appended};

/// What the database says of the files of a message.
pub(super) type Attached = Json<Vec<File>>;

/// What the only entry of a batch attaches.
pub(super) fn attached<'a>(entries: &[&'a Append]) -> &'a [FileId] {
    match entries {
        [entry] => &entry.files,
        _ => &[],
    }
}

/// The answer to a message of whose files one is not there for it.
pub(super) fn unattached() -> Appended {
    Appended::Refused(ErrorCode::FileNotFound.into())
}

/// Adds to the only answer what its message has.
pub(super) fn note(files: Attached, answers: &mut [Appended]) {
    if let [Appended::Stored(place)] = answers {
        place.files = files.0;
    }
}
