//! A visit to a provider, from leaving to coming back. Nothing of it is kept here: its browser carries it, sealed.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use protocol::{SessionId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::token::{Secrets, bearer::random_text};

/// Somebody on their way to a provider and back.
#[derive(Clone, Serialize, Deserialize)]
pub struct Visit {
    /// The provider's id.
    pub provider: String,
    /// Where to go then.
    pub return_to: String,
    /// What to call the session; may be empty.
    pub device: String,
    /// Whose account it is to be added to; a login, if it is nobody's.
    pub linking: Option<Linking>,
    /// Tells the answer of this visit from those of others.
    pub(super) state: String,
    /// Tells its ID token from those of others.
    pub(super) nonce: String,
    /// Shows the provider that who asks for the ID token is who sent the visitor.
    pub(super) verifier: String,
    /// When it is too late to come back, in milliseconds since 1970.
    until_ms: i64,
}

/// Who adds an identity to their account.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Linking {
    /// The account.
    pub user: UserId,
    /// The session that they began it with.
    pub session: SessionId,
}

/// How long one may stay away.
pub const LIFE: Duration = Duration::from_secs(600);
/// What the seal is bound to.
const SEAL: &str = "oidc visit";

impl Visit {
    /// One that begins now.
    pub fn new(provider: String, return_to: String, now: Timestamp) -> Self {
        Self {
            provider,
            return_to,
            device: String::new(),
            linking: None,
            state: random_text(),
            nonce: random_text(),
            verifier: random_text(),
            until_ms: now.after(LIFE).unix_ms(),
        }
    }

    /// What its browser carries.
    pub fn sealed(&self, secrets: &Secrets) -> String {
        let plain = serde_json::to_vec(self).expect("text and numbers are always JSON");
        BASE64_URL_SAFE_NO_PAD.encode(secrets.seal(SEAL, &plain))
    }

    /// Reads what a browser carries; `None` unless this cluster wrote it a short while ago.
    pub fn open(text: &str, secrets: &Secrets, now: Timestamp) -> Option<Self> {
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let visit: Self = serde_json::from_slice(&secrets.open(SEAL, &sealed)?).ok()?;
        (now.unix_ms() < visit.until_ms).then_some(visit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_sealed_here_a_short_while_ago_is_a_visit() {
        let secrets = Secrets::new(&"one".into());
        let now = Timestamp::from_unix_ms(1_763_800_000_000);
        let visit = Visit::new("example".to_owned(), "/".to_owned(), now);
        let text = visit.sealed(&secrets);
        let open = |text: &str, at| Visit::open(text, &secrets, at);
        assert_eq!(open(&text, now).unwrap().state, visit.state);
        assert!(open(&text, now.after(LIFE)).is_none());
        assert!(Visit::open(&text, &Secrets::new(&"another".into()), now).is_none());
        assert!(open(&text[1..], now).is_none());
        assert!(open("", now).is_none());
    }
}
