//! Logging in by the word of somebody else, by OpenID Connect: where a visitor is sent, and whom the provider vouches for
//! when they come back. What that is worth to an account here, the store decides.

mod asking;
mod documents;
mod id_token;
mod names;
mod visit;

use std::sync::Arc;

use aws_lc_rs::digest;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use protocol::{ErrorCode, Timestamp, accounts};
use subtle::ConstantTimeEq;

use crate::{
    Clock, Refusal, Settings,
    outside::{self, Outside},
    settings,
    store::Vouched,
    trust::Trust,
};
use asking::{Asking, Document};
use documents::Documents;
use id_token::{Claims, Expected, Untrue};

pub use visit::{LIFE as VISIT_LIFE, Linking, Visit};

/// Who else says who somebody is. Cloning gives the same.
#[derive(Clone)]
pub struct Oidc {
    /// By their ids.
    providers: Arc<[Known]>,
    /// What the urls that visitors come back to begin with.
    public_base: Arc<str>,
    clock: Clock,
}

/// A provider, and what it has said of itself.
struct Known {
    asking: Asking,
    documents: Documents,
}

/// Why nobody is vouched for.
#[derive(Debug, thiserror::Error)]
enum NotVouched {
    #[error("{0} cannot be asked: {1}")]
    Away(&'static str, outside::NoAnswer),
    #[error("{0} does not answer within {1} s")]
    Late(&'static str, u64),
    #[error("{0} answers {1}")]
    Status(&'static str, http::StatusCode),
    #[error("{0} answers what cannot be read: {1}")]
    Unreadable(&'static str, serde_json::Error),
    #[error("its document is of another issuer, `{0}`")]
    OtherIssuer(String),
    #[error("its document names the url `{0}`, which is not asked: it must be https")]
    Url(String),
    #[error("it failed a moment ago")]
    JustFailed,
    #[error("it does not take the code: {0}")]
    Code(String),
    #[error("it does not take this server for the one that is registered: {0}")]
    Client(String),
    #[error("it says no")]
    Denied,
    #[error("the visitor did not leave from here, or another answers")]
    OtherVisit,
    #[error("its ID token is not believed: {0}")]
    Untrue(#[from] Untrue),
}

impl Oidc {
    /// Those that the settings name.
    pub fn new(settings: &Settings, clock: Clock, trust: &Trust) -> Self {
        let outside = Outside::new(trust.clone());
        let known = |provider: &settings::Provider| Known {
            asking: Asking::new(provider.clone(), outside.clone()),
            documents: Documents::default(),
        };
        Self {
            providers: settings.providers.iter().map(known).collect(),
            public_base: settings.public_base().into(),
            clock,
        }
    }

    /// All of them, by their ids.
    pub fn list(&self) -> Vec<accounts::Provider> {
        self.providers.iter().map(Known::shown).collect()
    }

    /// The one that has this url.
    pub fn of_issuer(&self, issuer: &str) -> Option<accounts::Provider> {
        let mut known = self.providers.iter();
        known
            .find(|known| known.provider().issuer == issuer)
            .map(Known::shown)
    }

    /// Their urls.
    pub fn issuers(&self) -> Vec<String> {
        let issuer = |known: &Known| known.provider().issuer.clone();
        self.providers.iter().map(issuer).collect()
    }

    /// The one of this id.
    ///
    /// # Errors
    /// `provider_not_found`.
    pub fn provider(&self, id: &str) -> Result<accounts::Provider, Refusal> {
        Ok(self.known(id)?.shown())
    }

    fn known(&self, id: &str) -> Result<&Known, ErrorCode> {
        let mut known = self.providers.iter();
        known
            .find(|known| known.provider().id == id)
            .ok_or(ErrorCode::ProviderNotFound)
    }

    /// Where a visitor is sent.
    ///
    /// # Errors
    /// `provider_not_found`; `unavailable` if the provider cannot be asked where that is.
    pub async fn url(&self, visit: &Visit) -> Result<String, Refusal> {
        let known = self.known(&visit.provider)?;
        let document = known.documents.document(&known.asking, &self.clock).await;
        let document = document.map_err(|error| told(known, &error))?;
        let challenge = digest::digest(&digest::SHA256, visit.verifier.as_bytes());
        let provider = known.provider();
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("response_type", "code")
            .append_pair("client_id", &provider.client_id)
            .append_pair("redirect_uri", &self.way_back(&provider.id))
            .append_pair("scope", &provider.scopes)
            .append_pair("state", &visit.state)
            .append_pair("nonce", &visit.nonce)
            .append_pair("code_challenge", &BASE64_URL_SAFE_NO_PAD.encode(challenge))
            .append_pair("code_challenge_method", "S256")
            .finish();
        let endpoint = &document.authorization_endpoint;
        let joint = if endpoint.contains('?') { '&' } else { '?' };
        Ok(format!("{endpoint}{joint}{query}"))
    }

    /// Whom the provider vouches for, by what it sent its visitor back with.
    ///
    /// # Errors
    /// `forbidden` if it does not, or the visitor did not leave from here; `unavailable` if it cannot be asked.
    pub async fn vouched(
        &self,
        visit: &Visit,
        callback: &accounts::Callback,
        limits: &protocol::Limits,
    ) -> Result<Vouched, Refusal> {
        let known = self.known(&visit.provider)?;
        let claims = self.claims(known, visit, callback).await;
        let claims = claims.map_err(|error| told(known, &error))?;
        Ok(names::vouched(
            &known.provider().issuer,
            &claims,
            self.clock.id(),
            limits,
        ))
    }

    async fn claims(
        &self,
        known: &Known,
        visit: &Visit,
        callback: &accounts::Callback,
    ) -> Result<Claims, NotVouched> {
        let is_same = visit.state.as_bytes().ct_eq(callback.state.as_bytes());
        if !bool::from(is_same) {
            return Err(NotVouched::OtherVisit);
        }
        let code = callback.code.as_deref().ok_or(NotVouched::Denied)?;
        let (asking, documents) = (&known.asking, &known.documents);
        let document = documents.document(asking, &self.clock).await?;
        // RFC 9207: of two providers one must not be taken for the other.
        let is_other = match &callback.issuer {
            Some(issuer) => *issuer != document.issuer,
            None => document.authorization_response_iss_parameter_supported,
        };
        if is_other {
            return Err(NotVouched::OtherVisit);
        }
        let way_back = self.way_back(&known.provider().id);
        let tokens = asking.exchange(&document, code, &visit.verifier, &way_back);
        let tokens = tokens.await?;
        let now = self.clock.now();
        let expected = expected(known, &document, visit, now);
        let keys = documents.keys(asking, &document, &self.clock).await?;
        let mut claims = match expected.check(&tokens.id_token, &keys) {
            Err(Untrue::Key) => {
                let keys = documents.newer_keys(asking, &document, &self.clock).await?;
                expected.check(&tokens.id_token, &keys)?
            }
            checked => checked?,
        };
        // Many say in the ID token only who it is, and the rest to who asks.
        if claims.text("email").is_none()
            && let Some(access_token) = &tokens.access_token
            && let Some(more) = asking.userinfo(&document, access_token).await?
        {
            claims.add(more);
        }
        Ok(claims)
    }

    /// Where a provider sends its visitors back to.
    fn way_back(&self, provider: &str) -> String {
        let base = &self.public_base;
        format!("{base}/v1/auth/oidc/{provider}/callback")
    }
}

fn expected<'a>(
    known: &'a Known,
    document: &'a Document,
    visit: &'a Visit,
    now: Timestamp,
) -> Expected<'a> {
    Expected {
        issuer: &document.issuer,
        client_id: &known.provider().client_id,
        nonce: &visit.nonce,
        now,
    }
}

impl Known {
    const fn provider(&self) -> &settings::Provider {
        self.asking.provider()
    }

    fn shown(&self) -> accounts::Provider {
        accounts::Provider {
            id: self.provider().id.clone(),
            name: self.provider().name.clone(),
        }
    }
}

/// What a visitor is told; the log says more.
fn told(known: &Known, error: &NotVouched) -> Refusal {
    let provider = &known.provider().id;
    let (code, word) = match error {
        NotVouched::Denied
        | NotVouched::OtherVisit
        | NotVouched::Code(_)
        | NotVouched::Untrue(_) => (ErrorCode::Forbidden, "forbidden"),
        _ => (ErrorCode::Unavailable, "unavailable"),
    };
    let labels = [("provider", provider.clone()), ("code", word.to_owned())];
    metrics::counter!("chatx_provider_refusals_total", &labels).increment(1);
    // A visitor may change their mind.
    if matches!(error, NotVouched::Denied) {
        tracing::info!(provider, %error, "nobody is vouched for");
    } else {
        tracing::warn!(provider, %error, "nobody is vouched for");
    }
    code.into()
}
