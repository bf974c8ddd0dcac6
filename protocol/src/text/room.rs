//! What a room is called and how strangers get in.

use std::fmt;

use super::{folded, is_deceptive, line, normalised, within};
use crate::{Limits, Violation};

/// A room's name, as its maker wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomName {
    text: String,
    key: String,
}

impl RoomName {
    /// # Errors
    /// What is wrong with it.
    pub fn parse(raw: &str, limits: &Limits) -> Result<Self, Violation> {
        let text = line(raw, 1, limits.room_name_max_chars)?;
        let key = folded(&text);
        Ok(Self { text, key })
    }

    /// The name as it is shown.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The name without the difference of cases: what must be unique.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The part of a key that a search for `raw` looks for.
    pub fn search_key(raw: &str) -> String {
        folded(raw)
    }
}

/// What a room is about, in a few lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topic(String);

impl Topic {
    /// # Errors
    /// What is wrong with it.
    pub fn parse(raw: &str, limits: &Limits) -> Result<Self, Violation> {
        let text = normalised(raw);
        within(&text, 0, limits.topic_max_chars)?;
        if text.chars().any(|c| c != '\n' && is_deceptive(c)) {
            return Err(Violation::ControlCharacters);
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What opens a private room.
#[derive(Clone, PartialEq, Eq)]
pub struct RoomPassword(String);

impl RoomPassword {
    /// # Errors
    /// What is wrong with it.
    pub fn parse(raw: &str, limits: &Limits) -> Result<Self, Violation> {
        let text = normalised(raw);
        within(
            &text,
            limits.room_password_min_chars,
            limits.room_password_max_chars,
        )?;
        Ok(Self(text))
    }

    /// A password that is being tried: one that cannot be right is wrong, not malformed.
    ///
    /// # Errors
    /// [`Violation::TooLong`], so that nobody makes the server hash a book.
    pub fn attempt(raw: &str, limits: &Limits) -> Result<Self, Violation> {
        within(raw, 0, limits.room_password_max_chars.saturating_mul(2))?;
        Ok(Self(normalised(raw)))
    }

    /// The secret itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Shows nothing.
impl fmt::Debug for RoomPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoomPassword(…)")
    }
}

/// A code that lets people in, as a newcomer shows it: 1 to 64 of `[A-Za-z0-9_-]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteCode(String);

impl InviteCode {
    /// # Errors
    /// What is wrong with it.
    pub fn parse(raw: String) -> Result<Self, Violation> {
        within(&raw, 1, 64)?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        if raw.bytes().all(is_plain) {
            Ok(Self(raw))
        } else {
            Err(Violation::Invalid)
        }
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The code, for who keeps it.
    pub fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_look_and_has_one_key() {
        let limits = Limits::default();
        let name = RoomName::parse("  Grüße an STRASSE ", &limits).unwrap();
        assert_eq!(name.as_str(), "Grüße an STRASSE");
        assert_eq!(
            name.key(),
            RoomName::parse("GRÜSSE AN straße", &limits).unwrap().key()
        );
    }

    #[test]
    fn a_name_that_hides_something_is_refused() {
        let limits = Limits::default();
        assert_eq!(RoomName::parse(" \t ", &limits), Err(Violation::TooShort));
        assert_eq!(
            RoomName::parse("a\u{202e}b", &limits),
            Err(Violation::ControlCharacters)
        );
        assert_eq!(
            RoomName::parse("a\nb", &limits),
            Err(Violation::ControlCharacters)
        );
    }
}
