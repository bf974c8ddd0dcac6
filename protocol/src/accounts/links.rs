//! What the links of mails are for: verifying an address, choosing a new password.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::LoginName;
use crate::{Fields, Limits, Parse, Violation, text::Password};

/// `POST /v1/auth/verify`
#[derive(Deserialize, Serialize, ToSchema)]
pub struct VerifyBody {
    /// The last part of the link in the mail.
    #[schema(required, nullable = false, max_length = 128)]
    pub token: Option<String>,
}

/// A checked verification of an address.
#[derive(Clone)]
pub struct Verify {
    /// The token of the mail.
    pub token: String,
}

impl Parse for Verify {
    type Raw = VerifyBody;

    fn parse(raw: VerifyBody, _: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let token = fields.required("token", raw.token, token);
        token.map(|token| Self { token }).ok_or(fields)
    }
}

/// `POST /v1/auth/reset`
#[derive(Deserialize, Serialize, ToSchema)]
pub struct ResetBody {
    /// Username or email address.
    #[schema(required, nullable = false, max_length = 254, example = "ada")]
    pub login: Option<String>,
}

/// A checked wish for a mail to choose a new password with.
#[derive(Clone, Debug)]
pub struct Reset {
    /// Which account.
    pub login: LoginName,
}

impl Parse for Reset {
    type Raw = ResetBody;

    fn parse(raw: ResetBody, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let login = fields.required("login", raw.login, |raw| LoginName::parse(&raw, limits));
        login.map(|login| Self { login }).ok_or(fields)
    }
}

/// `POST /v1/auth/reset/confirm`
#[derive(Deserialize, Serialize, ToSchema)]
pub struct ResetConfirmBody {
    /// The last part of the link in the mail.
    #[schema(required, nullable = false, max_length = 128)]
    pub token: Option<String>,
    /// The password from now on.
    #[schema(required, nullable = false, min_length = 10, max_length = 256)]
    pub new: Option<String>,
}

/// A checked choice of a new password.
#[derive(Clone)]
pub struct ConfirmReset {
    /// The token of the mail.
    pub token: String,
    /// The password from now on.
    pub new: Password,
}

impl Parse for ConfirmReset {
    type Raw = ResetConfirmBody;

    fn parse(raw: ResetConfirmBody, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let token = fields.required("token", raw.token, token);
        let new = fields.required("new", raw.new, |raw| Password::parse(&raw, limits));
        match (token, new) {
            (Some(token), Some(new)) if fields.is_empty() => Ok(Self { token, new }),
            _ => Err(fields),
        }
    }
}

/// Whether it is a good one only the store can tell.
fn token(raw: String) -> Result<String, Violation> {
    const MAX_BYTES: usize = 128;
    match raw.len() {
        0 => Err(Violation::TooShort),
        1..=MAX_BYTES => Ok(raw),
        _ => Err(Violation::TooLong),
    }
}
