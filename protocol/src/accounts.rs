//! Accounts and sessions: the bodies of `/v1/auth` and `/v1/users`.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    Fields, Limits, Parse, SessionId, Timestamp, UserId, Violation,
    fields::{Whole, nullable},
    frame::PresenceState,
    text::{DisplayName, EmailAddress, Password, Username, is_reserved},
};

/// Whom a message, an event or a membership is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserSummary {
    /// The account.
    pub id: UserId,
    /// Its unique name.
    pub username: String,
    /// What it is shown as.
    pub display_name: String,
}

/// A user as others see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// The account.
    pub id: UserId,
    /// Its unique name.
    pub username: String,
    /// What it is shown as.
    pub display_name: String,
    /// A few words about oneself.
    pub bio: String,
    /// What one is up to.
    pub status: String,
    /// When the account was made.
    pub created_at: Timestamp,
    /// Whether they are here, if that is known and visible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence: Option<PresenceState>,
}

/// A user as they see themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// What others see too.
    #[serde(flatten)]
    pub user: User,
    /// Where mail reaches them.
    pub email: String,
    /// Whether they have server-admin rights.
    pub admin: bool,
}

/// The answer to register, login and refresh. With `?cookie=true` the tokens are in cookies instead.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct SignedIn {
    /// Who it is.
    pub user: Me,
    /// What proves it for `expires_in` seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token: Option<String>,
    /// Always `Bearer`.
    pub token_type: TokenType,
    /// Seconds that the access token lives.
    pub expires_in: u64,
    /// What gets the next pair, once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
}

/// How an access token is sent.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub enum TokenType {
    /// In `Authorization: Bearer …`.
    Bearer,
}

/// One login of one user on one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// The session.
    pub id: SessionId,
    /// What the client called the device.
    pub device: String,
    /// The address it was last seen at.
    pub ip: String,
    /// When it logged in.
    pub created_at: Timestamp,
    /// When it was last refreshed.
    pub last_seen_at: Timestamp,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// The caller's sessions.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SessionList {
    /// The sessions, the one last seen first.
    pub sessions: Vec<Session>,
}

/// What a state-changing request with a cookie carries in `X-CSRF-Token`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct CsrfToken {
    /// Good for as long as the session.
    pub csrf_token: String,
}

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

impl Parse for Login {
    type Raw = LoginBody;

    fn parse(raw: LoginBody, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let login = fields.required("login", raw.login, |raw| {
            if raw.len() > 4 * limits.email_max_bytes {
                return Err(Violation::TooLong);
            }
            let email = EmailAddress::parse(&raw, limits).map(LoginName::Email);
            let username = || Username::parse(&raw, limits).map(LoginName::Username);
            Ok(email.or_else(|_| username()).unwrap_or(LoginName::Nobody))
        });
        let password = fields.required("password", raw.password, |raw| {
            Password::attempt(&raw, limits)
        });
        let device = fields.optional("device", raw.device, |raw| DisplayName::parse(&raw, limits));
        match (login, password) {
            (Some(login), Some(password)) if fields.is_empty() => Ok(Self {
                login,
                password,
                device,
            }),
            _ => Err(fields),
        }
    }
}

/// `POST /v1/auth/refresh`; the token may come in the cookie instead.
#[derive(Default, Deserialize, Serialize, ToSchema)]
pub struct RefreshBody {
    /// The refresh token.
    pub refresh_token: Option<String>,
}

/// A checked refresh.
#[derive(Clone, Default)]
pub struct Refresh {
    /// The refresh token, if it came in the body.
    pub refresh_token: Option<String>,
}

impl Parse for Refresh {
    type Raw = RefreshBody;

    fn parse(raw: RefreshBody, _: &Limits) -> Result<Self, Fields> {
        Ok(Self {
            refresh_token: raw.refresh_token,
        })
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

/// `PATCH /v1/users/me`: what is left out stays; `null` goes back to the default.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct ProfileBody {
    /// 1 to 64 characters.
    #[serde(
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64)]
    pub display_name: Option<Option<String>>,
    /// At most 500 characters.
    #[serde(
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>, max_length = 500)]
    pub bio: Option<Option<String>>,
    /// At most 100 characters.
    #[serde(
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>, max_length = 100)]
    pub status: Option<Option<String>>,
}

/// A checked change of profile.
#[derive(Clone, Debug, Default)]
pub struct ChangeProfile {
    /// The new display name; `Some(None)` for the username.
    pub display_name: Option<Option<DisplayName>>,
    /// The new text about oneself.
    pub bio: Option<String>,
    /// The new status.
    pub status: Option<String>,
}

impl Parse for ChangeProfile {
    type Raw = ProfileBody;

    fn parse(raw: ProfileBody, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let display_name = fields.optional("display_name", raw.display_name, |raw| {
            raw.map(|raw| DisplayName::parse(&raw, limits)).transpose()
        });
        let text = |max_chars: usize| {
            move |raw: Option<String>| {
                let text = raw.unwrap_or_default().trim().to_owned();
                if text.chars().count() > max_chars {
                    return Err(Violation::TooLong);
                }
                if text.chars().any(|c| c.is_control() && c != '\n') {
                    return Err(Violation::ControlCharacters);
                }
                Ok(text)
            }
        };
        let bio = fields.optional("bio", raw.bio, text(limits.bio_max_chars));
        let status = fields.optional("status", raw.status, text(limits.status_max_chars));
        if fields.is_empty() {
            Ok(Self {
                display_name,
                bio,
                status,
            })
        } else {
            Err(fields)
        }
    }
}

/// The query of register, login and refresh.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CookieQuery {
    /// `true` puts the tokens into cookies instead of the body.
    #[param(value_type = bool, required = false)]
    cookie: Option<String>,
}

/// Where the tokens of a session go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenPlace {
    /// Into the body.
    Body,
    /// Into cookies that no script reads.
    Cookies,
}

impl Parse for TokenPlace {
    type Raw = CookieQuery;

    fn parse(raw: CookieQuery, _: &Limits) -> Result<Self, Fields> {
        match raw.cookie.as_deref() {
            None | Some("false") => Ok(Self::Body),
            Some("true") => Ok(Self::Cookies),
            Some(_) => Err(Fields::one("cookie", Violation::Invalid)),
        }
    }
}

/// The query of `GET /v1/users`.
#[derive(Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
pub struct UsersQuery {
    /// How their username or display name begins.
    #[param(max_length = 64)]
    query: Option<String>,
    /// At most so many; 50 if left out.
    #[param(value_type = u32, required = false, minimum = 1, maximum = 200)]
    limit: Option<Whole>,
}

/// People who were found.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UserList {
    /// The people.
    pub users: Vec<User>,
}

/// A checked search for people.
#[derive(Clone, Debug)]
pub struct FindUsers {
    /// How their username or display name begins; lower case.
    pub query: String,
    /// At most so many.
    pub limit: u32,
}

impl Parse for FindUsers {
    type Raw = UsersQuery;

    fn parse(raw: UsersQuery, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let query = fields.optional("query", raw.query, |raw| {
            if raw.chars().count() > limits.display_name_max_chars {
                return Err(Violation::TooLong);
            }
            crate::text::searchable(&raw)?;
            Ok(raw.trim().to_lowercase())
        });
        let limit = crate::rooms::page_limit(&mut fields, raw.limit, limits);
        if !fields.is_empty() {
            return Err(fields);
        }
        Ok(Self {
            query: query.unwrap_or_default(),
            limit,
        })
    }
}
