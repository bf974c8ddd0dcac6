//! Codes at login: turning them on and off, and what is shown to prove that one has them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Fields, Limits, Parse, Violation, text::Password};

/// What is shown beside a password.
#[derive(Clone, PartialEq, Eq)]
pub enum SecondFactor {
    /// Six digits of an authenticator.
    Code(u32),
    /// A recovery code: ten letters and digits, without the dash.
    Recovery(String),
}

impl SecondFactor {
    /// Reads either, however it is written: in groups, in capitals.
    ///
    /// # Errors
    /// [`Violation::Invalid`] for what can be neither.
    pub fn parse(raw: &str) -> Result<Self, Violation> {
        if raw.len() > 64 {
            return Err(Violation::TooLong);
        }
        let plain: String = raw
            .chars()
            .filter(|c| !c.is_whitespace() && *c != '-')
            .map(|c| c.to_ascii_lowercase())
            .collect();
        let is_of_base32 = |c: char| matches!(c, 'a'..='z' | '2'..='7');
        if plain.len() == 6 && plain.bytes().all(|byte| byte.is_ascii_digit()) {
            plain
                .parse()
                .map(Self::Code)
                .map_err(|_| Violation::Invalid)
        } else if plain.len() == 10 && plain.chars().all(is_of_base32) {
            Ok(Self::Recovery(plain))
        } else {
            Err(Violation::Invalid)
        }
    }
}

/// Shows nothing.
impl std::fmt::Debug for SecondFactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecondFactor(…)")
    }
}

/// `POST /v1/users/me/totp`
#[derive(Default, Deserialize, Serialize, ToSchema)]
pub struct BeginTotpBody {
    /// The account's password, if it has one.
    #[schema(max_length = 256)]
    pub password: Option<String>,
}

/// A checked wish to turn codes on.
#[derive(Clone, Debug)]
pub struct BeginTotp {
    /// The account's password.
    pub password: Option<Password>,
}

impl Parse for BeginTotp {
    type Raw = BeginTotpBody;

    fn parse(raw: BeginTotpBody, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let password = fields.optional("password", raw.password, |raw| {
            Password::attempt(&raw, limits)
        });
        if fields.is_empty() {
            Ok(Self { password })
        } else {
            Err(fields)
        }
    }
}

/// What an authenticator is given.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct NewTotp {
    /// The secret, to be typed.
    #[schema(example = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")]
    pub secret: String,
    /// The same with what it is for, to be shown as a picture.
    #[schema(example = "otpauth://totp/ChatX:ada?secret=…&issuer=ChatX")]
    pub url: String,
}

/// `POST /v1/users/me/totp/confirm`
#[derive(Deserialize, Serialize, ToSchema)]
pub struct ConfirmTotpBody {
    /// Six digits of the authenticator.
    #[schema(required, nullable = false, max_length = 32, example = "123456")]
    pub code: Option<String>,
}

/// A checked proof that the authenticator has the secret.
#[derive(Clone, Debug)]
pub struct ConfirmTotp {
    /// Six digits.
    pub code: u32,
}

impl Parse for ConfirmTotp {
    type Raw = ConfirmTotpBody;

    fn parse(raw: ConfirmTotpBody, _: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let code = fields.required("code", raw.code, |raw| match SecondFactor::parse(&raw)? {
            SecondFactor::Code(code) => Ok(code),
            SecondFactor::Recovery(_) => Err(Violation::Invalid),
        });
        code.map(|code| Self { code }).ok_or(fields)
    }
}

/// `DELETE /v1/users/me/totp` and `POST /v1/users/me/totp/codes`
#[derive(Deserialize, Serialize, ToSchema)]
pub struct ShowTotpBody {
    /// A code of the authenticator, or a recovery code.
    #[schema(required, nullable = false, max_length = 32, example = "123456")]
    pub totp: Option<String>,
}

/// A checked proof that one has the authenticator, or a recovery code.
#[derive(Clone, Debug)]
pub struct ShowTotp {
    /// What is shown.
    pub totp: SecondFactor,
}

impl Parse for ShowTotp {
    type Raw = ShowTotpBody;

    fn parse(raw: ShowTotpBody, _: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let totp = fields.required("totp", raw.totp, |raw| SecondFactor::parse(&raw));
        totp.map(|totp| Self { totp }).ok_or(fields)
    }
}

/// What stands in for a lost authenticator, each once. They are told once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct RecoveryCodes {
    /// Ten of them, `xxxxx-xxxxx`.
    pub recovery_codes: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_written() {
        for raw in ["012345", " 012 345 ", "012-345"] {
            assert_eq!(SecondFactor::parse(raw), Ok(SecondFactor::Code(12_345)));
        }
        for raw in ["abcde-fg234", "ABCDEFG234", "abc de fg2 34"] {
            let expected = SecondFactor::Recovery("abcdefg234".to_owned());
            assert_eq!(SecondFactor::parse(raw), Ok(expected));
        }
        for raw in ["", "12345", "1234567", "abcde-fg189", "１２３４５６"] {
            assert!(SecondFactor::parse(raw).is_err(), "{raw:?}");
        }
    }
}
