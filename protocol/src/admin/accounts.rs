//! An account as server admins see and change it.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::truth;
use crate::{
    Fields, Limits, Parse, Timestamp, UserId, Violation,
    fields::{Whole, nullable},
    rooms::{page_cursor, page_limit},
    text::{DisplayName, Reason, searchable},
};

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Account {
    /// The account.
    pub id: UserId,
    /// Its unique name.
    pub username: String,
    /// What it is shown as.
    pub display_name: String,
    /// Where mail reaches them; left out once they are erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// A few words about oneself.
    pub bio: String,
    /// What one is up to.
    pub status: String,
    /// When the account was made.
    pub created_at: Timestamp,
    /// Whether they have server-admin rights.
    pub admin: bool,
    /// Whether the settings give them these, so that nobody can take them here.
    pub admin_by_settings: bool,
    /// Since when they are kept out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended_at: Option<Timestamp>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended_reason: Option<String>,
    /// When they were erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<Timestamp>,
    /// How often they are logged in.
    pub sessions: u32,
    /// In how many rooms they are.
    pub rooms: u32,
    /// How many of those they have.
    pub owned_rooms: u32,
    /// When one of their sessions was last renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<Timestamp>,
}

/// The query of `GET /v1/admin/users`.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AccountsQuery {
    /// How their username, display name or address begins.
    #[param(max_length = 254)]
    query: Option<String>,
    /// Only those who are, or are not, suspended.
    #[param(value_type = bool, required = false)]
    suspended: Option<String>,
    /// Only those who are, or are not, server admins.
    #[param(value_type = bool, required = false)]
    admin: Option<String>,
    /// Where the page before ended.
    #[param(max_length = 512)]
    cursor: Option<String>,
    /// At most so many; 50 if left out.
    #[param(value_type = u32, required = false, minimum = 1, maximum = 200)]
    limit: Option<Whole>,
}

/// A checked search for accounts.
#[derive(Clone, Debug, Default)]
pub struct FindAccounts {
    /// How their username, display name or address begins; lower case.
    pub query: String,
    /// Only those who are, or are not, suspended.
    pub suspended: Option<bool>,
    /// Only those who are, or are not, server admins.
    pub admin: Option<bool>,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// At most so many.
    pub limit: u32,
}

impl Parse for FindAccounts {
    type Raw = AccountsQuery;

    fn parse(raw: AccountsQuery, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let query = fields.optional("query", raw.query, |raw| {
            if raw.len() > 254 {
                return Err(Violation::TooLong);
            }
            searchable(&raw)?;
            Ok(raw.trim().to_lowercase())
        });
        let suspended = fields.optional("suspended", raw.suspended.as_deref(), truth);
        let admin = fields.optional("admin", raw.admin.as_deref(), truth);
        let cursor = page_cursor(&mut fields, raw.cursor);
        let limit = page_limit(&mut fields, raw.limit, limits);
        if !fields.is_empty() {
            return Err(fields);
        }
        Ok(Self {
            query: query.unwrap_or_default(),
            suspended,
            admin,
            cursor,
            limit,
        })
    }
}

/// A page of accounts, by username.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AccountList {
    /// The accounts.
    pub users: Vec<Account>,
    /// Where the next page begins; left out at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// `PATCH /v1/admin/users/{user}`: what is left out stays.
#[derive(Default, Deserialize, Serialize, ToSchema)]
pub struct AccountBody {
    /// Whether they are kept out.
    pub suspended: Option<bool>,
    /// Why, 1 to 500 characters; for admins to read.
    #[serde(
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 500)]
    pub suspended_reason: Option<Option<String>>,
    /// Whether they have server-admin rights.
    pub admin: Option<bool>,
    /// 1 to 64 characters; `null` for the username.
    #[serde(
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64)]
    pub display_name: Option<Option<String>>,
}

/// A checked change of an account.
#[derive(Clone, Debug, Default)]
pub struct ChangeAccount {
    /// Whether they are kept out.
    pub suspended: Option<bool>,
    /// Why.
    pub suspended_reason: Option<Option<Reason>>,
    /// Whether they have server-admin rights.
    pub admin: Option<bool>,
    /// The new display name; `Some(None)` for the username.
    pub display_name: Option<Option<DisplayName>>,
}

impl Parse for ChangeAccount {
    type Raw = AccountBody;

    fn parse(raw: AccountBody, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let suspended_reason = fields.optional("suspended_reason", raw.suspended_reason, |raw| {
            raw.map(|raw| Reason::parse(&raw, limits)).transpose()
        });
        let display_name = fields.optional("display_name", raw.display_name, |raw| {
            raw.map(|raw| DisplayName::parse(&raw, limits)).transpose()
        });
        if !fields.is_empty() {
            return Err(fields);
        }
        Ok(Self {
            suspended: raw.suspended,
            suspended_reason,
            admin: raw.admin,
            display_name,
        })
    }
}

/// What lets somebody set a new password, told once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct ResetLink {
    /// What `POST /v1/auth/reset/confirm` takes.
    pub token: String,
    /// The page that does it.
    pub url: String,
    /// Until when.
    pub expires_at: Timestamp,
}
