//! Refresh tokens: which session, which generation of it, and a proof that this cluster wrote that.

use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use protocol::SessionId;

use super::Secrets;

/// What a refresh token says. It is derived, so the same session and generation give the same text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// The session that it renews.
    pub session: SessionId,
    /// How many rotations came before it.
    pub generation: u64,
}

impl RefreshToken {
    /// The token as it is handed out: `session.generation.mac`.
    pub fn text(&self, secrets: &Secrets) -> String {
        let body = self.body();
        let mac = hmac::sign(secrets.refresh(), body.as_bytes());
        format!("{body}.{}", BASE64_URL_SAFE_NO_PAD.encode(mac))
    }

    /// Reads a token; `None` unless a node with this secret wrote it.
    pub fn parse(text: &str, secrets: &Secrets) -> Option<Self> {
        let (body, mac) = text.rsplit_once('.')?;
        let mac = BASE64_URL_SAFE_NO_PAD.decode(mac).ok()?;
        hmac::verify(secrets.refresh(), body.as_bytes(), &mac).ok()?;
        let (session, generation) = body.split_once('.')?;
        Some(Self {
            session: session.parse().ok()?,
            generation: generation.parse().ok()?,
        })
    }

    fn body(&self) -> String {
        format!("{}.{}", self.session.uuid().simple(), self.generation)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Clock;

    #[test]
    fn a_token_is_read_back_only_with_its_secret() {
        let secrets = Secrets::new(&"one".into());
        let token = RefreshToken {
            session: Clock::system().id(),
            generation: 7,
        };
        let text = token.text(&secrets);
        assert_eq!(RefreshToken::parse(&text, &secrets), Some(token));
        assert_eq!(
            text,
            token.text(&secrets),
            "a repeated rotation hands out the same token"
        );
        assert_eq!(
            RefreshToken::parse(&text, &Secrets::new(&"two".into())),
            None
        );
        let later = text.replacen(".7.", ".8.", 1);
        assert_eq!(RefreshToken::parse(&later, &secrets), None);
    }

    proptest! {
        #[test]
        fn other_text_is_no_token(text in ".{0,120}") {
            prop_assert_eq!(RefreshToken::parse(&text, &Secrets::new(&"one".into())), None);
        }
    }
}
