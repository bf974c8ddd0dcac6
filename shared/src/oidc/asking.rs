//! What a provider is asked, and how: over https, within seconds, for answers of a bounded size, and only at urls that are
//! its own. Whether an answer is believed is not decided here, but for whose it is.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use form_urlencoded::byte_serialize;
use http::{Request, StatusCode, Uri, header};
use http_body_util::Full;
use secrecy::ExposeSecret;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::{NotVouched, id_token::Keys};
use crate::{
    outside::{Answer, Outside, Targets},
    settings::Provider,
};

/// The way to one provider.
pub(super) struct Asking {
    provider: Provider,
    outside: Outside,
}

/// What a provider says of itself, as far as it is needed.
#[derive(Debug, Deserialize)]
pub(super) struct Document {
    pub(super) issuer: String,
    pub(super) authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

/// What a code is exchanged for.
#[derive(Deserialize)]
pub(super) struct Tokens {
    pub(super) id_token: String,
    pub(super) access_token: Option<String>,
}

/// What the token endpoint says when it says no.
#[derive(Default, Deserialize)]
struct TokenRefusal {
    #[serde(default)]
    error: String,
}

/// How long an answer may take, connecting included.
const WITHIN: Duration = Duration::from_secs(5);
/// How long it may be. Those of large companies have some 10 KiB.
const ANSWER_MAX_BYTES: usize = 256 * 1_024;
/// What a provider's answers are called in the log.
const DOCUMENT: &str = "its document";
const KEYS: &str = "its list of keys";
const TOKEN_ENDPOINT: &str = "its token endpoint";
const USERINFO: &str = "its userinfo endpoint";

impl Asking {
    pub(super) const fn new(provider: Provider, outside: Outside) -> Self {
        Self { provider, outside }
    }

    pub(super) const fn provider(&self) -> &Provider {
        &self.provider
    }

    /// What it says of itself.
    pub(super) async fn document(&self) -> Result<Document, NotVouched> {
        let issuer = &self.provider.issuer;
        let url = format!("{issuer}/.well-known/openid-configuration");
        let document: Document = self.read(DOCUMENT, Request::get(&url)).await?;
        if document.issuer.trim_end_matches('/') != *issuer {
            return Err(NotVouched::OtherIssuer(document.issuer));
        }
        self.own_url(&document.authorization_endpoint)?;
        Ok(document)
    }

    /// Its keys. What is none, or of a kind that nobody here can use, is passed over.
    pub(super) async fn keys(&self, document: &Document) -> Result<Keys, NotVouched> {
        #[derive(Deserialize)]
        struct KeySet {
            keys: Vec<Value>,
        }
        let set: KeySet = self.read(KEYS, Request::get(&document.jwks_uri)).await?;
        Ok(Keys::new(set.keys))
    }

    /// Trades the code that a visitor brought for their ID token.
    pub(super) async fn exchange(
        &self,
        document: &Document,
        code: &str,
        verifier: &str,
        way_back: &str,
    ) -> Result<Tokens, NotVouched> {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", way_back),
            ("code_verifier", verifier),
        ];
        let mut request = Request::post(&document.token_endpoint)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let client_id = self.provider.client_id.as_str();
        let secret = self.provider.client_secret.as_ref();
        match secret.map(ExposeSecret::expose_secret) {
            None => form.push(("client_id", client_id)),
            Some(secret) if document.takes_secret_in_form() => {
                form.extend([("client_id", client_id), ("client_secret", secret)]);
            }
            Some(secret) => {
                request = request.header(header::AUTHORIZATION, basic(client_id, secret));
            }
        }
        let answer = self.ask(TOKEN_ENDPOINT, request, encoded(&form)).await?;
        match answer.status {
            StatusCode::OK => readable(TOKEN_ENDPOINT, &answer),
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let refusal: TokenRefusal =
                    serde_json::from_slice(&answer.body).unwrap_or_default();
                Err(match refusal.error.as_str() {
                    "invalid_grant" | "access_denied" => NotVouched::Code(refusal.error),
                    _ => NotVouched::Client(refusal.error),
                })
            }
            status => Err(NotVouched::Status(TOKEN_ENDPOINT, status)),
        }
    }

    /// What else it says of its visitor; nothing, if it has no place to ask that.
    pub(super) async fn userinfo(
        &self,
        document: &Document,
        access_token: &str,
    ) -> Result<Option<Map<String, Value>>, NotVouched> {
        let Some(url) = &document.userinfo_endpoint else {
            return Ok(None);
        };
        let proof = format!("Bearer {access_token}");
        let request = Request::get(url).header(header::AUTHORIZATION, proof);
        self.read(USERINFO, request).await.map(Some)
    }

    async fn read<T: DeserializeOwned>(
        &self,
        what: &'static str,
        request: http::request::Builder,
    ) -> Result<T, NotVouched> {
        let answer = self.ask(what, request, String::new()).await?;
        if answer.status != StatusCode::OK {
            return Err(NotVouched::Status(what, answer.status));
        }
        readable(what, &answer)
    }

    async fn ask(
        &self,
        what: &'static str,
        request: http::request::Builder,
        body: String,
    ) -> Result<Answer, NotVouched> {
        let request = request.header(header::ACCEPT, "application/json");
        let request = request.body(Full::new(Bytes::from(body)));
        let request = request.map_err(|_| NotVouched::Url(what.to_owned()))?;
        let targets = self.targets(request.uri())?;
        let asked = self.outside.ask(request, targets, ANSWER_MAX_BYTES);
        match timeout(WITHIN, asked).await {
            Ok(answered) => answered.map_err(|error| NotVouched::Away(what, error)),
            Err(_) => Err(NotVouched::Late(what, WITHIN.as_secs())),
        }
    }

    /// A url that the provider names must be as safe as its own.
    fn own_url(&self, url: &str) -> Result<Uri, NotVouched> {
        let parsed = url.parse::<Uri>().ok();
        parsed
            .filter(|url| self.provider.may_be_asked_at(url))
            .ok_or_else(|| NotVouched::Url(url.to_owned()))
    }

    /// The server that the settings name may be anywhere: its operator knows it. What it names beside itself must not lead
    /// into a network that trusts us.
    fn targets(&self, url: &Uri) -> Result<Targets, NotVouched> {
        if !self.provider.may_be_asked_at(url) {
            return Err(NotVouched::Url(url.to_string()));
        }
        let issuer = self.provider.issuer.parse::<Uri>().ok();
        let is_its_own = issuer.is_some_and(|issuer| issuer.host() == url.host());
        Ok(if is_its_own || self.provider.trusted_network {
            Targets::Any
        } else {
            Targets::Public
        })
    }
}

impl Document {
    /// Without a word, and wherever it is possible, the secret goes into the header.
    fn takes_secret_in_form(&self) -> bool {
        let methods = self.token_endpoint_auth_methods_supported.as_deref();
        methods.is_some_and(|methods| {
            let takes = |method: &str| methods.iter().any(|known| known == method);
            takes("client_secret_post") && !takes("client_secret_basic")
        })
    }
}

fn encoded(form: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish()
}

/// RFC 6749: both are encoded as in a form first.
fn basic(client_id: &str, secret: &str) -> String {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(client_id), encoded(secret));
    format!("Basic {}", BASE64_STANDARD.encode(pair))
}

fn readable<T: DeserializeOwned>(what: &'static str, answer: &Answer) -> Result<T, NotVouched> {
    serde_json::from_slice(&answer.body).map_err(|error| NotVouched::Unreadable(what, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Settings, trust::Trust};

    fn asking(issuer: &str, trusted_network: bool) -> Asking {
        let provider = Provider {
            id: "example".to_owned(),
            issuer: issuer.to_owned(),
            client_id: "chat".to_owned(),
            client_secret: None,
            name: "Example".to_owned(),
            scopes: "openid".to_owned(),
            trusted_network,
        };
        let trust = Trust::new(&Settings::default()).unwrap();
        Asking::new(provider, Outside::new(trust))
    }

    #[test]
    fn a_provider_leads_nobody_into_a_network_that_trusts_us() {
        let at = |issuer: &str, trusted: bool, url: &str| {
            asking(issuer, trusted).targets(&url.parse().unwrap()).ok()
        };
        let (open, own) = (Some(Targets::Public), Some(Targets::Any));
        let issuer = "https://id.example.com";
        assert_eq!(at(issuer, false, "https://id.example.com/token"), own);
        assert_eq!(at(issuer, false, "https://keys.example.com"), open);
        assert_eq!(at(issuer, false, "https://169.254.169.254/"), open);
        assert_eq!(at(issuer, false, "http://id.example.com/token"), None);
        // It is let to this machine by its scheme, and turned away there by its address.
        assert_eq!(at(issuer, false, "http://127.0.0.1:9/"), open);
        assert_eq!(
            at("http://127.0.0.1:9", false, "http://127.0.0.1:9/token"),
            own
        );
        assert_eq!(at("http://id.internal", true, "http://10.0.0.1/token"), own);
    }
}
