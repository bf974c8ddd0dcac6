//! Who else says who one is: the way there and back, and the identities that an account has by that.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::IgnoredAny};
use utoipa::{IntoParams, ToSchema};

use crate::{
    Fields, IdentityId, Limits, Parse, Timestamp, Violation,
    text::{DisplayName, Password},
};

/// Somebody else who says who one is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Provider {
    /// Its name in paths.
    #[schema(example = "example")]
    pub id: String,
    /// Its name for people.
    #[schema(example = "Example")]
    pub name: String,
}

/// All of them.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProviderList {
    /// In the order of their ids.
    pub providers: Vec<Provider>,
}

/// An account elsewhere that one may log in by.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Identity {
    /// Names it here.
    pub id: IdentityId,
    /// Who vouches for it; left out when this server no longer believes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// The provider's url.
    #[schema(example = "https://id.example.com")]
    pub issuer: String,
    /// What the account was called there the last time.
    #[schema(example = "ada@example.com")]
    pub label: String,
    /// Since when.
    pub created_at: Timestamp,
    /// When one last came by it.
    pub used_at: Timestamp,
}

/// The caller's identities.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct IdentityList {
    /// The oldest first.
    pub identities: Vec<Identity>,
}

/// The query of `GET /v1/auth/oidc/{provider}`.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct VisitQuery {
    /// The path of this server to come back to, `/` if left out.
    #[param(max_length = 512, example = "/")]
    return_to: Option<String>,
    /// What to call the session in the list of sessions, 1 to 64 characters.
    #[param(min_length = 1, max_length = 64)]
    device: Option<String>,
}

/// A checked wish to log in elsewhere.
#[derive(Clone, Debug)]
pub struct Visit {
    /// The path to come back to.
    pub return_to: String,
    /// What to call the session.
    pub device: Option<DisplayName>,
}

impl Parse for Visit {
    type Raw = VisitQuery;

    fn parse(raw: VisitQuery, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let return_to = fields.optional("return_to", raw.return_to, own_path);
        let device = fields.optional("device", raw.device, |raw| DisplayName::parse(&raw, limits));
        if fields.is_empty() {
            Ok(Self {
                return_to: return_to.unwrap_or_else(|| HOME.to_owned()),
                device,
            })
        } else {
            Err(fields)
        }
    }
}

/// `POST /v1/users/me/identities`
#[derive(Deserialize, Serialize, ToSchema)]
pub struct LinkIdentityBody {
    /// The provider's id.
    #[schema(required, nullable = false, max_length = 32, example = "example")]
    pub provider: Option<String>,
    /// The password; who has none has logged in within the last 10 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    pub password: Option<String>,
    /// The path of this server to come back to, `/` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 512, example = "/")]
    pub return_to: Option<String>,
}

/// A checked wish to add an identity to one's account.
#[derive(Clone, Debug)]
pub struct LinkIdentity {
    /// The provider's id.
    pub provider: String,
    /// The password, from who has one.
    pub password: Option<Password>,
    /// The path to come back to.
    pub return_to: String,
}

impl Parse for LinkIdentity {
    type Raw = LinkIdentityBody;

    fn parse(raw: LinkIdentityBody, limits: &Limits) -> Result<Self, Fields> {
        let mut fields = Fields::default();
        let provider = fields.required("provider", raw.provider, Ok);
        let password = fields.optional("password", raw.password, |raw| {
            Password::attempt(&raw, limits)
        });
        let return_to = fields.optional("return_to", raw.return_to, own_path);
        match provider {
            Some(provider) if fields.is_empty() => Ok(Self {
                provider,
                password,
                return_to: return_to.unwrap_or_else(|| HOME.to_owned()),
            }),
            _ => Err(fields),
        }
    }
}

/// Where a page sends its visitor to add an identity.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LinkStarted {
    /// The provider's page. The cookie of this answer is needed on the way back.
    pub url: String,
}

/// The query of `GET /v1/auth/oidc/{provider}/callback`, as the provider makes it.
#[derive(Deserialize)]
pub struct CallbackQuery {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
    #[serde(flatten)]
    #[expect(
        dead_code,
        reason = "providers add what they like, and none of it is refused"
    )]
    more: BTreeMap<String, IgnoredAny>,
}

/// What a provider sends its visitor back with; nothing of it is believed as it stands.
#[derive(Clone, Default)]
pub struct Callback {
    /// What the visit is told by.
    pub state: String,
    /// What the provider tells more for, once; nothing if it does not vouch for its visitor.
    pub code: Option<String>,
    /// Who answers, if that is told.
    pub issuer: Option<String>,
}

impl Parse for Callback {
    type Raw = CallbackQuery;

    fn parse(raw: CallbackQuery, _: &Limits) -> Result<Self, Fields> {
        Ok(Self {
            state: raw.state.unwrap_or_default(),
            code: raw.code.filter(|_| raw.error.is_none()),
            issuer: raw.iss,
        })
    }
}

const HOME: &str = "/";
const PATH_MAX_BYTES: usize = 512;

/// A path that stays on this server, whatever a browser makes of it.
fn own_path(raw: String) -> Result<String, Violation> {
    // Two slashes, in whatever direction, would lead to another server.
    let leads_away = raw
        .as_bytes()
        .get(1)
        .is_some_and(|byte| b"/\\".contains(byte));
    let is_plain = raw.bytes().all(|byte| byte.is_ascii_graphic());
    if raw.len() > PATH_MAX_BYTES {
        Err(Violation::TooLong)
    } else if raw.starts_with('/') && !leads_away && is_plain {
        Ok(raw)
    } else {
        Err(Violation::Invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_server() {
        for path in ["/", "/#/room/7", "/a//b?c=d"] {
            assert_eq!(own_path(path.to_owned()).unwrap(), path);
        }
        for path in [
            "",
            "a",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nb",
            "/\t/evil.example",
        ] {
            assert!(own_path(path.to_owned()).is_err(), "{path:?}");
        }
    }

    #[test]
    fn a_provider_may_add_what_it_likes() {
        let pairs = [
            ("state", "s"),
            ("code", "c"),
            ("session_state", "x"),
            ("scope", "a b"),
        ];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let limits = Limits::default();
        let callback: Callback = crate::fields::read_query(&pairs, &limits).unwrap();
        assert_eq!(
            (callback.state.as_str(), callback.code.as_deref()),
            ("s", Some("c"))
        );
    }
}
