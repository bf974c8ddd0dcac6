//! What happens around every request, whichever handler answers it: it gets an id, its answer gets
//! headers, and one line of the log and two metrics tell of it.

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use shared::App;
use tokio::time::Instant;
use tracing::{Instrument, field::Empty};

use crate::{allowances::Allowances, error, headers};

/// The header that carries a request's id, in both directions.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names a request in answers, logs and the audit log. A client may bring its own.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) String);

enum OfRequest {}

/// The middleware.
pub(crate) async fn accompany(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let brought = brought_id(request.headers());
    let id = brought.unwrap_or_else(|| app.clock.id::<OfRequest>().to_string());
    let allowances = Allowances::default();
    let method = request.method().clone();
    let route = route(&request);
    request.extensions_mut().insert(RequestId(id.clone()));
    request.extensions_mut().insert(allowances.clone());

    let span = tracing::info_span!("request", request.id = id, user.id = Empty);
    async {
        let mut response = error::written(next.run(request).await, &id);
        let headers = response.headers_mut();
        headers.insert(
            REQUEST_ID,
            HeaderValue::from_str(&id).expect("an id is plain"),
        );
        allowances.tell(headers);
        headers::protect(headers);
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
    let is_fit = (1..=64).contains(&id.len()) && id.bytes().all(is_plain);
    is_fit.then(|| id.to_owned())
}

/// The path as the table has it, so that metrics have few names.
fn route(request: &Request) -> String {
    let matched = request.extensions().get::<MatchedPath>();
    matched.map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned())
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

/// A client may invent methods; metrics have few names.
fn label(method: &Method) -> &str {
    let known = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ];
    if known.contains(method) {
        method.as_str()
    } else {
        "other"
    }
}
