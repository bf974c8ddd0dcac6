//! Headers that every answer has, and those that let pages of other origins ask.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use shared::{Settings, origin::origin_of};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::request::REQUEST_ID;

/// Keeps an answer from being taken for something else, framed, or kept. A handler that serves a page
/// says more about what it may run.
pub(crate) fn protect(headers: &mut HeaderMap) {
    let word = HeaderValue::from_static;
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, word("nosniff"));
    headers.insert(header::REFERRER_POLICY, word("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, word("DENY"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(word("default-src 'none'; frame-ancestors 'none'"));
    // What is answered to one person is nobody else's, and is old the moment after.
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(word("no-store"));
}

/// Rounded up, so that who waits so long has waited long enough.
pub(crate) fn whole_seconds(span: Duration) -> HeaderValue {
    let seconds = span.as_millis().div_ceil(1_000).max(1);
    HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX))
}

/// Lets pages of the allowed origins ask from a browser. Our own page needs no leave.
pub(crate) fn cors(settings: &Settings) -> Option<CorsLayer> {
    if settings.origins.is_empty() {
        return None;
    }
    let origins = settings.origins.iter().map(|url| origin_of(url));
    let origins = origins.filter_map(|origin| HeaderValue::from_str(origin).ok());
    let exposed = [
        "content-disposition",
        "content-range",
        "etag",
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
