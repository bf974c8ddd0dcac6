//! What machines ask a server about itself: whether it lives, whether it can work, and which keys
//! its tokens are signed with.

use axum::{Json, extract::State};
use serde::Serialize;
use shared::App;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::error::Result;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(livez))
        .routes(routes!(readyz))
        .routes(routes!(jwks))
}

/// How a server is.
#[derive(Serialize, ToSchema)]
struct Health {
    /// `ok`
    #[schema(example = "ok")]
    status: &'static str,
}

/// Whether the process lives
#[utoipa::path(get, path = "/livez", tag = "health", security(()), responses(
    (status = 200, description = "it does", body = Health),
))]
async fn livez() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Whether the server can work
///
/// 503 while its database is away.
#[utoipa::path(get, path = "/readyz", tag = "health", security(()), responses(
    (status = 200, description = "it can", body = Health),
))]
async fn readyz(State(app): State<App>) -> Result<Json<Health>> {
    app.store.check().await?;
    Ok(Json(Health { status: "ok" }))
}

/// Public keys of access tokens
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "health", security(()), responses(
    (status = 200, description = "a JSON Web Key Set", body = serde_json::Value),
))]
async fn jwks(State(app): State<App>) -> Result<Json<serde_json::Value>> {
    Ok(Json(app.keys().await?.jwks()))
}
