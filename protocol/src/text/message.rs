//! What people write to each other.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{line, within};
use crate::{Limits, Violation};

/// The text of a message: 1 to 8,000 characters, some of them visible, no control characters but
/// newline and tab. Line ends are `\n`.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageBody(String);

impl MessageBody {
    /// # Errors
    /// What is wrong with it.
    pub fn parse(raw: String, limits: &Limits) -> Result<Self, Violation> {
        let text = if raw.contains('\r') {
            raw.replace("\r\n", "\n")
        } else {
            raw
        };
        if text.trim().is_empty() {
            return Err(Violation::TooShort);
        }
        within(&text, 1, limits.body_max_chars)?;
        if text
            .chars()
            .any(|c| c.is_control() && c != '\n' && c != '\t')
        {
            return Err(Violation::ControlCharacters);
        }
        Ok(Self(text))
    }

    /// No text at all: that of a message that only carries files.
    pub const fn empty() -> Self {
        Self(String::new())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, for who keeps it.
    pub fn into_string(self) -> String {
        self.0
    }
}

/// Shows the length only: bodies never reach a log.
impl fmt::Debug for MessageBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageBody({} bytes)", self.0.len())
    }
}

/// The sender's own name for a message, 1 to 64 printable ASCII characters. A resend uses the same
/// one, and is then stored once.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct ClientId(String);

impl ClientId {
    /// # Errors
    /// What is wrong with it.
    pub fn parse(raw: &str) -> Result<Self, Violation> {
        within(raw, 1, 64)?;
        if raw.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            Ok(Self(raw.to_owned()))
        } else {
            Err(Violation::Invalid)
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why somebody was removed, as a moderator tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    /// # Errors
    /// What is wrong with it.
    pub fn parse(raw: &str, limits: &Limits) -> Result<Self, Violation> {
        line(raw, 1, limits.reason_max_chars).map(Self)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What somebody calls a thing of their own: 1 to 64 characters on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label(String);

impl Label {
    /// # Errors
    /// What is wrong with it.
    pub fn parse(raw: &str) -> Result<Self, Violation> {
        line(raw, 1, 64).map(Self)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(raw: &str) -> Result<MessageBody, Violation> {
        MessageBody::parse(raw.to_owned(), &Limits::default())
    }

    #[test]
    fn counts_characters_not_bytes() {
        assert!(parse(&"ß".repeat(8_000)).is_ok());
        assert_eq!(parse(&"ß".repeat(8_001)), Err(Violation::TooLong));
    }

    #[test]
    fn refuses_what_cannot_be_seen() {
        assert_eq!(parse(""), Err(Violation::TooShort));
        assert_eq!(parse(" \n\t "), Err(Violation::TooShort));
        assert_eq!(parse("a\u{1b}[31mb"), Err(Violation::ControlCharacters));
        assert_eq!(
            parse("line\r\nline\tend").unwrap().as_str(),
            "line\nline\tend"
        );
    }

    #[test]
    fn a_client_id_is_printable_ascii() {
        assert!(ClientId::parse("0198f6a2-7c1e").is_ok());
        assert_eq!(ClientId::parse(""), Err(Violation::TooShort));
        assert_eq!(ClientId::parse("é"), Err(Violation::Invalid));
        assert_eq!(ClientId::parse(&"a".repeat(65)), Err(Violation::TooLong));
    }
}
