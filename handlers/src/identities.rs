//! Accounts elsewhere that the caller may log in by: which there are, adding one, taking one away.

use axum::{Json, extract::State};
use http::{HeaderMap, StatusCode};
use protocol::{
    IdentityId,
    accounts::{IdentityList, LinkIdentity, LinkIdentityBody, LinkStarted},
    audit::AuditAction,
};
use serde::Deserialize;
use serde_json::json;
use shared::{
    App, identities,
    oidc::{Linking, Visit},
    proving::prove,
};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    caller::Authenticated,
    cookies,
    error::Result,
    input::{Path, Valid},
};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, begin))
        .routes(routes!(unlink))
}

/// A path to an identity.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct OfIdentity {
    /// The identity.
    identity: IdentityId,
}

/// The caller's identities
#[utoipa::path(get, path = "/v1/users/me/identities", operation_id = "identities", tag = "auth", responses(
    (status = 200, description = "the oldest first", body = IdentityList),
))]
async fn list(State(app): State<App>, caller: Authenticated) -> Result<Json<IdentityList>> {
    let identities = identities::of(&app, caller.user.id).await?;
    Ok(Json(IdentityList { identities }))
}

/// Begin to add an identity
///
/// For a page, which then sends its visitor to `url`. They come back to `return_to` with `linked` in the query, or with
/// `sign_in_refused` and a code.
#[utoipa::path(post, path = "/v1/users/me/identities", operation_id = "begin_identity", tag = "auth", request_body = LinkIdentityBody, responses(
    (status = 201, description = "where to go; with a cookie", body = LinkStarted),
    (status = 401, description = "`invalid_credentials`: another password, or none after more than 10 minutes"),
    (status = 404, description = "`provider_not_found`"),
))]
async fn begin(
    State(app): State<App>,
    caller: Authenticated,
    Valid(wish): Valid<LinkIdentity>,
) -> Result<(StatusCode, HeaderMap, Json<LinkStarted>)> {
    let provider = app.oidc.provider(&wish.provider)?;
    let tries = format!("login:{}", caller.user.id);
    caller
        .allowances
        .take(&app, app.settings.rates.login, &tries)
        .await?;
    prove(&app, &caller, wish.password.as_ref()).await?;
    let mut visit = Visit::new(provider.id, wish.return_to, app.clock.now());
    visit.linking = Some(Linking {
        user: caller.user.id,
        session: caller.session,
    });
    let url = app.oidc.url(&visit).await?;
    let mut headers = HeaderMap::new();
    cookies::set_visit(&app, &mut headers, &visit);
    Ok((StatusCode::CREATED, headers, Json(LinkStarted { url })))
}

/// Take an identity away
#[utoipa::path(delete, path = "/v1/users/me/identities/{identity}", operation_id = "unlink_identity", tag = "auth", params(OfIdentity), responses(
    (status = 204, description = "it opens this account no more"),
    (status = 404, description = "`identity_not_found`"),
    (status = 409, description = "`last_way_in`: there is no password, and no other identity"),
))]
async fn unlink(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<OfIdentity>,
) -> Result<StatusCode> {
    let issuers = app.oidc.issuers();
    let unlinked = app
        .store
        .unlink_identity(caller.user.id, at.identity, &issuers)
        .await?;
    let data = json!({ "issuer": unlinked });
    app.audit(&*caller, AuditAction::IdentityUnlink, None, data)
        .await;
    Ok(StatusCode::NO_CONTENT)
}
