//! What only server admins see.

use axum::{Json, extract::State};
use protocol::{
    ErrorCode,
    audit::{AuditEntries, AuditQuery, AuditQueryBody},
};
use shared::App;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{caller::Authenticated, error::Result, input::Query};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(audit))
}

/// Read the audit log
///
/// Newest first, in pages.
#[utoipa::path(get, path = "/v1/admin/audit", tag = "admin", params(AuditQueryBody), responses(
    (status = 200, description = "a page of the audit log", body = AuditEntries),
    (status = 403, description = "`forbidden`: the caller is no server admin"),
))]
async fn audit(
    State(app): State<App>,
    caller: Authenticated,
    Query(wanted): Query<AuditQuery>,
) -> Result<Json<AuditEntries>> {
    if !caller.admin {
        return Err(ErrorCode::Forbidden.into());
    }
    Ok(Json(app.store.audit_entries(&wanted).await?))
}
