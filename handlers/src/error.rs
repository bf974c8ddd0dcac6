//! What a handler answers when it does not do what was asked; the body is written in one place, by
//! `request`, because it names the request.

use std::any::Any;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use protocol::{ErrorCode, Fields};
use shared::{Refusal, limiter::Limited, passwords::HashError, store};

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

/// Nothing is served at this path.
pub(crate) async fn not_found() -> Error {
    ErrorCode::NotFound.into()
}

/// A handler panicked; the message went to the log by the panic hook and goes to nobody else.
pub(crate) fn panicked(_: Box<dyn Any + Send>) -> Response {
    tracing::error!("a handler panicked");
    Error::from(ErrorCode::Internal).into_response()
}
