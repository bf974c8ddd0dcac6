//! Why a server closes a socket.

/// Why a socket is closed. `NodeGoingAway`, `Internal` and `TooSlow` mean: reconnect with `after`;
/// the rest mean: do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// All is said.
    Normal,
    /// This node stops; others go on.
    NodeGoingAway,
    /// A frame was larger than it may be.
    FrameTooLarge,
    /// The server failed.
    Internal,
    /// A frame was binary, or no JSON object with a `type`.
    Malformed,
    /// The session was revoked, or the access token expired.
    SessionEnded,
    /// This user may not be here.
    NotAllowed,
    /// The peer read too slowly for too long.
    TooSlow,
    /// The peer sent far more than it may, and went on.
    Flooding,
}

impl CloseReason {
    /// The code of the close frame.
    pub const fn code(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::NodeGoingAway => 1001,
            Self::FrameTooLarge => 1009,
            Self::Internal => 1011,
            Self::Malformed => 4400,
            Self::SessionEnded => 4401,
            Self::NotAllowed => 4403,
            Self::TooSlow => 4408,
            Self::Flooding => 4429,
        }
    }

    /// The words of the close frame, and of logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::NodeGoingAway => "node going away",
            Self::FrameTooLarge => "frame too large",
            Self::Internal => "internal",
            Self::Malformed => "malformed frame",
            Self::SessionEnded => "session revoked or expired",
            Self::NotAllowed => "not allowed here",
            Self::TooSlow => "too slow",
            Self::Flooding => "flooding",
        }
    }

    /// Whether a client should come back by itself.
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::NodeGoingAway | Self::Internal | Self::TooSlow)
    }
}
