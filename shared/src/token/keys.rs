//! The Ed25519 keys that sign access tokens: the first signs, the one before it is still believed.
//! Where they are kept is [`crate::app`]'s to say.

use std::sync::Arc;

use aws_lc_rs::{
    digest,
    signature::{Ed25519KeyPair, KeyPair},
};
use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use protocol::{ErrorCode, Timestamp};
use serde_json::json;

use super::{AccessClaims, Secrets};
use crate::Refusal;

/// The signing keys of a cluster. Cloning is cheap.
#[derive(Clone)]
pub struct Keys {
    /// Newest first, at least one, at most two.
    keys: Arc<[Key]>,
}

struct Key {
    kid: String,
    public: Vec<u8>,
    signs: EncodingKey,
    verifies: DecodingKey,
}

/// A key of the store, as it lies there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedKey {
    /// Names the key in the header of a token.
    pub kid: String,
    /// The PKCS#8 document under the cluster's sealing key.
    pub sealed: Vec<u8>,
}

/// Why there are no keys to sign with.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The text is no such key.
    #[error("no Ed25519 private key in PKCS#8 PEM form (\"-----BEGIN PRIVATE KEY-----\")")]
    NoKey,
    /// The store's keys were sealed under another cluster secret.
    #[error(
        "CHATX_CLUSTER_SECRET is not the one that the signing key in the database was sealed with: \
         set the secret that this database was first used with"
    )]
    WrongClusterSecret,
}

/// How many keys are believed: the one that signs and the one that did before.
const ACCEPTED_KEYS: usize = 2;

impl Keys {
    /// Reads the keys of a PEM file: the first signs, a second one is still believed.
    ///
    /// # Errors
    /// [`KeyError::NoKey`] if there is none.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let documents = pem_documents(pem)?;
        Self::new(documents.iter().map(Vec::as_slice))
    }

    /// Opens the keys of the store, newest first.
    ///
    /// # Errors
    /// [`KeyError::WrongClusterSecret`] if the newest cannot be opened.
    pub fn from_sealed(sealed: &[SealedKey], secrets: &Secrets) -> Result<Self, KeyError> {
        let open = |key: &SealedKey| {
            secrets
                .open(&key.kid, &key.sealed)
                .ok_or(KeyError::WrongClusterSecret)
        };
        let documents = sealed
            .iter()
            .take(ACCEPTED_KEYS)
            .map(open)
            .collect::<Result<Vec<_>, _>>()?;
        Self::new(documents.iter().map(Vec::as_slice))
    }

    /// Makes a new key for the store.
    pub fn generate(secrets: &Secrets) -> SealedKey {
        let pair = Ed25519KeyPair::generate().expect("the machine has randomness");
        let document = pair.to_pkcs8v1().expect("a fresh key can be written down");
        let kid = kid(pair.public_key().as_ref());
        let sealed = secrets.seal(&kid, document.as_ref());
        SealedKey { kid, sealed }
    }

    fn new<'a>(documents: impl Iterator<Item = &'a [u8]>) -> Result<Self, KeyError> {
        let keys = documents
            .take(ACCEPTED_KEYS)
            .map(Key::new)
            .collect::<Result<Arc<[_]>, _>>()?;
        if keys.is_empty() {
            Err(KeyError::NoKey)
        } else {
            Ok(Self { keys })
        }
    }

    /// Signs claims. The same claims give the same token.
    pub fn access(&self, claims: &AccessClaims) -> String {
        let key = &self.keys[0];
        let header = Header {
            kid: Some(key.kid.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        jsonwebtoken::encode(&header, claims, &key.signs)
            .expect("claims are JSON, and the key was checked when it was read")
    }

    /// Checks a token's signature and life, to the second and without leeway. Whether its session
    /// was revoked is not asked here.
    ///
    /// # Errors
    /// `unauthenticated` for everything that is not a good token.
    pub fn verify_access(&self, token: &str, now: Timestamp) -> Result<AccessClaims, Refusal> {
        self.claims(token)
            .filter(|claims| now < claims.expires_at())
            .ok_or_else(|| ErrorCode::Unauthenticated.into())
    }

    fn claims(&self, token: &str) -> Option<AccessClaims> {
        let kid = jsonwebtoken::decode_header(token).ok()?.kid?;
        let key = self.keys.iter().find(|key| key.kid == kid)?;
        // The library would ask the machine for the time; ours is passed in and checked by the caller.
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.set_required_spec_claims(&["exp", "sub"]);
        let decoded = jsonwebtoken::decode::<AccessClaims>(token, &key.verifies, &validation);
        decoded.ok().map(|data| data.claims)
    }

    /// The public keys, as `/.well-known/jwks.json` shows them.
    pub fn jwks(&self) -> serde_json::Value {
        let jwk = |key: &Key| {
            json!({
                "kty": "OKP",
                "crv": "Ed25519",
                "alg": "EdDSA",
                "use": "sig",
                "kid": key.kid,
                "x": BASE64_URL_SAFE_NO_PAD.encode(&key.public),
            })
        };
        json!({ "keys": self.keys.iter().map(jwk).collect::<Vec<_>>() })
    }
}

impl Key {
    fn new(document: &[u8]) -> Result<Self, KeyError> {
        let pair =
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(document).map_err(|_| KeyError::NoKey)?;
        let public = pair.public_key().as_ref().to_vec();
        Ok(Self {
            kid: kid(&public),
            signs: EncodingKey::from_ed_der(document),
            verifies: DecodingKey::from_ed_der(&public),
            public,
        })
    }
}

/// A name that follows from the key, so that every node calls it the same.
fn kid(public: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, public);
    BASE64_URL_SAFE_NO_PAD.encode(&hash.as_ref()[..12])
}

/// The documents between the `PRIVATE KEY` lines.
fn pem_documents(pem: &str) -> Result<Vec<Vec<u8>>, KeyError> {
    let mut documents = Vec::new();
    let mut body: Option<String> = None;
    for line in pem.lines().map(str::trim) {
        match (line, &mut body) {
            ("-----BEGIN PRIVATE KEY-----", _) => body = Some(String::new()),
            ("-----END PRIVATE KEY-----", Some(text)) => {
                documents.push(BASE64_STANDARD.decode(text).map_err(|_| KeyError::NoKey)?);
                body = None;
            }
            (line, Some(text)) => text.push_str(line),
            (_, None) => {}
        }
    }
    Ok(documents)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use protocol::accounts::UserSummary;

    use super::*;
    use crate::Clock;

    const LIFE: Duration = Duration::from_secs(900);

    fn pem() -> String {
        let document = Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap();
        let body = BASE64_STANDARD.encode(document);
        format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
    }

    fn claims(clock: &Clock) -> AccessClaims {
        let user = UserSummary {
            id: clock.id(),
            username: "ada".into(),
            display_name: "Ada".into(),
        };
        AccessClaims::new(user, clock.id(), false, clock.now(), LIFE)
    }

    fn clock() -> Clock {
        Clock::manual(Timestamp::from_unix_ms(1_763_800_000_500))
    }

    #[test]
    fn a_token_is_good_to_the_second_and_no_longer() {
        let (keys, clock) = (Keys::from_pem(&pem()).unwrap(), clock());
        let claims = claims(&clock);
        let token = keys.access(&claims);
        assert_eq!(
            token,
            keys.access(&claims),
            "the same claims give the same token"
        );
        assert_eq!(
            keys.verify_access(&token, claims.expires_at().before(Duration::from_millis(1))),
            Ok(claims.clone())
        );
        assert!(keys.verify_access(&token, claims.expires_at()).is_err());
    }

    #[test]
    fn only_eddsa_of_a_known_key_is_believed() {
        let (keys, others, clock) = (
            Keys::from_pem(&pem()).unwrap(),
            Keys::from_pem(&pem()).unwrap(),
            clock(),
        );
        let claims = claims(&clock);
        let refused =
            |token: &str| assert!(keys.verify_access(token, clock.now()).is_err(), "{token}");
        refused(&others.access(&claims));
        // A key of ours named by somebody who does not have it.
        let kid = keys.keys[0].kid.clone();
        let header = Header {
            kid: Some(kid.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        refused(&jsonwebtoken::encode(&header, &claims, &others.keys[0].signs).unwrap());
        // The public key, which everybody has, used as a shared secret.
        let header = Header {
            kid: Some(kid.clone()),
            ..Header::new(Algorithm::HS256)
        };
        let secret = EncodingKey::from_secret(&keys.keys[0].public);
        refused(&jsonwebtoken::encode(&header, &claims, &secret).unwrap());
        // No signature at all, and claims that were changed under one.
        let body = |claims: &AccessClaims| {
            BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(claims).unwrap())
        };
        let none = BASE64_URL_SAFE_NO_PAD.encode(json!({ "alg": "none", "kid": kid }).to_string());
        refused(&format!("{none}.{}.", body(&claims)));
        let token = keys.access(&claims);
        let parts: Vec<_> = token.split('.').collect();
        let admin = AccessClaims {
            adm: true,
            ..claims.clone()
        };
        refused(&format!("{}.{}.{}", parts[0], body(&admin), parts[2]));
        for text in ["", ".", "..", "a.b.c"] {
            refused(text);
        }
        assert!(keys.verify_access(&token, clock.now()).is_ok());
    }

    #[test]
    fn the_key_before_is_still_believed() {
        let (old, new, older, clock) = (pem(), pem(), pem(), clock());
        let before = Keys::from_pem(&old).unwrap();
        let keys = Keys::from_pem(&format!("{new}{old}{older}")).unwrap();
        let claims = claims(&clock);
        assert!(
            keys.verify_access(&before.access(&claims), clock.now())
                .is_ok()
        );
        assert!(
            before
                .verify_access(&keys.access(&claims), clock.now())
                .is_err(),
            "the new one signs"
        );
        let forgotten = Keys::from_pem(&older).unwrap().access(&claims);
        assert!(keys.verify_access(&forgotten, clock.now()).is_err());
        assert_eq!(keys.jwks()["keys"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let rsa = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----";
        for text in [
            "",
            "a key",
            rsa,
            "-----BEGIN PRIVATE KEY-----\n\u{e4}\n-----END PRIVATE KEY-----",
        ] {
            assert!(
                matches!(Keys::from_pem(text), Err(KeyError::NoKey)),
                "{text}"
            );
        }
    }
}
