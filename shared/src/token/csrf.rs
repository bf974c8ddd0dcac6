//! Csrf tokens: proof that a request made with a cookie comes from a page that could read our answers.

use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use protocol::SessionId;

use super::Secrets;

impl Secrets {
    /// The csrf token of a session; the same for as long as the session lives.
    pub fn csrf_token(&self, session: SessionId) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(self.csrf(), session.uuid().as_bytes()))
    }

    /// Whether `token` is the csrf token of `session`.
    pub fn is_csrf_token(&self, token: &str, session: SessionId) -> bool {
        BASE64_URL_SAFE_NO_PAD
            .decode(token)
            .is_ok_and(|mac| hmac::verify(self.csrf(), session.uuid().as_bytes(), &mac).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Clock;

    #[test]
    fn a_csrf_token_is_of_one_session() {
        let secrets = Secrets::new(&"one".into());
        let (one, other) = (Clock::system().id(), Clock::system().id());
        let token = secrets.csrf_token(one);
        assert!(secrets.is_csrf_token(&token, one));
        assert!(!secrets.is_csrf_token(&token, other));
        assert!(!secrets.is_csrf_token("", one));
    }
}
