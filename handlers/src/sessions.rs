//! Sessions: where one is logged in, and ending that.

use axum::{Json, extract::State};
use http::StatusCode;
use protocol::{accounts::SessionList, audit::AuditAction};
use serde_json::json;
use shared::App;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    caller::Authenticated,
    error::Result,
    input::{OfSession, Path},
};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, revoke_others))
        .routes(routes!(revoke))
}

/// The caller's sessions
///
/// The one used last first.
#[utoipa::path(get, path = "/v1/auth/sessions", tag = "sessions", responses(
    (status = 200, description = "every session that stands", body = SessionList),
))]
async fn list(State(app): State<App>, caller: Authenticated) -> Result<Json<SessionList>> {
    let sessions = app
        .store
        .sessions(caller.user.id, caller.session, app.clock.now())
        .await?;
    Ok(Json(SessionList { sessions }))
}

/// End every other session
#[utoipa::path(delete, path = "/v1/auth/sessions", tag = "sessions", responses(
    (status = 204, description = "only the one that asks is left"),
))]
async fn revoke_others(State(app): State<App>, caller: Authenticated) -> Result<StatusCode> {
    let revoked = app
        .store
        .revoke_other_sessions(caller.user.id, caller.session)
        .await?;
    app.revocations.spread(&revoked).await;
    let count = revoked.len();
    app.audit(
        &*caller,
        AuditAction::SessionRevoke,
        None,
        json!({ "sessions": count }),
    )
    .await;
    Ok(StatusCode::NO_CONTENT)
}

/// End a session
///
/// Its sockets close.
#[utoipa::path(delete, path = "/v1/auth/sessions/{session}", tag = "sessions", params(OfSession), responses(
    (status = 204, description = "it is over"),
    (status = 404, description = "`session_not_found`"),
))]
async fn revoke(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<OfSession>,
) -> Result<StatusCode> {
    app.store.revoke_session(caller.user.id, at.session).await?;
    app.revocations.spread(&[at.session]).await;
    let session = Some(at.session.to_string());
    app.audit(&*caller, AuditAction::SessionRevoke, session, json!({}))
        .await;
    Ok(StatusCode::NO_CONTENT)
}
