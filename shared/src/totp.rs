//! Codes of an authenticator (RFC 6238: SHA-1, six digits, half a minute each), and the recovery codes that stand in for a lost
//! one. Which were shown before is the store's to know.

use aws_lc_rs::{hmac, rand};
use protocol::{Timestamp, UserId, accounts::SecondFactor};
use subtle::ConstantTimeEq;

use crate::{
    store::{Proof, SealedTotp},
    token::Secrets,
};

/// The secret that an authenticator shares with the server.
pub struct Totp(Vec<u8>);

/// Recovery codes as they are told, and as they are stored.
pub struct FreshCodes {
    /// `xxxxx-xxxxx`
    pub texts: Vec<String>,
    /// In the same order.
    pub hashes: Vec<Vec<u8>>,
}

/// The length of a SHA-1, as RFC 4226 asks for.
const SECRET_BYTES: usize = 20;
const STEP_S: i64 = 30;
const DIGITS: u32 = 6;
const RECOVERY_CODES: usize = 10;
/// 50 bits, against a keyed hash and five tries.
const RECOVERY_CHARS: usize = 10;
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

impl Totp {
    /// A new secret.
    pub fn fresh() -> Self {
        let mut bytes = vec![0; SECRET_BYTES];
        rand::fill(&mut bytes).expect("the machine has randomness");
        Self(bytes)
    }

    /// For the store, which cannot open it.
    pub fn sealed(&self, user: UserId, secrets: &Secrets) -> Vec<u8> {
        secrets.seal(&sealed_as(user), &self.0)
    }

    /// What was sealed; nothing if that was under another cluster secret.
    pub fn open(user: UserId, sealed: &[u8], secrets: &Secrets) -> Option<Self> {
        secrets.open(&sealed_as(user), sealed).map(Self)
    }

    /// The secret as people type it.
    pub fn text(&self) -> String {
        base32(&self.0)
    }

    /// The secret as authenticators read it from a picture.
    pub fn url(&self, username: &str) -> String {
        // Usernames have only characters that stand for themselves in a url.
        format!(
            "otpauth://totp/ChatX:{username}?secret={}&issuer=ChatX",
            self.text()
        )
    }

    /// The half minute that `code` is of, if that is the present one or a neighbour of it.
    pub fn step_of(&self, code: u32, now: Timestamp) -> Option<i64> {
        let present = now.unix_ms().div_euclid(1_000 * STEP_S);
        let mut found = None;
        for step in [present - 1, present, present + 1] {
            if bool::from(self.code_at(step).ct_eq(&code)) {
                found = Some(step);
            }
        }
        found
    }

    /// The code of the half minute `step`.
    fn code_at(&self, step: i64) -> u32 {
        self.truncated(step) % 10_u32.pow(DIGITS)
    }

    /// RFC 4226: which 31 bits of the hash count is said by its last four.
    fn truncated(&self, step: i64) -> u32 {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let hash = tag.as_ref();
        let start = usize::from(hash[hash.len() - 1] & 0xf);
        let bytes = [
            hash[start],
            hash[start + 1],
            hash[start + 2],
            hash[start + 3],
        ];
        u32::from_be_bytes(bytes) & 0x7fff_ffff
    }
}

/// What `shown` proves of somebody whose logins ask for codes; nothing, if it is no code of theirs.
pub fn proof(
    user: UserId,
    shown: &SecondFactor,
    kept: &SealedTotp,
    now: Timestamp,
    secrets: &Secrets,
) -> Option<Proof> {
    match shown {
        SecondFactor::Code(code) => {
            let Some(totp) = Totp::open(user, &kept.sealed, secrets) else {
                tracing::error!(user.id = %user, "the secret of an authenticator was sealed under another cluster secret");
                return None;
            };
            totp.step_of(*code, now).map(Proof::Step)
        }
        SecondFactor::Recovery(code) => Some(Proof::Recovery(secrets.recovery_hash(user, code))),
    }
}

impl FreshCodes {
    /// Ten new ones.
    pub fn new(user: UserId, secrets: &Secrets) -> Self {
        let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| random_code()).collect();
        let half = RECOVERY_CHARS / 2;
        Self {
            texts: codes
                .iter()
                .map(|code| format!("{}-{}", &code[..half], &code[half..]))
                .collect(),
            hashes: codes
                .iter()
                .map(|code| secrets.recovery_hash(user, code))
                .collect(),
        }
    }
}

fn random_code() -> String {
    let mut bytes = [0; RECOVERY_CHARS];
    rand::fill(&mut bytes).expect("the machine has randomness");
    // 32 divides 256, so each is as likely.
    let characters = bytes.iter().map(|byte| BASE32[usize::from(byte % 32)]);
    characters
        .map(|character| char::from(character).to_ascii_lowercase())
        .collect()
}

fn sealed_as(user: UserId) -> String {
    format!("totp {user}")
}

/// RFC 4648, of bytes whose number five divides.
fn base32(bytes: &[u8]) -> String {
    let group = |five: &[u8]| {
        let bits = five
            .iter()
            .fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        let digit = move |place: u32| usize::try_from(bits >> (5 * place) & 31).unwrap_or_default();
        (0..8)
            .rev()
            .map(move |place| char::from(BASE32[digit(place)]))
    };
    bytes.chunks(5).flat_map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Appendix B of RFC 6238, for SHA-1.
    #[test]
    fn the_codes_are_those_of_the_standard() {
        let totp = Totp(b"12345678901234567890".to_vec());
        for (seconds, code) in [
            (59, 94_287_082),
            (1_111_111_109, 7_081_804),
            (1_111_111_111, 14_050_471),
            (1_234_567_890, 89_005_924),
            (2_000_000_000, 69_279_037),
            (20_000_000_000, 65_353_130),
        ] {
            let step = seconds / STEP_S;
            assert_eq!(totp.truncated(step) % 100_000_000, code, "{seconds}");
            let at = |seconds| Timestamp::from_unix_ms(seconds * 1_000);
            assert_eq!(totp.step_of(code % 1_000_000, at(seconds)), Some(step));
            assert_eq!(totp.step_of(code % 1_000_000, at(seconds + 30)), Some(step));
            assert_eq!(totp.step_of(code % 1_000_000, at(seconds + 90)), None);
        }
    }

    /// Appendix D of RFC 4226.
    #[test]
    fn the_counters_are_those_of_the_standard() {
        let totp = Totp(b"12345678901234567890".to_vec());
        let codes: Vec<u32> = (0..5).map(|step| totp.code_at(step)).collect();
        assert_eq!(codes, [755_224, 287_082, 359_152, 969_429, 338_314]);
    }

    #[test]
    fn a_secret_is_written_as_authenticators_read_it() {
        // Section 10 of RFC 4648.
        assert_eq!(base32(b"fooba"), "MZXW6YTB");
        let url = Totp(b"12345678901234567890".to_vec()).url("ada");
        assert_eq!(
            url,
            "otpauth://totp/ChatX:ada?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=ChatX"
        );
    }

    #[test]
    fn recovery_codes_are_read_as_they_are_told() {
        let secrets = Secrets::new(&"a secret".into());
        let user = crate::Clock::system().id();
        let codes = FreshCodes::new(user, &secrets);
        assert_eq!((codes.texts.len(), codes.hashes.len()), (10, 10));
        let Ok(SecondFactor::Recovery(code)) = SecondFactor::parse(&codes.texts[0]) else {
            panic!("{} is no recovery code", codes.texts[0]);
        };
        assert_eq!(secrets.recovery_hash(user, &code), codes.hashes[0]);
    }
}
