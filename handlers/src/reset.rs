//! Choosing a new password for a forgotten one, by the link of a mail.

use axum::extract::State;
use http::StatusCode;
use protocol::{
    Fields, Violation,
    accounts::{ConfirmReset, LoginName, Reset, ResetBody, ResetConfirmBody},
    audit::AuditAction,
};
use serde_json::json;
use shared::{App, passwords, token::bearer::bearer_hash};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{caller::Stranger, error::Result, input::Valid};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(ask))
        .routes(routes!(confirm))
}

/// Ask for a new password
///
/// If there is such an account, a mail is on its way to its address. Nobody learns here whether there is: the answer, and what is
/// done for it, are the same.
#[utoipa::path(post, path = "/v1/auth/reset", operation_id = "reset", tag = "auth", security(()), request_body = ResetBody, responses(
    (status = 202, description = "whoever that is or is not"),
    (status = 429, description = "`rate_limited`: too many mails for this account or from this address"),
))]
async fn ask(
    State(app): State<App>,
    stranger: Stranger,
    Valid(reset): Valid<Reset>,
) -> Result<StatusCode> {
    let rate = app.settings.rates.mail;
    let of_account = match &reset.login {
        LoginName::Username(username) => format!("reset:name:{username}"),
        LoginName::Email(email) => format!("reset:mail:{}", email.as_str()),
        LoginName::Nobody => "reset:nobody".to_owned(),
    };
    for key in [format!("reset:{}", stranger.ip), of_account] {
        stranger.allowances.take(&app, rate, &key).await?;
    }
    app.store.put_mail(&app.mail_to_reset(&reset.login)).await?;
    app.new_mail.notify_one();
    Ok(StatusCode::ACCEPTED)
}

/// Choose a new password
///
/// By the token of the mail. Every session is revoked.
#[utoipa::path(post, path = "/v1/auth/reset/confirm", operation_id = "confirm_reset", tag = "auth", security(()),
    request_body = ResetConfirmBody, responses(
    (status = 204, description = "it is the password from now on"),
    (status = 404, description = "`link_not_found`: used, too old, or of an address that the account no longer has"),
    (status = 429, description = "`rate_limited`: too many tries from this address"),
))]
async fn confirm(
    State(app): State<App>,
    stranger: Stranger,
    Valid(chosen): Valid<ConfirmReset>,
) -> Result<StatusCode> {
    if passwords::is_common(&chosen.new) {
        return Err(Fields::one("new", Violation::TooCommon).into());
    }
    let rate = app.settings.rates.login;
    let key = format!("confirm:{}", stranger.ip);
    stranger.allowances.take(&app, rate, &key).await?;
    let new_hash = app.passwords.hash(chosen.new.as_str()).await?;
    let hash = bearer_hash(&chosen.token);
    let now = app.clock.now();
    let (user, revoked) = app.store.reset_password(&hash, &new_hash, now).await?;
    app.revocations.spread(&revoked).await;
    let by = stranger.by(Some(user));
    app.audit(by, AuditAction::PasswordReset, None, json!({}))
        .await;
    Ok(StatusCode::NO_CONTENT)
}
