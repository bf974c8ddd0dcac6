//! What happens around every request, whichever handler answers it: it gets an id, its answer gets
//! headers, a refusal gets its body, and one line of the log and two metrics tell of it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Json,
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use protocol::{ErrorBody, ErrorCode, error::ErrorDetail};
use shared::{
    App, Refusal, Settings,
    limiter::{Allowance, Limited},
    origin::origin_of,
    settings::Rate,
};
use tokio::time::Instant;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tracing::{Instrument, field::Empty};

use crate::error::{Error, Result};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names a request in answers, logs and the audit log. A client may bring its own.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) String);

/// The limits that a request is held to, and what is left of the tightest: for its answer's headers.
#[derive(Clone, Default)]
pub(crate) struct Allowances(Arc<Mutex<Option<Allowance>>>);

impl Allowances {
    /// Takes one token of the bucket `key`.
    ///
    /// # Errors
    /// `rate_limited` when there is none.
    pub(crate) async fn take(&self, app: &App, rate: Rate, key: &str) -> Result<()> {
        match app.limiter.check(rate, key).await {
            Ok(allowance) => {
                self.note(allowance);
                Ok(())
            }
            Err(limited) => {
                let Limited { limit, retry_after } = limited;
                self.note(Allowance {
                    limit,
                    remaining: 0,
                    reset: retry_after,
                });
                Err(limited.into())
            }
        }
    }

    fn note(&self, allowance: Allowance) {
        let mut tightest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tightest.is_none_or(|known| allowance.remaining <= known.remaining) {
            *tightest = Some(allowance);
        }
    }

    fn tightest(&self) -> Option<Allowance> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum OfRequest {}

/// The middleware.
pub(crate) async fn accompany(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let id =
        brought_id(request.headers()).unwrap_or_else(|| app.clock.id::<OfRequest>().to_string());
    let allowances = Allowances::default();
    let method = request.method().clone();
    let route = route(&request);
    request.extensions_mut().insert(RequestId(id.clone()));
    request.extensions_mut().insert(allowances.clone());

    let span = tracing::info_span!("request", request.id = id, user.id = Empty);
    async {
        let mut response = complete(next.run(request).await, &id);
        add_headers(response.headers_mut(), &id, allowances.tightest());
        record(&method, &route, response.status(), started);
        response
    }
    .instrument(span)
    .await
}

/// The id that a client brought, if it is fit to stand in a log.
fn brought_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    (1..=64).contains(&id.len()).then_some(())?;
    id.bytes().all(is_plain).then(|| id.to_owned())
}

/// The path as the table has it, so that metrics have few names.
fn route(request: &Request) -> String {
    let matched = request.extensions().get::<MatchedPath>();
    matched.map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned())
}

/// Gives a refusal its body and headers; any other answer stays as it is.
fn complete(mut response: Response, request_id: &str) -> Response {
    let refused = response.extensions_mut().remove::<Error>();
    let refusal = match (refused, response.status()) {
        (Some(Error(refusal)), _) => refusal,
        (None, StatusCode::METHOD_NOT_ALLOWED) => ErrorCode::MethodNotAllowed.into(),
        (None, _) => return response,
    };
    let body = Json(ErrorBody {
        error: ErrorDetail {
            code: refusal.code,
            message: refusal.code.message().to_owned(),
            fields: refusal.fields.clone(),
            request_id: request_id.to_owned(),
        },
    });
    let mut completed = (response.status(), body).into_response();
    let headers = completed.headers_mut();
    headers.extend(
        response
            .headers()
            .clone()
            .into_iter()
            .filter_map(|(name, value)| {
                name.filter(|name| *name != header::CONTENT_LENGTH)
                    .map(|name| (name, value))
            }),
    );
    add_refusal_headers(headers, &refusal);
    completed
}

fn add_refusal_headers(headers: &mut HeaderMap, refusal: &Refusal) {
    if let Some(span) = refusal.retry_after {
        headers.insert(header::RETRY_AFTER, whole_seconds(span));
    } else if refusal.code == ErrorCode::Unavailable {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if refusal.code == ErrorCode::Unauthenticated {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if refusal.code == ErrorCode::RateLimited {
        let reset = refusal.retry_after.unwrap_or_default();
        headers.insert("ratelimit-remaining", HeaderValue::from_static("0"));
        headers.insert("ratelimit-reset", whole_seconds(reset));
    }
}

fn add_headers(headers: &mut HeaderMap, request_id: &str, allowance: Option<Allowance>) {
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, id);
    }
    if let Some(allowance) = allowance {
        headers.insert("ratelimit-limit", allowance.limit.into());
        headers
            .entry("ratelimit-remaining")
            .or_insert(allowance.remaining.into());
        headers
            .entry("ratelimit-reset")
            .or_insert_with(|| whole_seconds(allowance.reset));
    }
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'",
        ));
    // What is answered to one person is nobody else's, and is old the moment after.
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}

/// Rounded up, so that who waits so long has waited long enough.
fn whole_seconds(span: Duration) -> HeaderValue {
    span.as_millis()
        .div_ceil(1_000)
        .max(1)
        .to_string()
        .parse()
        .expect("digits make a header")
}

/// A client may invent methods; metrics have few names.
fn label(method: &Method) -> &str {
    let is_known = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ]
    .contains(method);
    if is_known { method.as_str() } else { "other" }
}

fn record(method: &Method, route: &str, status: StatusCode, started: Instant) {
    let took = started.elapsed();
    let labels = [
        ("method", label(method).to_owned()),
        ("route", route.to_owned()),
        ("status", status.as_u16().to_string()),
    ];
    metrics::counter!("http_requests_total", &labels).increment(1);
    metrics::histogram!("http_request_duration_seconds", &labels[..2]).record(took.as_secs_f64());
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let status = status.as_u16();
    if matches!(route, "/livez" | "/readyz") && status == 200 {
        // Asked every few seconds by machines; only a bad answer is news.
        tracing::debug!(%method, route, status, duration_ms, "request answered");
    } else {
        tracing::info!(%method, route, status, duration_ms, "request answered");
    }
}

/// Lets pages of the allowed origins ask from a browser. Our own page needs no leave.
pub(crate) fn cors(settings: &Settings) -> Option<CorsLayer> {
    if settings.origins.is_empty() {
        return None;
    }
    let origins = settings.origins.iter().map(|url| origin_of(url));
    let origins = origins.filter_map(|origin| HeaderValue::from_str(origin).ok());
    let exposed = [
        "retry-after",
        "ratelimit-limit",
        "ratelimit-remaining",
        "ratelimit-reset",
        "x-request-id",
    ];
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_credentials(true)
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static("x-csrf-token"),
            REQUEST_ID,
        ])
        .expose_headers(exposed.map(HeaderName::from_static))
        .max_age(Duration::from_secs(600));
    Some(cors)
}
