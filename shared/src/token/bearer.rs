//! Tokens that are stored: random, shown once, and kept as a hash, so that who reads the store cannot
//! use them. Bots show them, and the urls of hooks end with them.

use aws_lc_rs::{digest, rand};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

/// A token that was made just now.
pub struct FreshBearer {
    /// What is shown.
    pub text: String,
    /// What is stored.
    pub hash: BearerHash,
}

/// What is stored of a token.
pub type BearerHash = [u8; 32];

/// What a bot's token begins with, so that people and programs that look for leaked secrets know it.
const OF_BOT: &str = "chatx_";
const RANDOM_BYTES: usize = 32;

impl FreshBearer {
    /// A token for a bot.
    pub fn of_bot() -> Self {
        Self::beginning(OF_BOT)
    }

    /// The end of a hook's url.
    pub fn of_hook() -> Self {
        Self::beginning("")
    }

    fn beginning(with: &str) -> Self {
        let text = format!("{with}{}", random_text());
        let hash = bearer_hash(&text);
        Self { text, hash }
    }
}

/// 256 random bits as text.
pub fn random_text() -> String {
    let mut bytes = [0; RANDOM_BYTES];
    rand::fill(&mut bytes).expect("the machine has randomness");
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Whether a token is a bot's; an access token never begins so.
pub fn is_of_bot(token: &str) -> bool {
    token.starts_with(OF_BOT)
}

/// What would be stored of a token that is shown.
pub fn bearer_hash(token: &str) -> BearerHash {
    let hash = digest::digest(&digest::SHA256, token.as_bytes());
    hash.as_ref().try_into().expect("a SHA-256 has 32 bytes")
}
