//! Codes at login: turning them on and off, and the recovery codes.

use axum::{Json, extract::State};
use http::StatusCode;
use protocol::{
    ErrorCode,
    accounts::{
        BeginTotp, BeginTotpBody, ConfirmTotp, ConfirmTotpBody, NewTotp, RecoveryCodes,
        SecondFactor, ShowTotp, ShowTotpBody,
    },
    audit::AuditAction,
};
use serde_json::json;
use shared::{
    App,
    store::Proof,
    totp::{FreshCodes, Totp, proof},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{caller::Authenticated, error::Result, input::Valid};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(begin, end))
        .routes(routes!(confirm))
        .routes(routes!(renew))
}

/// Begin with an authenticator
///
/// Nothing asks for its codes before one of them is shown.
#[utoipa::path(post, path = "/v1/users/me/totp", operation_id = "begin_totp", tag = "auth", request_body = Option<BeginTotpBody>, responses(
    (status = 201, description = "what the authenticator is given", body = NewTotp),
    (status = 401, description = "`invalid_credentials`: the password is another one"),
    (status = 409, description = "`conflict`: codes are on"),
))]
async fn begin(
    State(app): State<App>,
    caller: Authenticated,
    Valid(wish): Valid<BeginTotp>,
) -> Result<(StatusCode, Json<NewTotp>)> {
    let user = caller.user.id;
    count_try(&app, &caller).await?;
    let known = app.store.credentials_of(user).await?;
    if let Some(hash) = known.password_hash.as_deref() {
        let tried = wish
            .password
            .as_ref()
            .map_or("", |password| password.as_str());
        if !app.passwords.verify(tried, Some(hash)).await? {
            return Err(ErrorCode::InvalidCredentials.into());
        }
    }
    let totp = Totp::fresh();
    app.store
        .begin_totp(user, &totp.sealed(user, &app.secrets))
        .await?;
    let new = NewTotp {
        secret: totp.text(),
        url: totp.url(&known.user.username),
    };
    Ok((StatusCode::CREATED, Json(new)))
}

/// Turn codes on
///
/// By a code of the authenticator.
#[utoipa::path(post, path = "/v1/users/me/totp/confirm", operation_id = "confirm_totp", tag = "auth", request_body = ConfirmTotpBody, responses(
    (status = 200, description = "codes are on; the recovery codes are told once", body = RecoveryCodes),
    (status = 401, description = "`wrong_totp`"),
    (status = 409, description = "`conflict`: none was begun, or codes are on"),
))]
async fn confirm(
    State(app): State<App>,
    caller: Authenticated,
    Valid(shown): Valid<ConfirmTotp>,
) -> Result<Json<RecoveryCodes>> {
    let user = caller.user.id;
    count_try(&app, &caller).await?;
    let kept = app.store.totp(user).await?;
    let kept = kept.filter(|kept| !kept.is_on).ok_or(ErrorCode::Conflict)?;
    let now = app.clock.now();
    let code = SecondFactor::Code(shown.code);
    let Some(Proof::Step(step)) = proof(user, &code, &kept, now, &app.secrets) else {
        return Err(ErrorCode::WrongTotp.into());
    };
    let codes = FreshCodes::new(user, &app.secrets);
    app.store
        .confirm_totp(user, &kept.sealed, step, &codes.hashes, now)
        .await?;
    app.audit(&*caller, AuditAction::TotpOn, None, json!({}))
        .await;
    Ok(Json(RecoveryCodes {
        recovery_codes: codes.texts,
    }))
}

/// Turn codes off
#[utoipa::path(delete, path = "/v1/users/me/totp", operation_id = "end_totp", tag = "auth", request_body = ShowTotpBody, responses(
    (status = 204, description = "codes are off"),
    (status = 401, description = "`wrong_totp`"),
    (status = 409, description = "`conflict`: codes are off"),
))]
async fn end(
    State(app): State<App>,
    caller: Authenticated,
    Valid(shown): Valid<ShowTotp>,
) -> Result<StatusCode> {
    let proof = proven(&app, &caller, &shown.totp).await?;
    app.store.end_totp(caller.user.id, &proof).await?;
    app.audit(&*caller, AuditAction::TotpOff, None, json!({}))
        .await;
    Ok(StatusCode::NO_CONTENT)
}

/// Make new recovery codes
///
/// Those before are void.
#[utoipa::path(post, path = "/v1/users/me/totp/codes", operation_id = "renew_recovery_codes", tag = "auth", request_body = ShowTotpBody, responses(
    (status = 200, description = "ten new ones, told once", body = RecoveryCodes),
    (status = 401, description = "`wrong_totp`"),
    (status = 409, description = "`conflict`: codes are off"),
))]
async fn renew(
    State(app): State<App>,
    caller: Authenticated,
    Valid(shown): Valid<ShowTotp>,
) -> Result<Json<RecoveryCodes>> {
    let user = caller.user.id;
    let proof = proven(&app, &caller, &shown.totp).await?;
    let codes = FreshCodes::new(user, &app.secrets);
    app.store
        .renew_recovery_codes(user, &proof, &codes.hashes)
        .await?;
    app.audit(&*caller, AuditAction::RecoveryCodes, None, json!({}))
        .await;
    Ok(Json(RecoveryCodes {
        recovery_codes: codes.texts,
    }))
}

async fn proven(app: &App, caller: &Authenticated, shown: &SecondFactor) -> Result<Proof> {
    count_try(app, caller).await?;
    let user = caller.user.id;
    let kept = app.store.totp(user).await?;
    let kept = kept.filter(|kept| kept.is_on).ok_or(ErrorCode::Conflict)?;
    let proof = proof(user, shown, &kept, app.clock.now(), &app.secrets);
    Ok(proof.ok_or(ErrorCode::WrongTotp)?)
}

/// A try here is one at the login, too: a code has only six digits.
async fn count_try(app: &App, caller: &Authenticated) -> Result<()> {
    let key = format!("login:{}", caller.user.id);
    let rate = app.settings.rates.login;
    caller.allowances.take(app, rate, &key).await
}
