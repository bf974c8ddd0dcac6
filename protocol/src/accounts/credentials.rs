//! How people come in: registering, logging in, changing the password.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::SecondFactor;
use crate::{
    Fields, Limits, Parse, Violation,
    text::{DisplayName, EmailAddress, Password, Username, is_reserved},
};

/// `POST /v1/auth/register`
#[derive(Deserialize, Serialize, ToSchema)]
pub struct RegisterBody {
    /// 3 to 32 of `a-z 0-9 _ . -`, unique.
    #[schema(
        required,
        nullable = false,
        min_length = 3,
        max_length = 32,
        pattern = "^[a-z0-9_.-]+$",
        example = "ada"
    )]
    pub username: Option<String>,
    /// Unique, at most 254 bytes.
    #[schema(
        required,
        nullable = false,
        format = "email",
        max_length = 254,
        example = "ada@example.com"
    )]
    pub email: Option<String>,
    /// 10 to 256 characters, not a common one.
    #[schema(
        required,
        nullable = false,
        min_length = 10,
        max_length = 256,
        example = "plain sailing 1843"
    )]
    pub password: Option<String>,
    /// 1 to 64 characters; the username if left out.
    #[schema(min_length = 1, max_length = 64)]
    pub display_name: Option<String>,
}

/// A checked registration. That the password is not a common one is checked where the list is.
#[derive(Clone, Debug)]
pub struct Register {
    /// The unique name.
    pub username: Username,
    /// The address.
    pub email: EmailAddress,
    /// The password.
    pub password: Password,
    /// What to show.
    pub display_name: Option<DisplayName>,
}

impl Parse for Register {
    type Raw = RegisterBody;

    fn parse(raw: RegisterBody, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let username = fields.required("username", raw.username, |raw| {
            let name = Username::parse(&raw, limits)?;
            if is_reserved(&name) {
                Err(Violation::Reserved)
            } else {
                Ok(name)
            }
        });
        let email = fields.required("email", raw.email, |raw| EmailAddress::parse(&raw, limits));
        let password = fields.required("password", raw.password, |raw| {
            Password::parse(&raw, limits)
        });
        let display_name = fields.optional("display_name", raw.display_name, |raw| {
            DisplayName::parse(&raw, limits)
        });
        match (username, email, password) {
            (Some(username), Some(email), Some(password)) if fields.is_empty() => Ok(Self {
                username,
                email,
                password,
                display_name,
            }),
            _ => Err(fields),
        }
    }
}

/// `POST /v1/auth/login`
#[derive(Deserialize, Serialize, ToSchema)]
pub struct LoginBody {
    /// Username or email address.
    #[schema(required, nullable = false, max_length = 254, example = "ada")]
    pub login: Option<String>,
    /// The password.
    #[schema(
        required,
        nullable = false,
        max_length = 256,
        example = "plain sailing 1843"
    )]
    pub password: Option<String>,
    /// What to call this session in the list of sessions, 1 to 64 characters.
    #[schema(min_length = 1, max_length = 64)]
    pub device: Option<String>,
    /// A code of the authenticator, or a recovery code, of who has turned them on.
    #[schema(max_length = 32, example = "123456")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totp: Option<String>,
}

/// A checked login.
#[derive(Clone, Debug)]
pub struct Login {
    /// Which account.
    pub login: LoginName,
    /// The password that is tried.
    pub password: Password,
    /// What to call the session.
    pub device: Option<DisplayName>,
    /// What is shown beside the password.
    pub totp: Option<SecondFactor>,
}

/// How somebody names their account when logging in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginName {
    /// By username.
    Username(Username),
    /// By email address.
    Email(EmailAddress),
    /// By something that no account can be called; no login succeeds with it.
    Nobody,
}

impl LoginName {
    /// Reads either kind of name.
    ///
    /// # Errors
    /// [`Violation::TooLong`] for what is longer than any of them.
    pub(super) fn parse(raw: &str, limits: &Limits) -> Result<Self, Violation> {
        if raw.len() > 4 * limits.email_max_bytes {
            return Err(Violation::TooLong);
        }
        let email = EmailAddress::parse(raw, limits).map(Self::Email);
        let username = || Username::parse(raw, limits).map(Self::Username);
        Ok(email.or_else(|_| username()).unwrap_or(Self::Nobody))
    }
}

impl Parse for Login {
    type Raw = LoginBody;

    fn parse(raw: LoginBody, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let login = fields.required("login", raw.login, |raw| LoginName::parse(&raw, limits));
        let password = fields.required("password", raw.password, |raw| {
            Password::attempt(&raw, limits)
        });
        let device = fields.optional("device", raw.device, |raw| DisplayName::parse(&raw, limits));
        let totp = fields.optional("totp", raw.totp, |raw| SecondFactor::parse(&raw));
        match (login, password) {
            (Some(login), Some(password)) if fields.is_empty() => Ok(Self {
                login,
                password,
                device,
                totp,
            }),
            _ => Err(fields),
        }
    }
}

/// `POST /v1/auth/password`
#[derive(Deserialize, Serialize, ToSchema)]
pub struct PasswordBody {
    /// The password so far.
    #[schema(required, nullable = false, max_length = 256)]
    pub current: Option<String>,
    /// The password from now on.
    #[schema(required, nullable = false, min_length = 10, max_length = 256)]
    pub new: Option<String>,
}

/// A checked change of password.
#[derive(Clone, Debug)]
pub struct ChangePassword {
    /// The password so far.
    pub current: Password,
    /// The password from now on.
    pub new: Password,
}

impl Parse for ChangePassword {
    type Raw = PasswordBody;

    fn parse(raw: PasswordBody, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let current = fields.required("current", raw.current, |raw| {
            Password::attempt(&raw, limits)
        });
        let new = fields.required("new", raw.new, |raw| Password::parse(&raw, limits));
        match (current, new) {
            (Some(current), Some(new)) if fields.is_empty() => Ok(Self { current, new }),
            _ => Err(fields),
        }
    }
}

/// `DELETE /v1/users/me`
#[derive(Default, Deserialize, Serialize, ToSchema)]
pub struct CloseAccountBody {
    /// The password; who has none has logged in within the last 10 minutes.
    #[schema(max_length = 256)]
    pub password: Option<String>,
}

/// A checked wish to leave for good.
#[derive(Clone, Debug)]
pub struct CloseAccount {
    /// The password, from who has one.
    pub password: Option<Password>,
}

impl Parse for CloseAccount {
    type Raw = CloseAccountBody;

    fn parse(raw: CloseAccountBody, limits: &Limits) -> Result<Self, Fields> {
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
