//! Files: uploaded for a room, and read again by its members.

mod parts;
mod ranges;

use axum::{
    Json,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use protocol::{ErrorCode, FileId, files::File};
use serde::Deserialize;
use shared::{
    App,
    files::{self, Content, served_as},
    store::ReadableFile,
};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    caller::Authenticated,
    error::{Error, Result},
    input::{InRoom, Path},
};
use ranges::Wanted;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(upload))
        .routes(routes!(download))
        .routes(routes!(thumbnail))
}

/// A path to a file.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct OfFile {
    /// The file.
    file: FileId,
}

/// The one part of an upload.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "it only describes; the bytes are read as they come"
)]
pub(crate) struct Upload {
    /// The file, with its name.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// Upload a file
///
/// A multipart form with the one field `file`. What the file is, is found by what is in it. A message of the
/// uploader in this room may take it; one that no message takes is gone within a day.
#[utoipa::path(post, path = "/v1/rooms/{room}/files", tag = "files", params(InRoom),
    request_body(content = Upload, content_type = "multipart/form-data"), responses(
    (status = 201, description = "the file is kept", body = File),
    (status = 403, description = "`not_a_member`, `archived`"),
    (status = 404, description = "`room_not_found`"),
))]
async fn upload(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<InRoom>,
    request: Request,
) -> Result<(StatusCode, Json<File>)> {
    let (rate, bucket) = (
        app.settings.rates.upload,
        format!("upload:{}", caller.user.id),
    );
    caller.allowances.take(&app, rate, &bucket).await?;
    files::may_upload(&app, &caller, at.room).await?;
    let (name, incoming) = parts::receive(&app, request).await?;
    let file = files::keep(&app, &caller, at.room, name, incoming).await?;
    Ok((StatusCode::CREATED, Json(file)))
}

/// Read a file
///
/// For members of its room; before a message takes it, for its uploader. Pictures may be shown in a page,
/// everything else is handed out to be saved. One range of bytes may be asked for.
#[utoipa::path(get, path = "/v1/files/{file}", tag = "files",
    params(OfFile, ("Range" = Option<String>, Header, description = "One range, like `bytes=0-1023`.")),
    responses(
    (status = 200, description = "what is in the file", content_type = "*/*", body = [u8]),
    (status = 206, description = "the part of it that was asked for", content_type = "*/*", body = [u8]),
    (status = 304, description = "the caller has it already"),
    (status = 403, description = "`not_a_member`"),
    (status = 404, description = "`file_not_found`"),
    (status = 416, description = "`range_not_satisfiable`: it ends before"),
))]
async fn download(
    State(app): State<App>,
    caller: Authenticated,
    Path(of): Path<OfFile>,
    headers: HeaderMap,
) -> Result<Response> {
    let found = files::find(&app, &caller, of.file).await?;
    let tag = tag(of.file);
    if ranges::is_known(&headers, &tag) {
        return Ok(known(tag));
    }
    let size = found.file.size;
    let wanted = ranges::wanted(&headers, &tag, size);
    let range = match &wanted {
        Wanted::Whole => None,
        Wanted::Part(range) => Some(range.clone()),
        Wanted::Beyond => return Ok(beyond(size)),
    };
    let content = files::read(&app, of.file, range.clone()).await?;
    let mut response = answer(content, tag, served_as(&found.file.mime));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_DISPOSITION, disposition(&found));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(range) = range {
        headers.insert(header::CONTENT_LENGTH, (range.end - range.start).into());
        let told = format!("bytes {}-{}/{size}", range.start, range.end - 1);
        headers.insert(header::CONTENT_RANGE, ascii(&told));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// Read a picture, small
///
/// At most 512 pixels a side. Only files that the server could draw as a picture have one.
#[utoipa::path(get, path = "/v1/files/{file}/thumbnail", tag = "files", params(OfFile), responses(
    (status = 200, description = "the picture", content_type = "image/*", body = [u8]),
    (status = 304, description = "the caller has it already"),
    (status = 403, description = "`not_a_member`"),
    (status = 404, description = "`file_not_found`: also of what is no picture"),
))]
async fn thumbnail(
    State(app): State<App>,
    caller: Authenticated,
    Path(of): Path<OfFile>,
    headers: HeaderMap,
) -> Result<Response> {
    let found = files::find(&app, &caller, of.file).await?;
    let media_type = found.thumbnail.ok_or(ErrorCode::FileNotFound)?;
    let tag = tag(of.file);
    if ranges::is_known(&headers, &tag) {
        return Ok(known(tag));
    }
    let content = files::read_thumbnail(&app, of.file).await?;
    let mut response = answer(content, tag, &media_type);
    let inline = HeaderValue::from_static("inline");
    response
        .headers_mut()
        .insert(header::CONTENT_DISPOSITION, inline);
    Ok(response)
}

/// What is in a file never changes, so its id says it.
fn tag(file: FileId) -> HeaderValue {
    ascii(&format!("\"{file}\""))
}

/// Whoever wants to see it again asks again: a message may be deleted, and people are put out of rooms.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("private, no-cache");
/// It runs nothing, loads nothing and is no part of this site, even where a browser opens it as a page.
const BARE: HeaderValue =
    HeaderValue::from_static("default-src 'none'; sandbox; frame-ancestors 'none'");
/// Pages of other sites do not have it in them.
const NO_STRANGERS: (HeaderName, HeaderValue) = (
    HeaderName::from_static("cross-origin-resource-policy"),
    HeaderValue::from_static("same-site"),
);

fn answer(content: Content, tag: HeaderValue, media_type: &str) -> Response {
    let mut response = Response::new(Body::from_stream(content.bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, ascii(media_type));
    headers.insert(header::CONTENT_LENGTH, content.size.into());
    headers.insert(header::CONTENT_SECURITY_POLICY, BARE);
    headers.insert(NO_STRANGERS.0, NO_STRANGERS.1);
    headers.insert(header::CACHE_CONTROL, ASK_AGAIN);
    headers.insert(header::ETAG, tag);
    response
}

fn known(tag: HeaderValue) -> Response {
    let headers = [(header::ETAG, tag), (header::CACHE_CONTROL, ASK_AGAIN)];
    (StatusCode::NOT_MODIFIED, headers).into_response()
}

fn beyond(size: u64) -> Response {
    let mut response = Error::from(ErrorCode::RangeNotSatisfiable).into_response();
    let told = ascii(&format!("bytes */{size}"));
    response.headers_mut().insert(header::CONTENT_RANGE, told);
    response
}

/// What the server has drawn itself is shown; everything else is saved. The name stands twice, as every
/// program reads it and as it is.
fn disposition(found: &ReadableFile) -> HeaderValue {
    let kind = match found.thumbnail {
        Some(_) => "inline",
        None => "attachment",
    };
    let name = &found.file.name;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " .-_()".contains(c);
    let plain: String = name
        .chars()
        .map(|c| if is_plain(c) { c } else { '_' })
        .collect();
    let mut whole = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b".-_".contains(&byte) {
            whole.push(char::from(byte));
        } else {
            whole.push_str(&format!("%{byte:02X}"));
        }
    }
    ascii(&format!(
        "{kind}; filename=\"{plain}\"; filename*=UTF-8''{whole}"
    ))
}

fn ascii(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}
