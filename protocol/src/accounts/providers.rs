//! Who else says who one is, and the way there and back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::IgnoredAny};
use utoipa::{IntoParams, ToSchema};

use crate::{Fields, Limits, Parse, Violation};

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

/// The query of `GET /v1/auth/oidc/{provider}`.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct VisitQuery {
    /// The path of this server to come back to, `/` if left out.
    #[param(max_length = 512, example = "/")]
    return_to: Option<String>,
}

/// A checked wish to log in elsewhere.
#[derive(Clone, Debug)]
pub struct Visit {
    /// The path to come back to.
    pub return_to: String,
}

impl Parse for Visit {
    type Raw = VisitQuery;

    fn parse(raw: VisitQuery, _: &Limits) -> Result<Self, Fields> {
        const MAX_BYTES: usize = 512;
        let mut fields = Fields::default();
        let return_to = fields.optional("return_to", raw.return_to, |raw| {
            // Two slashes, in whatever direction, would lead to another server.
            let leads_away = raw
                .as_bytes()
                .get(1)
                .is_some_and(|byte| b"/\\".contains(byte));
            let is_plain = raw.bytes().all(|byte| byte.is_ascii_graphic());
            if raw.len() > MAX_BYTES {
                Err(Violation::TooLong)
            } else if raw.starts_with('/') && !leads_away && is_plain {
                Ok(raw)
            } else {
                Err(Violation::Invalid)
            }
        });
        if fields.is_empty() {
            Ok(Self {
                return_to: return_to.unwrap_or_else(|| "/".to_owned()),
            })
        } else {
            Err(fields)
        }
    }
}

/// The query of `GET /v1/auth/oidc/{provider}/callback`, as the provider makes it.
#[derive(Deserialize)]
pub struct CallbackQuery {
    /// What the visit is told by.
    state: Option<String>,
    /// What the provider answers for, once.
    code: Option<String>,
    /// Why it does not.
    error: Option<String>,
    /// Who answers.
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
    /// What the provider answers for; empty if it does not.
    pub code: String,
    /// Who answers, if that is told.
    pub issuer: Option<String>,
}

impl Parse for Callback {
    type Raw = CallbackQuery;

    fn parse(raw: CallbackQuery, _: &Limits) -> Result<Self, Fields> {
        let code = match raw.error {
            Some(_) => String::new(),
            None => raw.code.unwrap_or_default(),
        };
        Ok(Self {
            state: raw.state.unwrap_or_default(),
            code,
            issuer: raw.iss,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_server() {
        let visit = |path: &str| {
            let raw = VisitQuery {
                return_to: Some(path.to_owned()),
            };
            Visit::parse(raw, &Limits::default())
        };
        for path in ["/", "/#/room/7", "/a//b?c=d"] {
            assert_eq!(visit(path).unwrap().return_to, path);
        }
        for path in [
            "",
            "a",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nb",
        ] {
            assert!(visit(path).is_err(), "{path:?}");
        }
    }
}
