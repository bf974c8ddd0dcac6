//! Why something was not done: the server said no, nobody answered, or the answer made no sense.

use std::{fmt, time::Duration};

use protocol::{ErrorCode, error::ErrorDetail};

use crate::Ended;

/// What calls of this crate return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something was not done.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server refused it.
    #[error("refused: {0}")]
    Refused(Box<Refusal>),
    /// No answer came, so it may or may not have been done.
    #[error("no answer from the server: {0}")]
    Unreachable(String),
    /// What came is nothing that the contract knows.
    #[error("not an answer of the contract: {0}")]
    Protocol(String),
    /// The url of a server is none, or of a kind that this client does not speak.
    #[error("not a usable server url: {0}")]
    Url(String),
    /// A certificate of [`crate::Settings::extra_roots`] is none.
    #[error("not a usable root certificate: {0}")]
    Root(String),
    /// The session could not be kept, or read where it is kept.
    #[error("the session cannot be kept: {0}")]
    Keep(String),
    /// As many messages wait for their acks as may; see [`crate::Settings::outbox`].
    #[error("too many messages wait to be sent")]
    Busy,
    /// The connection is over.
    #[error("the connection is over: {0}")]
    Ended(Ended),
}

impl Error {
    /// The stable code, when the server refused it.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused(refusal) => Some(refusal.detail.code),
            _ => None,
        }
    }
}

/// A refusal of the server, over HTTP or a socket.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Refusal {
    /// The HTTP status; that of the code when it came over a socket.
    pub status: u16,
    /// What was refused and why. Over a socket its `request_id` names the socket.
    pub detail: ErrorDetail,
    /// After how long it may go through, when the server said.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// Whether the very same thing may well succeed later.
    pub fn is_passing(&self) -> bool {
        matches!(
            self.detail.code,
            ErrorCode::RateLimited | ErrorCode::Unavailable | ErrorCode::SlowMode
        )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail.message)?;
        for name in self.detail.fields.names() {
            write!(f, ", {name}: {:?}", self.detail.fields.of(name))?;
        }
        Ok(())
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}
