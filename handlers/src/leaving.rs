//! Taking along what is kept of one, and leaving for good.

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use protocol::{
    accounts::{CloseAccount, CloseAccountBody},
    audit::AuditAction,
};
use serde_json::json;
use shared::{App, export::export, leaving};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{caller::Authenticated, cookies, error::Result, input::Valid};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(take_along))
        .routes(routes!(close))
}

/// Take along what is kept of the caller
///
/// Account, rooms, messages, reactions and files, as one zip that is put together as it is read.
#[utoipa::path(get, path = "/v1/users/me/export", tag = "users", responses(
    (status = 200, description = "the zip", content_type = "application/zip", body = [u8]),
))]
async fn take_along(State(app): State<App>, caller: Authenticated) -> Result<Response> {
    let (rate, bucket) = (
        app.settings.rates.export,
        format!("export:{}", caller.user.id),
    );
    caller.allowances.take(&app, rate, &bucket).await?;
    app.audit(&*caller, AuditAction::AccountExport, None, json!({}))
        .await;
    let headers = [
        (header::CONTENT_TYPE, "application/zip"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"chatx-export.zip\"",
        ),
        (header::CACHE_CONTROL, "no-store"),
    ]
    .map(|(name, value)| (name, HeaderValue::from_static(value)));
    let body = Body::from_stream(export(app, (*caller).clone()));
    Ok((headers, body).into_response())
}

/// Leave for good
///
/// The account is closed at once; what its person said is deleted soon after.
#[utoipa::path(delete, path = "/v1/users/me", tag = "users", request_body = Option<CloseAccountBody>, responses(
    (status = 202, description = "the account is closed; cookies are removed"),
    (status = 401, description = "`invalid_credentials`: another password, or none after more than 10 minutes"),
    (status = 409, description = "`conflict`: the password was changed at the same time"),
))]
async fn close(
    State(app): State<App>,
    caller: Authenticated,
    Valid(shown): Valid<CloseAccount>,
) -> Result<(StatusCode, HeaderMap)> {
    let tries = format!("login:{}", caller.user.id);
    caller
        .allowances
        .take(&app, app.settings.rates.login, &tries)
        .await?;
    leaving::close(&app, &caller, &shown).await?;
    let mut headers = HeaderMap::new();
    cookies::clear(&app.settings, &mut headers);
    Ok((StatusCode::ACCEPTED, headers))
}
