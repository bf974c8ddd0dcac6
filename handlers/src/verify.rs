//! Showing that an address is one's own, by the link of a mail.

use axum::extract::State;
use http::StatusCode;
use protocol::{
    ErrorCode,
    accounts::{Verify, VerifyBody},
    audit::AuditAction,
    text::EmailAddress,
};
use serde_json::json;
use shared::{App, token::bearer::bearer_hash};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    caller::{Authenticated, Stranger},
    error::Result,
    input::Valid,
};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(verify))
        .routes(routes!(resend))
}

/// Verify the address
///
/// By the token of the mail that was sent there.
#[utoipa::path(post, path = "/v1/auth/verify", tag = "auth", security(()), request_body = VerifyBody, responses(
    (status = 204, description = "the address is verified"),
    (status = 404, description = "`link_not_found`: used, too old, or of an address that the account no longer has"),
    (status = 429, description = "`rate_limited`: too many tries from this address"),
))]
async fn verify(
    State(app): State<App>,
    stranger: Stranger,
    Valid(shown): Valid<Verify>,
) -> Result<StatusCode> {
    let rate = app.settings.rates.http;
    stranger
        .allowances
        .take(&app, rate, &format!("link:{}", stranger.ip))
        .await?;
    let hash = bearer_hash(&shown.token);
    let user = app.store.verify_email(&hash, app.clock.now()).await?;
    let by = stranger.by(Some(user));
    app.audit(by, AuditAction::EmailVerify, None, json!({}))
        .await;
    Ok(StatusCode::NO_CONTENT)
}

/// Mail the link again
#[utoipa::path(post, path = "/v1/auth/verify/resend", tag = "auth", responses(
    (status = 202, description = "another mail is on its way"),
    (status = 409, description = "`conflict`: the address is verified, or there is none"),
))]
async fn resend(State(app): State<App>, caller: Authenticated) -> Result<StatusCode> {
    let me = app.store.me(caller.user.id).await?;
    let limits = &app.settings.limits;
    let email = EmailAddress::parse(&me.email, limits).ok();
    let email = email
        .filter(|_| !me.email_verified)
        .ok_or(ErrorCode::Conflict)?;
    let key = format!("mail:{}", caller.user.id);
    let rate = app.settings.rates.mail;
    caller.allowances.take(&app, rate, &key).await?;
    let mail = app.mail_to_verify(caller.user.id, &email);
    app.store.put_mail(&mail).await?;
    app.new_mail.notify_one();
    Ok(StatusCode::ACCEPTED)
}
