//! A no with a stable code: what HTTP answers as a status and a socket as an `error` frame.

use std::{fmt, time::Duration};

use protocol::{ErrorCode, Fields};

/// Why something is not done. Nothing was changed by what is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The stable code.
    pub code: ErrorCode,
    /// Which fields are wrong; empty unless the code is `validation_failed`.
    pub fields: Fields,
    /// After how long it may go through.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// The same, with the time after which it may go through.
    #[must_use]
    pub const fn retry_after(mut self, span: Duration) -> Self {
        self.retry_after = Some(span);
        self
    }
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self {
            code,
            fields: Fields::default(),
            retry_after: None,
        }
    }
}

impl From<Fields> for Refusal {
    fn from(fields: Fields) -> Self {
        Self {
            code: ErrorCode::ValidationFailed,
            fields,
            retry_after: None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.message())
    }
}

impl std::error::Error for Refusal {}
