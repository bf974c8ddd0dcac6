//! One HTTP call to one server and its answer as a type. Not responsible for who calls; see `session`.

use std::{borrow::Cow, time::Duration};

use futures_util::{StreamExt as _, TryStreamExt as _, stream, stream::BoxStream};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Uri,
    body::{Bytes, Incoming},
    header,
};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
use protocol::{ErrorBody, ErrorCode};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::{Instant, sleep_until, timeout};

use crate::{
    Error, Refusal, Result, Settings,
    backoff::Backoff,
    network::{Connector, Network},
};

/// A server, and the connections that are open to it. Cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    /// Without a slash at its end.
    base: String,
    within: Duration,
    retry_for: Duration,
    backoff: Backoff,
    client: Client<Connector, Full<Bytes>>,
    network: Network,
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
    /// What the body is.
    media_type: Cow<'static, str>,
    /// Whether doing it twice is the same as doing it once.
    is_harmless: bool,
}

/// An answer that refuses nothing.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    body: Bytes,
}

impl Http {
    pub(crate) fn new(base: &str, settings: &Settings) -> Result<Self> {
        let unusable = |why: &str| Error::Url(format!("{base}: {why}"));
        let uri: Uri = base.parse().map_err(|_| unusable("no url"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(unusable("it must begin with https:// or http://"));
        }
        if uri.query().is_some() || uri.host().is_none_or(str::is_empty) {
            return Err(unusable("name a host, and perhaps a path, alone"));
        }
        let network = Network::new(&settings.extra_roots)?;
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .build(network.connector());
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self {
            base,
            within: settings.request_within,
            retry_for: settings.retry_for,
            backoff: Backoff::new(settings),
            client,
            network,
        })
    }

    /// The way to this server's sockets.
    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    /// Makes the call; again, if that does no harm, for as long as nobody answers and the settings say.
    pub(crate) async fn insist(&self, call: &Call, token: Option<&str>) -> Result<Answer> {
        let until = Instant::now() + self.retry_for;
        let mut backoff = self.backoff.clone();
        loop {
            let answered = self.make(call, token).await;
            let at_least = match &answered {
                Err(Error::Unreachable(_)) => Duration::ZERO,
                Err(Error::Refused(refusal)) if refusal.detail.code == ErrorCode::Unavailable => {
                    refusal.retry_after.unwrap_or_default()
                }
                _ => return answered,
            };
            let again = Instant::now() + backoff.next(at_least);
            if !call.is_harmless || again > until {
                return answered;
            }
            sleep_until(again).await;
        }
    }

    /// Makes the call, once, and hands out what is answered as it comes.
    pub(crate) async fn pour(
        &self,
        call: &Call,
        token: Option<&str>,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        let within = self.within;
        let late = || Error::Unreachable("it took too long".to_owned());
        let begun = timeout(within, self.begin(call, token)).await;
        let (head, body) = begun.map_err(|_| late())??.into_parts();
        if !head.status.is_success() {
            let body = Limited::new(body, ANSWER_MAX_BYTES).collect().await;
            let body = body.map_err(|error| Error::Unreachable(error.to_string()))?;
            return Err(refusal(head.status, &head.headers, &body.to_bytes()));
        }
        let parts = stream::try_unfold(body.into_data_stream(), move |mut parts| async move {
            match timeout(within, parts.try_next()).await {
                Ok(Ok(next)) => Ok(next.map(|bytes| (bytes, parts))),
                Ok(Err(error)) => Err(Error::Unreachable(error.to_string())),
                Err(_) => Err(late()),
            }
        });
        Ok(parts.boxed())
    }

    async fn begin(&self, call: &Call, token: Option<&str>) -> Result<Response<Incoming>> {
        let uri = format!("{}{}", self.base, call.path);
        let mut request = Request::builder()
            .method(&call.method)
            .uri(uri)
            .header(header::ACCEPT, "application/json");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if call.body.is_some() {
            request = request.header(header::CONTENT_TYPE, call.media_type.as_ref());
        }
        let request = request
            .body(Full::new(call.body.clone().unwrap_or_default()))
            .map_err(|error| Error::Protocol(error.to_string()))?;
        let response = self.client.request(request).await;
        response.map_err(|error| unreachable(&error))
    }

    /// Makes the call, once, and reads the whole answer.
    pub(crate) async fn make(&self, call: &Call, token: Option<&str>) -> Result<Answer> {
        let answered = async {
            let (head, body) = self.begin(call, token).await?.into_parts();
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
        Self {
            is_harmless: method == Method::GET,
            method,
            path: path.into(),
            body: None,
            media_type: Cow::Borrowed("application/json"),
        }
    }

    /// Doing it twice is the same as doing it once.
    pub(crate) const fn harmless(mut self) -> Self {
        self.is_harmless = true;
        self
    }

    /// With a body of `protocol`.
    pub(crate) fn with(mut self, body: &impl Serialize) -> Self {
        let json = serde_json::to_vec(body).expect("bodies have string keys and no failing parts");
        self.body = Some(json.into());
        self
    }

    /// With a body of another kind.
    pub(crate) fn with_bytes(mut self, media_type: String, bytes: Vec<u8>) -> Self {
        self.body = Some(bytes.into());
        self.media_type = media_type.into();
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
