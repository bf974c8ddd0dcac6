//! Files: uploaded for a room, and read again.

use futures_util::stream::BoxStream;
use hyper::{Method, body::Bytes};
use protocol::{FileId, RoomId, files::File};
use uuid::Uuid;

use super::Session;
use crate::{Result, http::Call};

/// Files. Every call fails as [`crate::Error`] says.
#[expect(
    clippy::missing_errors_doc,
    reason = "every call fails in the same ways, which the impl says once"
)]
impl Session {
    /// Uploads a file for a room. A message of this user takes it by its id; one that no message takes is gone
    /// within a day.
    pub async fn upload(&self, room: RoomId, name: &str, content: &[u8]) -> Result<File> {
        // Nobody knows it before, so no file has it in it.
        let boundary = Uuid::new_v4().simple();
        let mut form = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{}\"\r\n\r\n",
            quoted(name)
        )
        .into_bytes();
        form.extend_from_slice(content);
        form.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        let call = Call::new(Method::POST, format!("/v1/rooms/{room}/files"));
        let media_type = format!("multipart/form-data; boundary={boundary}");
        self.read(call.with_bytes(media_type, form)).await
    }

    /// What is in a file, as it comes.
    pub async fn download(&self, file: FileId) -> Result<BoxStream<'static, Result<Bytes>>> {
        self.pour(Call::new(Method::GET, format!("/v1/files/{file}")))
            .await
    }

    /// The small picture of a file that has one, as it comes.
    pub async fn thumbnail(&self, file: FileId) -> Result<BoxStream<'static, Result<Bytes>>> {
        self.pour(Call::new(
            Method::GET,
            format!("/v1/files/{file}/thumbnail"),
        ))
        .await
    }
}

/// A name as it stands between quotes in a form.
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace(['\r', '\n'], " ")
}
