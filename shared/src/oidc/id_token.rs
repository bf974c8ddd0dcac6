//! Whether an ID token is believed: who signed it, for whom, when, and for which visit.

use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, Validation, jwk};
use protocol::Timestamp;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

/// The keys of a provider.
pub(super) struct Keys(Vec<Key>);

struct Key {
    kid: Option<String>,
    /// What it is for, if it says so.
    algorithm: Option<Algorithm>,
    verifies: DecodingKey,
}

/// What a believable ID token says.
pub(super) struct Expected<'a> {
    /// Who signed it.
    pub(super) issuer: &'a str,
    /// For whom it is.
    pub(super) client_id: &'a str,
    /// For which visit.
    pub(super) nonce: &'a str,
    /// When it is looked at.
    pub(super) now: Timestamp,
}

/// What a provider says of its visitor, after it was checked who that is.
pub(super) struct Claims(Map<String, Value>);

/// Why an ID token is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Untrue {
    #[error("it is no signed token")]
    Form,
    #[error("it is signed with an algorithm that everybody or nobody could have used")]
    Algorithm,
    #[error("it is signed with a key that is not among the provider's")]
    Key,
    #[error("its signature is wrong")]
    Signature,
    #[error("another issuer made it")]
    Issuer,
    #[error("it is for somebody else")]
    Audience,
    #[error("it has expired, or is of the future")]
    Time,
    #[error("it is of another visit")]
    Nonce,
    #[error("it does not say who it is of")]
    Subject,
}

/// How far the clocks of two servers may be apart.
const LEEWAY_S: i64 = 60;
const SUBJECT_MAX_BYTES: usize = 255;
/// Only who has the private key can have made a signature of these.
const BELIEVED: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

impl Keys {
    pub(super) fn new(keys: Vec<Value>) -> Self {
        Self(keys.into_iter().filter_map(Key::read).collect())
    }

    /// The key that made a signature, if there is no doubt.
    fn signer(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let fits = |key: &&Key| {
            key.verifies.family() == algorithm.family()
                && key.algorithm.is_none_or(|own| own == algorithm)
                && kid.is_none_or(|kid| key.kid.as_deref() == Some(kid))
        };
        let mut fitting = self.0.iter().filter(fits);
        let signer = fitting.next()?;
        fitting.next().is_none().then_some(signer)
    }
}

impl Key {
    fn read(key: Value) -> Option<Self> {
        let key: jwk::Jwk = serde_json::from_value(key).ok()?;
        let is_to_sign = matches!(
            key.common.public_key_use,
            None | Some(jwk::PublicKeyUse::Signature)
        );
        let verifies = DecodingKey::from_jwk(&key).ok()?;
        let is_public = verifies.family() != AlgorithmFamily::Hmac;
        let algorithm = match key.common.key_algorithm {
            Some(algorithm) => Some(algorithm.to_string().parse().ok()?),
            None => None,
        };
        (is_to_sign && is_public).then_some(Self {
            kid: key.common.key_id,
            algorithm,
            verifies,
        })
    }
}

impl Expected<'_> {
    /// Reads an ID token.
    ///
    /// # Errors
    /// Why it is not believed.
    pub(super) fn check(&self, token: &str, keys: &Keys) -> Result<Claims, Untrue> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| Untrue::Form)?;
        if !BELIEVED.contains(&header.alg) {
            return Err(Untrue::Algorithm);
        }
        // What must be understood, and is not.
        if header.crit.is_some() {
            return Err(Untrue::Form);
        }
        let key = keys.signer(header.kid.as_deref(), header.alg);
        let key = key.ok_or(Untrue::Key)?;
        // The library would ask the machine for the time; ours is passed in, and the rest goes with it.
        let mut validation = Validation::new(header.alg);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let decoded = jsonwebtoken::decode(token, &key.verifies, &validation);
        let claims = Claims(decoded.map_err(|_| Untrue::Signature)?.claims);
        self.check_claims(&claims)?;
        Ok(claims)
    }

    fn check_claims(&self, claims: &Claims) -> Result<(), Untrue> {
        if claims.text("iss") != Some(self.issuer) {
            return Err(Untrue::Issuer);
        }
        if !self.is_for_us(claims) {
            return Err(Untrue::Audience);
        }
        let now_s = self.now.unix_s();
        let is_expired = claims
            .seconds("exp")
            .is_none_or(|exp| now_s >= exp.saturating_add(LEEWAY_S));
        let is_of_the_future = ["iat", "nbf"].iter().any(|name| {
            let from = claims.seconds(name);
            from.is_some_and(|from| from > now_s.saturating_add(LEEWAY_S))
        });
        if is_expired || is_of_the_future {
            return Err(Untrue::Time);
        }
        let nonce = claims.text("nonce").unwrap_or_default();
        if !bool::from(nonce.as_bytes().ct_eq(self.nonce.as_bytes())) {
            return Err(Untrue::Nonce);
        }
        match claims.text("sub") {
            Some(subject) if (1..=SUBJECT_MAX_BYTES).contains(&subject.len()) => Ok(()),
            _ => Err(Untrue::Subject),
        }
    }

    /// Of several for whom it is, one asked for it, and that must be us.
    fn is_for_us(&self, claims: &Claims) -> bool {
        let party = claims.text("azp");
        match claims.0.get("aud") {
            Some(Value::String(audience)) => {
                audience == self.client_id && party.is_none_or(|party| party == self.client_id)
            }
            Some(Value::Array(audiences)) => {
                let has_us = audiences.iter().any(|one| one == self.client_id);
                let is_ours = match party {
                    Some(party) => party == self.client_id,
                    None => audiences.len() == 1,
                };
                has_us && is_ours
            }
            _ => false,
        }
    }
}

impl Claims {
    /// A claim that is text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// Whether a claim is there and holds. Some write it as text.
    pub(super) fn holds(&self, name: &str) -> bool {
        match self.0.get(name) {
            Some(Value::Bool(holds)) => *holds,
            Some(Value::String(text)) => text == "true",
            _ => false,
        }
    }

    /// Adds what the provider says elsewhere, if it is of the same visitor. What is signed stays.
    pub(super) fn add(&mut self, more: Map<String, Value>) {
        if more.get("sub") != self.0.get("sub") {
            return;
        }
        for (name, value) in more {
            self.0.entry(name).or_insert(value);
        }
    }

    /// A moment in whole seconds; some have fractions.
    fn seconds(&self, name: &str) -> Option<i64> {
        let number = self.0.get(name)?.as_number()?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float is cut to the nearest whole number that there is"
        )]
        number
            .as_i64()
            .or_else(|| number.as_f64().map(|seconds| seconds as i64))
    }
}
