//! One login of one user on one device: the tokens that prove it, and where they are put.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Me;
use crate::{Fields, Limits, Parse, SessionId, Timestamp, Violation};

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
