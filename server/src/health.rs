//! How a process is: `/livez` and `/readyz` of one that serves no HTTP API, and the word that a process
//! which is to stop is not ready.

use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
    routing::get,
};
use http::StatusCode;
use shared::Store;
use tokio_util::sync::CancellationToken;

/// The routes, for a process that has none of its own.
pub fn router(store: Store) -> Router {
    Router::new()
        .route("/livez", get(async || "ok"))
        .route("/readyz", get(ready))
        .with_state(store)
}

async fn ready(State(store): State<Store>) -> (StatusCode, &'static str) {
    match store.check().await {
        Ok(()) => (StatusCode::OK, "ok"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database is away"),
    }
}

/// `router`, but not ready from `stop` on: a balancer should look elsewhere at once.
pub fn ready_until(stop: CancellationToken, router: Router) -> Router {
    router.layer(from_fn_with_state(stop, refuse_after))
}

async fn refuse_after(
    State(stop): State<CancellationToken>,
    request: Request,
    next: Next,
) -> Response {
    if stop.is_cancelled() && request.uri().path() == "/readyz" {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping").into_response();
    }
    next.run(request).await
}
