//! What only server admins see, and nobody changes: the audit log and the nodes.

use axum::{Json, extract::State};
use protocol::{
    audit::{AuditEntries, AuditQuery, AuditQueryBody},
    nodes::NodeList,
};
use shared::{App, admin};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{caller::Authenticated, error::Result, input::Query};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(audit))
        .routes(routes!(nodes))
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
    admin::check(&app, &caller).await?;
    Ok(Json(app.store.audit_entries(&wanted).await?))
}

/// See the coordinators
///
/// Those that live, those that are about to go, and for a day those that died.
#[utoipa::path(get, path = "/v1/admin/nodes", tag = "admin", responses(
    (status = 200, description = "every coordinator, by name", body = NodeList),
    (status = 403, description = "`forbidden`: the caller is no server admin"),
))]
async fn nodes(State(app): State<App>, caller: Authenticated) -> Result<Json<NodeList>> {
    admin::check(&app, &caller).await?;
    let nodes = app.cluster.nodes().await?;
    Ok(Json(NodeList { nodes }))
}
