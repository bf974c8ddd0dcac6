//! What a person is called and how they prove to be that person.

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use utoipa::ToSchema;

use super::{folded, line, within};
use crate::{Limits, Violation};

/// A user's unique name: `[a-z0-9_.-]`, case-folded, so `Ada` and `ada` are one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Username(String);

/// Names that speak for the server or for everybody.
const RESERVED: [&str; 13] = [
    "admin", "root", "system", "api", "www", "mail", "support", "info", "about", "chatx",
    "everyone", "here", "room",
];

/// Whether nobody may register under this name.
pub fn is_reserved(username: &Username) -> bool {
    RESERVED.contains(&username.as_str())
}

impl Username {
    /// # Errors
    /// What is wrong with it.
    pub fn parse(raw: &str, limits: &Limits) -> Result<Self, Violation> {
        let name = folded(raw);
        within(&name, limits.username_min_chars, limits.username_max_chars)?;
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(c);
        if name.chars().all(allowed) {
            Ok(Self(name))
        } else {
            Err(Violation::Invalid)
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a user is shown as; need not be unique.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// # Errors
    /// What is wrong with it.
    pub fn parse(raw: &str, limits: &Limits) -> Result<Self, Violation> {
        line(raw, 1, limits.display_name_max_chars).map(Self)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An email address, case-folded. Whether mail arrives there only a mail can tell.
#[derive(Clone, PartialEq, Eq)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// # Errors
    /// What is wrong with it.
    pub fn parse(raw: &str, limits: &Limits) -> Result<Self, Violation> {
        let address = folded(raw);
        if address.len() > limits.email_max_bytes {
            return Err(Violation::TooLong);
        }
        let (local, domain) = address.rsplit_once('@').ok_or(Violation::Invalid)?;
        let plain =
            |c: char| !c.is_whitespace() && !super::is_deceptive(c) && !"\"<>(),;:\\[]".contains(c);
        let dots_inside =
            |part: &str| !part.is_empty() && part.split('.').all(|piece| !piece.is_empty());
        let well_formed = dots_inside(local)
            && dots_inside(domain)
            && domain.contains('.')
            && !local.contains('@')
            && address.chars().all(plain);
        if well_formed {
            Ok(Self(address))
        } else {
            Err(Violation::Invalid)
        }
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Shows nothing: an address is a person's own.
impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress(…)")
    }
}

/// A password in compatibility form, so that one typed on another keyboard is the same.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// A password that is being chosen.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(raw: &str, limits: &Limits) -> Result<Self, Violation> {
        let password = Self::attempt(raw, limits)?;
        within(
            password.as_str(),
            limits.password_min_chars,
            limits.password_max_chars,
        )?;
        Ok(password)
    }

    /// A password that is being tried: any length up to the longest that can have been chosen.
    ///
    /// # Errors
    /// [`Violation::TooLong`], so that nobody makes the server hash a book.
    pub fn attempt(raw: &str, limits: &Limits) -> Result<Self, Violation> {
        within(raw, 0, limits.password_max_chars.saturating_mul(2))?;
        Ok(Self(raw.nfkc().collect()))
    }

    /// The secret itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Shows nothing.
impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_are_alike() {
        let limits = Limits::default();
        for raw in ["ada", "ADA", " Ada ", "ＡＤＡ"] {
            assert_eq!(Username::parse(raw, &limits).unwrap().as_str(), "ada");
        }
    }

    #[test]
    fn names_of_other_forms_are_refused() {
        let limits = Limits::default();
        assert_eq!(Username::parse("ab", &limits), Err(Violation::TooShort));
        assert_eq!(
            Username::parse(&"a".repeat(33), &limits),
            Err(Violation::TooLong)
        );
        for raw in ["a b", "ада", "a/b", "a\u{200b}da", "😀😀😀"] {
            assert_eq!(
                Username::parse(raw, &limits),
                Err(Violation::Invalid),
                "{raw:?}"
            );
        }
    }

    #[test]
    fn addresses_have_a_place_and_a_domain() {
        let limits = Limits::default();
        assert_eq!(
            EmailAddress::parse(" Ada@Example.COM ", &limits)
                .unwrap()
                .as_str(),
            "ada@example.com"
        );
        for raw in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@host",
            "a@b@c.d",
            "a b@c.de",
            "a..b@c.de",
            "a@c..de",
        ] {
            assert_eq!(
                EmailAddress::parse(raw, &limits),
                Err(Violation::Invalid),
                "{raw:?}"
            );
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let password = Password::parse("correct horse battery", &Limits::default()).unwrap();
        assert_eq!(format!("{password:?}"), "Password(…)");
    }
}
