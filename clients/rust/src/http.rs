//! One HTTP call to one server and its answer as a type. Not responsible for who calls; see `session`.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{HeaderMap, Method, Request, StatusCode, Uri, body::Bytes, header};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use protocol::ErrorBody;
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::timeout;

use crate::{Error, Refusal, Result};

/// A server, and the connections that are open to it. Cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    /// Without a slash at its end.
    base: String,
    within: Duration,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// An answer of more bytes is none of the contract's.
const ANSWER_MAX_BYTES: usize = 32 * 1_024 * 1_024;
/// A server closes a connection that idles; we do it first, rather than ask on a closing one.
const IDLE: Duration = Duration::from_secs(20);

/// What is asked, and by whom.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    method: Method,
    path: String,
    body: Option<Bytes>,
}

/// An answer that refuses nothing.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    body: Bytes,
}

impl Http {
    pub(crate) fn new(base: &str, within: Duration) -> Result<Self> {
        let unusable = |why: &str| Error::Url(format!("{base}: {why}"));
        let uri: Uri = base.parse().map_err(|_| unusable("no url"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => {
                return Err(unusable(
                    "this client speaks no tls, put it beside a proxy that does",
                ));
            }
            _ => return Err(unusable("it must begin with http://")),
        }
        if uri.query().is_some() || uri.host().is_none_or(str::is_empty) {
            return Err(unusable("name a host, and perhaps a path, alone"));
        }
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .build(connector);
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self {
            base,
            within,
            client,
        })
    }

    /// Makes the call, once.
    pub(crate) async fn make(&self, call: &Call, token: Option<&str>) -> Result<Answer> {
        let uri = format!("{}{}", self.base, call.path);
        let mut request = Request::builder()
            .method(&call.method)
            .uri(uri)
            .header(header::ACCEPT, "application/json");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if call.body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(Full::new(call.body.clone().unwrap_or_default()))
            .map_err(|error| Error::Protocol(error.to_string()))?;
        let answered = async {
            let response = self
                .client
                .request(request)
                .await
                .map_err(|error| unreachable(&error))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, ANSWER_MAX_BYTES).collect().await;
            let body = body.map_err(|error| Error::Unreachable(error.to_string()))?;
            Ok::<_, Error>((head, body.to_bytes()))
        };
        let (head, body) = timeout(self.within, answered)
            .await
            .map_err(|_| Error::Unreachable(format!("{} took too long", call.path)))??;
        if head.status.is_success() {
            return Ok(Answer {
                status: head.status,
                body,
            });
        }
        Err(refusal(head.status, &head.headers, &body))
    }
}

impl Call {
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        let (path, body) = (path.into(), None);
        Self { method, path, body }
    }

    /// With a body of `protocol`.
    pub(crate) fn with(mut self, body: &impl Serialize) -> Self {
        let json = serde_json::to_vec(body).expect("bodies have string keys and no failing parts");
        self.body = Some(json.into());
        self
    }

    /// With one more part of the query, if there is one.
    pub(crate) fn ask(mut self, name: &str, value: Option<impl ToString>) -> Self {
        if let Some(value) = value {
            self.path
                .push(if self.path.contains('?') { '&' } else { '?' });
            self.path.push_str(name);
            self.path.push('=');
            escape(&value.to_string(), &mut self.path);
        }
        self
    }
}

impl Answer {
    /// What it says.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| Error::Protocol(error.to_string()))
    }
}

/// Adds `text` to a url, so that none of it is taken for a part of the url itself.
pub(crate) fn escape(text: &str, url: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
}

fn unreachable(error: &hyper_util::client::legacy::Error) -> Error {
    let mut words = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(deeper) = source {
        words = format!("{words}: {deeper}");
        source = deeper.source();
    }
    Error::Unreachable(words)
}

/// What an answer that is no success means.
pub(crate) fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    let retry_after = headers
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(Duration::from_secs);
    match serde_json::from_slice::<ErrorBody>(body) {
        Ok(ErrorBody { error: detail }) => Refusal {
            status: status.as_u16(),
            detail,
            retry_after,
        }
        .into(),
        // A proxy in between speaks for a server that does not.
        Err(_) if status.is_server_error() => Error::Unreachable(format!("answered {status}")),
        Err(error) => Error::Protocol(format!("answered {status}: {error}")),
    }
}
