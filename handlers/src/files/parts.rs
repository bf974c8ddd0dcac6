//! Reading an upload as it comes: one part of a multipart form goes to where files arrive, and nothing else
//! is taken.

use std::{future::Future, time::Duration};

use axum::{body::Body, extract::Request};
use http::{HeaderMap, header};
use multer::{Constraints, Multipart, SizeLimit};
use protocol::{ErrorCode, Violation, files::FileName};
use shared::{App, files::Incoming};
use tokio::time::timeout;

use crate::error::{Error, Result};

/// What a form has beside what is in its file: boundaries, and the headers of its part.
const AROUND_BYTES: u64 = 16 * 1_024;
/// A sender that says nothing for so long has stopped.
const SILENT_MAX: Duration = Duration::from_secs(30);
/// Whoever takes longer for one file holds the server up.
const UPLOAD_MAX: Duration = Duration::from_secs(600);

const FIELD: &str = "file";

/// The file of a form, and its name. When this fails nothing is left of it.
pub(super) async fn receive(app: &App, request: Request) -> Result<(FileName, Incoming)> {
    let (parts, body) = request.into_parts();
    let most = app.files.max_bytes().saturating_add(AROUND_BYTES);
    if announced(&parts.headers).is_some_and(|bytes| bytes > most) {
        return Err(ErrorCode::TooLarge.into());
    }
    let boundary = boundary(&parts.headers).ok_or(ErrorCode::UnsupportedMediaType)?;
    timeout(UPLOAD_MAX, read(app, body, boundary, most))
        .await
        .unwrap_or(Err(ErrorCode::Malformed.into()))
}

async fn read(app: &App, body: Body, boundary: String, most: u64) -> Result<(FileName, Incoming)> {
    let limit = Constraints::new().size_limit(SizeLimit::new().whole_stream(most));
    let mut form = Multipart::with_constraints(body.into_data_stream(), boundary, limit);
    let mut file = None;
    while let Some(mut field) = soon(form.next_field()).await? {
        match field.name() {
            Some(FIELD) if file.is_none() => {}
            Some(FIELD) => return Err(Error::field(FIELD, Violation::Conflicting)),
            name => return Err(Error::field(name.unwrap_or_default(), Violation::Unknown)),
        }
        // So a form writes the one sign that would end the name.
        let name = field.file_name().unwrap_or_default().replace("%22", "\"");
        let name = FileName::of(&name);
        let mut incoming = app.files.receive().await.map_err(shared::Refusal::from)?;
        while let Some(bytes) = soon(field.chunk()).await? {
            incoming.take(&bytes).await?;
        }
        file = Some((name, incoming));
    }
    file.ok_or_else(|| Error::field(FIELD, Violation::Required))
}

async fn soon<T>(next: impl Future<Output = multer::Result<T>>) -> Result<T> {
    let next = timeout(SILENT_MAX, next).await;
    let next = next.map_err(|_| Error::from(ErrorCode::Malformed))?;
    next.map_err(|error| {
        let code = match error {
            multer::Error::StreamSizeExceeded { .. } => ErrorCode::TooLarge,
            _ => ErrorCode::Malformed,
        };
        code.into()
    })
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    let length = headers.get(header::CONTENT_LENGTH)?.to_str().ok()?;
    length.parse().ok()
}

fn boundary(headers: &HeaderMap) -> Option<String> {
    let media_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    multer::parse_boundary(media_type).ok()
}
