//! What a handler answers when it does not do what was asked. The body is written once for all,
//! around every request, because it names the request.

use std::{any::Any, time::Duration};

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use protocol::{ErrorBody, ErrorCode, Fields, error::ErrorDetail};
use shared::{Refusal, limiter::Limited, passwords::HashError, store};

use crate::{allowances::tell_used_up, headers::whole_seconds};

/// What handlers return.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// A refusal on its way to becoming an answer.
#[derive(Clone, Debug)]
pub(crate) struct Error(pub(crate) Refusal);

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl From<ErrorCode> for Error {
    fn from(code: ErrorCode) -> Self {
        Self(code.into())
    }
}

impl From<Fields> for Error {
    fn from(fields: Fields) -> Self {
        Self(fields.into())
    }
}

impl From<Limited> for Error {
    fn from(limited: Limited) -> Self {
        Self(limited.into())
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self(error.into())
    }
}

impl From<HashError> for Error {
    fn from(error: HashError) -> Self {
        Self(error.into())
    }
}

impl Error {
    /// One wrong field.
    pub(crate) fn field(name: &str, violation: protocol::Violation) -> Self {
        Fields::one(name.to_owned(), violation).into()
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = status(self.0.code).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The status that goes with `code`.
fn status(code: ErrorCode) -> StatusCode {
    StatusCode::from_u16(code.status()).expect("every code names a status of HTTP")
}

/// Gives a refusal its body and headers; any other answer stays as it is.
pub(crate) fn written(mut response: Response, request_id: &str) -> Response {
    let refused = response.extensions_mut().remove::<Error>();
    let refusal = match (refused, response.status()) {
        (Some(Error(refusal)), _) => refusal,
        // axum says this itself, and adds which methods there are.
        (None, StatusCode::METHOD_NOT_ALLOWED) => ErrorCode::MethodNotAllowed.into(),
        (None, _) => return response,
    };
    tell_when(response.headers_mut(), &refusal);
    let body = ErrorBody {
        error: ErrorDetail {
            code: refusal.code,
            message: refusal.code.message().to_owned(),
            fields: refusal.fields,
            request_id: request_id.to_owned(),
        },
    };
    let (told, body) = Json(body).into_response().into_parts();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.extend(told.headers);
    *response.body_mut() = body;
    response
}

/// Says when, and how, it would go through.
fn tell_when(headers: &mut HeaderMap, refusal: &Refusal) {
    let retry_after = match (refusal.code, refusal.retry_after) {
        (ErrorCode::Unavailable, None) => Some(Duration::from_secs(1)),
        (_, retry_after) => retry_after,
    };
    if let Some(span) = retry_after {
        headers.insert(header::RETRY_AFTER, whole_seconds(span));
    }
    match refusal.code {
        ErrorCode::Unauthenticated => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        ErrorCode::RateLimited => tell_used_up(headers, retry_after.unwrap_or_default()),
        _ => {}
    }
}

/// Nothing is served at this path.
pub(crate) async fn not_found() -> Error {
    ErrorCode::NotFound.into()
}

/// A handler panicked; the message went to the log by the panic hook and goes to nobody else.
pub(crate) fn panicked(_: Box<dyn Any + Send>) -> Response {
    tracing::error!("a handler panicked");
    Error::from(ErrorCode::Internal).into_response()
}
