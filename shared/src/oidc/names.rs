//! What somebody is called here, by what a provider says of them.

use protocol::{
    IdentityId, Limits,
    text::{DisplayName, EmailAddress, Username, is_reserved},
};

use super::id_token::Claims;
use crate::{store::Vouched, token::bearer::random_text};

/// What somebody is called of whom nothing is said.
const ANYBODY: &str = "user";
const LABEL_MAX_CHARS: usize = 254;
/// Up to which number names are tried, before they get random ends.
const NUMBERED: u32 = 9;
const RANDOM: usize = 4;
const RANDOM_CHARS: usize = 6;

/// Whom the claims speak of.
pub(super) fn vouched(issuer: &str, claims: &Claims, id: IdentityId, limits: &Limits) -> Vouched {
    let subject = claims.text("sub").unwrap_or_default().to_owned();
    let email = claims.text("email");
    let address = email.and_then(|email| EmailAddress::parse(email, limits).ok());
    let name = claims.text("name");
    let label = email
        .or_else(|| claims.text("preferred_username"))
        .or(name)
        .unwrap_or(&subject);
    let shown = name.map(|name| cut(name, limits.display_name_max_chars));
    let bases = ["preferred_username", "nickname", "email", "name"];
    let bases = bases.iter().filter_map(|claim| claims.text(claim));
    Vouched {
        id,
        issuer: issuer.to_owned(),
        label: cut(label, LABEL_MAX_CHARS),
        is_email_verified: address.is_some() && claims.holds("email_verified"),
        email: address,
        display_name: shown.and_then(|name| DisplayName::parse(&name, limits).ok()),
        usernames: usernames(bases, limits),
        subject,
    }
}

/// What an account may be called, the best first: as they are called there, with a number, and with what nobody else has.
fn usernames<'a>(called: impl Iterator<Item = &'a str>, limits: &Limits) -> Vec<Username> {
    // So much is left for what follows.
    let most = limits.username_max_chars.saturating_sub(RANDOM_CHARS + 1);
    let mut bases: Vec<String> = called
        .map(|name| base(name, most))
        .filter(|base| base.chars().count() >= limits.username_min_chars)
        .collect();
    bases.push(ANYBODY.to_owned());
    let first = bases[0].clone();
    let numbered = (2..=NUMBERED).map(|number| format!("{first}{number}"));
    let random = (0..RANDOM).map(|_| format!("{first}-{}", random_end()));
    let is_alone = bases.len() == 1;
    // Nobody is called by the word for anybody, but with something behind it.
    bases.pop();
    let all = bases
        .into_iter()
        .chain(numbered.filter(|_| !is_alone))
        .chain(random);
    let free = all.filter_map(|name| Username::parse(&name, limits).ok());
    free.filter(|name| !is_reserved(name)).collect()
}

/// What is left of a name, or of the front of an address, that a username may have.
fn base(name: &str, most: usize) -> String {
    let front = name.split('@').next().unwrap_or_default().to_lowercase();
    let dotted = front.split_whitespace().collect::<Vec<_>>().join(".");
    let plain = dotted
        .chars()
        .filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(*c));
    let plain: String = plain.take(most).collect();
    plain.trim_matches(['.', '-', '_']).to_owned()
}

fn random_end() -> String {
    let text = random_text().to_lowercase();
    let plain = text.chars().filter(char::is_ascii_alphanumeric);
    plain.take(RANDOM_CHARS).collect()
}

fn cut(text: &str, most_chars: usize) -> String {
    text.trim().chars().take(most_chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(called: &[&str]) -> Vec<String> {
        let names = usernames(called.iter().copied(), &Limits::default());
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn people_keep_their_names_where_they_can() {
        let names = names(&["Ada.L", "ada@example.com", "Ada Lovelace"]);
        assert_eq!(
            names[..5],
            ["ada.l", "ada", "ada.lovelace", "ada.l2", "ada.l3"]
        );
        assert!(names.last().unwrap().starts_with("ada.l-"), "{names:?}");
    }

    #[test]
    fn nobody_is_without_a_name() {
        for called in [&[][..], &["\u{5f20}\u{4f1f}"], &["a"], &["admin"]] {
            let names = names(called);
            assert!(names.len() >= RANDOM, "{called:?} {names:?}");
            assert!(!names.contains(&"admin".to_owned()));
        }
        let long = "a".repeat(300);
        assert!(names(&[&long]).len() > RANDOM);
    }
}
