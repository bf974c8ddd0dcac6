//! Reading requests: bodies, queries and path parameters become types that cannot be wrong before a
//! handler sees them. Who asks is read in `caller`.

use std::time::Duration;

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRequest, FromRequestParts, Request, path::ErrorKind, rejection::PathRejection},
};
use http::{HeaderMap, header, request::Parts};
use protocol::{
    ErrorCode, Fields, Parse, ReportId, RoomId, Seq, SessionId, UserId, Violation,
    fields::{Invalid, Unknown, read, read_query},
};
use serde::{Deserialize, de::DeserializeOwned};
use shared::App;
use tokio::time::timeout;
use utoipa::IntoParams;

use crate::error::Error;

/// A checked JSON body. One that is left out counts as an empty object.
pub(crate) struct Valid<T>(pub(crate) T);

impl<T: Parse> FromRequest<App> for Valid<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self, Error> {
        checked(request, app, Unknown::Refused).await.map(Self)
    }
}

/// As [`Valid`], from a client that was not made for us: fields that are not known are passed over.
pub(crate) struct Lenient<T>(pub(crate) T);

impl<T: Parse> FromRequest<App> for Lenient<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self, Error> {
        checked(request, app, Unknown::Ignored).await.map(Self)
    }
}

async fn checked<T: Parse>(request: Request, app: &App, unknown: Unknown) -> Result<T, Error> {
    let limits = &app.settings.limits;
    let (parts, body) = request.into_parts();
    let bytes = whole(&parts.headers, body, limits.json_body_max_bytes).await?;
    let json: &[u8] = if bytes.is_empty() {
        b"{}"
    } else if is_json(&parts.headers) {
        &bytes
    } else {
        return Err(ErrorCode::UnsupportedMediaType.into());
    };
    match read(json, unknown, limits) {
        Ok(value) => Ok(value),
        Err(Invalid::Malformed) => Err(ErrorCode::Malformed.into()),
        Err(Invalid::Fields(fields)) => Err(fields.into()),
    }
}

/// A sender that takes longer than this for one body has stopped, or holds the server up.
const BODY_WITHIN: Duration = Duration::from_secs(30);

/// The whole body, which may not be larger than `max_bytes`.
async fn whole(headers: &HeaderMap, body: Body, max_bytes: usize) -> Result<Bytes, ErrorCode> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > max_bytes) {
        return Err(ErrorCode::TooLarge);
    }
    match timeout(BODY_WITHIN, to_bytes(body, max_bytes)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        // Only of a body whose size nobody told can it be found so late that it is too large.
        Ok(Err(_)) if announced.is_none() => Err(ErrorCode::TooLarge),
        Ok(Err(_)) | Err(_) => Err(ErrorCode::Malformed),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let Some(media_type) = media_type.and_then(|value| value.split(';').next()) else {
        return false;
    };
    let media_type = media_type.trim().to_ascii_lowercase();
    media_type == "application/json"
        || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

/// A checked query string.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: Parse> FromRequestParts<App> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|_| Error::from(ErrorCode::Malformed))?;
        Ok(Self(read_query(&pairs, &app.settings.limits)?))
    }
}

/// The parameters of a path. One that is of another form than the contract says is a wrong field.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Path<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        match axum::extract::Path::from_request_parts(parts, app).await {
            Ok(axum::extract::Path(parameters)) => Ok(Self(parameters)),
            Err(PathRejection::FailedToDeserializePathParams(failed)) => match failed.into_kind() {
                ErrorKind::ParseErrorAtKey { key, .. }
                | ErrorKind::DeserializeError { key, .. }
                | ErrorKind::InvalidUtf8InPathParam { key } => {
                    Err(Fields::one(key, Violation::Invalid).into())
                }
                _ => Err(Error::field("path", Violation::Invalid)),
            },
            Err(_) => Err(ErrorCode::Internal.into()),
        }
    }
}

/// A path below a room.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct InRoom {
    /// The room.
    pub(crate) room: RoomId,
}

/// A path to a person.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct OfUser {
    /// The person.
    pub(crate) user: UserId,
}

/// A path to one of the caller's sessions.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct OfSession {
    /// The session.
    pub(crate) session: SessionId,
}

/// A path to a person's place in a room.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct UserInRoom {
    /// The room.
    pub(crate) room: RoomId,
    /// The person.
    pub(crate) user: UserId,
}

/// A path to an invite.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct InviteInRoom {
    /// The room.
    pub(crate) room: RoomId,
    /// The invite's code.
    #[param(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$")]
    pub(crate) code: String,
}

/// A path to a report.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct OfReport {
    /// The report.
    pub(crate) report: ReportId,
}

/// A path to a report of a room.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct ReportInRoom {
    /// The room.
    pub(crate) room: RoomId,
    /// The report.
    pub(crate) report: ReportId,
}

/// A path to a message.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct MessageInRoom {
    /// The room.
    pub(crate) room: RoomId,
    /// The message's place in the room's log.
    pub(crate) seq: Seq,
}
