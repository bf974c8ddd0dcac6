//! One key for each purpose, all derived from the cluster secret, so that every node makes and
//! believes the same tokens and none of them can pass for another kind.

use std::sync::Arc;

use aws_lc_rs::{aead, hkdf, hmac};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use protocol::UserId;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

/// The derived keys. Cloning is cheap.
#[derive(Clone)]
pub struct Secrets(Arc<Derived>);

struct Derived {
    refresh: hmac::Key,
    csrf: hmac::Key,
    ticket: hmac::Key,
    recovery: hmac::Key,
    peer: String,
    sealing: [u8; SEALING_KEY_BYTES],
}

const SEALING_KEY_BYTES: usize = 32;

impl Secrets {
    /// Derives every key from the cluster secret.
    pub fn new(cluster_secret: &SecretString) -> Self {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"chatx.v1");
        let root = salt.extract(cluster_secret.expose_secret().as_bytes());
        let mut peer = [0; 32];
        expand(&root, "peer", &mut peer);
        let mut sealing = [0; SEALING_KEY_BYTES];
        expand(&root, "key sealing", &mut sealing);
        Self(Arc::new(Derived {
            refresh: mac_key(&root, "refresh"),
            csrf: mac_key(&root, "csrf"),
            ticket: mac_key(&root, "ticket"),
            recovery: mac_key(&root, "recovery"),
            peer: BASE64_URL_SAFE_NO_PAD.encode(peer),
            sealing,
        }))
    }

    /// What a node shows to another as `Authorization: Bearer …`.
    pub fn peer_bearer(&self) -> &str {
        &self.0.peer
    }

    /// Whether `bearer` is what a node of this cluster shows. Takes the same time for every wrong one.
    pub fn is_peer(&self, bearer: &str) -> bool {
        self.0.peer.as_bytes().ct_eq(bearer.as_bytes()).into()
    }

    pub(super) fn refresh(&self) -> &hmac::Key {
        &self.0.refresh
    }

    pub(super) fn csrf(&self) -> &hmac::Key {
        &self.0.csrf
    }

    /// What is stored of a recovery code: it is short, so who reads the store must not be able to try them all.
    pub(crate) fn recovery_hash(&self, user: UserId, code: &str) -> Vec<u8> {
        let text = format!("{user} {code}");
        hmac::sign(&self.0.recovery, text.as_bytes())
            .as_ref()
            .to_vec()
    }

    pub(super) fn ticket(&self) -> &hmac::Key {
        &self.0.ticket
    }

    /// Seals `plain` for the store; `name` must be the same when it is opened.
    pub(crate) fn seal(&self, name: &str, plain: &[u8]) -> Vec<u8> {
        let mut bytes = plain.to_vec();
        let nonce = self
            .sealing_key()
            .seal_in_place_append_tag(aead::Aad::from(name.as_bytes()), &mut bytes)
            .expect("the machine has randomness, and a key is far below the longest message");
        [nonce.as_ref().as_slice(), &bytes].concat()
    }

    /// What was sealed; `None` if that was done with another secret, under another name, or if it was changed.
    pub(crate) fn open(&self, name: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, bytes) = sealed.split_at_checked(aead::NONCE_LEN)?;
        let nonce = aead::Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut bytes = bytes.to_vec();
        let plain = self
            .sealing_key()
            .open_in_place(nonce, aead::Aad::from(name.as_bytes()), &mut bytes)
            .ok()?;
        Some(plain.to_vec())
    }

    fn sealing_key(&self) -> aead::RandomizedNonceKey {
        aead::RandomizedNonceKey::new(&aead::AES_256_GCM, &self.0.sealing)
            .expect("the key has the length that the cipher asks for")
    }
}

fn mac_key(root: &hkdf::Prk, purpose: &str) -> hmac::Key {
    let mut bytes = [0; 32];
    expand(root, purpose, &mut bytes);
    hmac::Key::new(hmac::HMAC_SHA256, &bytes)
}

fn expand(root: &hkdf::Prk, purpose: &str, bytes: &mut [u8; 32]) {
    root.expand(&[purpose.as_bytes()], hkdf::HKDF_SHA256)
        .and_then(|key| key.fill(bytes))
        .expect("hkdf gives up to 8,160 bytes and is asked for 32");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_secret_opens_what_is_sealed() {
        let secrets = Secrets::new(&"one secret".into());
        let sealed = secrets.seal("kid", b"key");
        assert_eq!(
            Secrets::new(&"one secret".into()).open("kid", &sealed),
            Some(b"key".to_vec())
        );
        assert_eq!(secrets.open("another", &sealed), None);
        assert_eq!(
            Secrets::new(&"another secret".into()).open("kid", &sealed),
            None
        );
        assert_eq!(secrets.open("kid", &sealed[..5]), None);
    }

    #[test]
    fn a_peer_has_the_same_secret() {
        let secrets = Secrets::new(&"one secret".into());
        assert!(secrets.is_peer(Secrets::new(&"one secret".into()).peer_bearer()));
        assert!(!secrets.is_peer(Secrets::new(&"another secret".into()).peer_bearer()));
        assert!(!secrets.is_peer(""));
    }
}
