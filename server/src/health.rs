//! How a process is: `/livez` and `/readyz` of one that serves no HTTP API, and the word that a process
//! is not ready which is to stop, or which the other nodes do not count.

use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
    routing::get,
};
use http::StatusCode;
use shared::{Store, cluster::Cluster};
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

/// `router`, but not ready from `stop` on, nor while the other nodes do not count this one: a balancer
/// should look elsewhere at once.
pub fn ready_in(cluster: Cluster, stop: CancellationToken, router: Router) -> Router {
    router.layer(from_fn_with_state((cluster, stop), refuse_unready))
}

async fn refuse_unready(
    State((cluster, stop)): State<(Cluster, CancellationToken)>,
    request: Request,
    next: Next,
) -> Response {
    if request.uri().path() != "/readyz" {
        return next.run(request).await;
    }
    if stop.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping").into_response();
    }
    match cluster.check() {
        Ok(()) => next.run(request).await,
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why.to_string()).into_response(),
    }
}
