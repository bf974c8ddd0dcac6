//! A user as others and as they themselves see them, and how people are found.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    Fields, Limits, Parse, Timestamp, UserId, Violation,
    fields::{Whole, nullable},
    frame::PresenceState,
    text::{DisplayName, EmailAddress, Password},
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
    /// Whether it is a program's and not a person's; left out when not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub bot: bool,
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
    /// Where mail reaches them; may be empty.
    pub email: String,
    /// Whether they have shown that it does.
    #[serde(default)]
    pub email_verified: bool,
    /// Whether they can log in by a password.
    #[serde(default)]
    pub has_password: bool,
    /// Whether a login by password asks for a code of an authenticator, too.
    #[serde(default)]
    pub totp: bool,
    /// Whether they have server-admin rights.
    pub admin: bool,
    /// Whether others see how far they have read.
    #[serde(default)]
    pub shows_reads: bool,
}

/// `PATCH /v1/users/me`: what is left out stays; `null` goes back to the default.
#[derive(Default, Deserialize, Serialize, ToSchema)]
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
    /// Whether others see how far one has read; they do unless one says otherwise.
    #[serde(
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<bool>)]
    pub shows_reads: Option<Option<bool>>,
    /// Another address, which is to be verified. It needs the `password`, from who has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = "email", max_length = 254)]
    pub email: Option<String>,
    /// The account's password, with `email`; who has none has logged in within the last 10 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    pub password: Option<String>,
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
    /// Whether others see how far they have read.
    pub shows_reads: Option<bool>,
    /// Another address.
    pub email: Option<EmailAddress>,
    /// The password that allows it, from who has one.
    pub password: Option<Password>,
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
        let email = fields.optional("email", raw.email, |raw| EmailAddress::parse(&raw, limits));
        let password = fields.optional("password", raw.password, |raw| {
            Password::attempt(&raw, limits)
        });
        if fields.is_empty() {
            Ok(Self {
                email,
                password,
                display_name,
                bio,
                status,
                shows_reads: raw.shows_reads.map(|shows| shows.unwrap_or(true)),
            })
        } else {
            Err(fields)
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
