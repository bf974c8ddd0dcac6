//! Proving who one is: accounts are made, passwords checked and changed, tokens given out and
//! renewed. Which sessions there are is in `sessions`.

use axum::{Json, extract::State};
use http::{HeaderMap, StatusCode};
use protocol::{
    ErrorCode, Fields, Violation,
    accounts::{
        ChangePassword, CookieQuery, CsrfToken, Login, LoginBody, LoginName, Me, PasswordBody,
        Refresh, RefreshBody, Register, RegisterBody, SecondFactor, SignedIn, TokenPlace,
    },
    audit::AuditAction,
};
use serde_json::json;
use shared::{
    App, Refusal, passwords,
    store::{Credentials, NewAccount, NewSession, Rotate, Rotation},
    token::RefreshToken,
    totp::proof,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    caller::{Authenticated, Stranger},
    cookies,
    error::{Error, Result},
    input::{Query, Valid},
    tokens::{self, Answer},
};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(login))
        .routes(routes!(refresh))
        .routes(routes!(logout))
        .routes(routes!(change_password))
        .routes(routes!(csrf))
}

/// Make an account
///
/// And log into it.
#[utoipa::path(post, path = "/v1/auth/register", tag = "auth", security(()), params(CookieQuery),
    request_body = RegisterBody, responses(
    (status = 201, description = "the account, and its first tokens", body = SignedIn),
    (status = 403, description = "`csrf`: cookies were asked for by a page of another site"),
    (status = 409, description = "`username_taken`, `email_taken`"),
    (status = 429, description = "`rate_limited`: too many accounts from this address"),
))]
async fn register(
    State(app): State<App>,
    stranger: Stranger,
    Query(place): Query<TokenPlace>,
    Valid(new): Valid<Register>,
) -> Result<(StatusCode, Answer)> {
    tokens::check_origin(&app, place, &stranger.headers)?;
    if passwords::is_common(&new.password) {
        return Err(Fields::one("password", Violation::TooCommon).into());
    }
    let rate = app.settings.rates.register;
    stranger
        .allowances
        .take(&app, rate, &format!("register:{}", stranger.ip))
        .await?;
    let username = new.username.as_str().to_owned();
    let display_name = new
        .display_name
        .as_ref()
        .map_or(username.as_str(), |name| name.as_str())
        .to_owned();
    let account = NewAccount {
        id: app.clock.id(),
        username,
        email: new.email.as_str().to_owned(),
        display_name,
        password_hash: app.passwords.hash(new.password.as_str()).await?,
        at: app.clock.now(),
    };
    let session = new_session(&app, account.id, String::new(), &stranger);
    let mail = app.mail_to_verify(account.id, &new.email);
    let me = app
        .store
        .create_account_and_write(&account, &session, Some(&mail))
        .await?;
    app.new_mail.notify_one();
    let grant = tokens::first_grant(me, &session);
    let answer = tokens::give(&app, grant, place).await?;
    app.audit(
        stranger.by(Some(account.id)),
        AuditAction::Register,
        None,
        json!({}),
    )
    .await;
    Ok((StatusCode::CREATED, answer))
}

/// Log in
///
/// By username or email address. An unknown one takes as long, and answers the same, as a wrong password.
#[utoipa::path(post, path = "/v1/auth/login", tag = "auth", security(()), params(CookieQuery),
    request_body = LoginBody, responses(
    (status = 200, description = "the account, and tokens of a new session", body = SignedIn),
    (status = 401, description = "`invalid_credentials`; `totp_required`: the password is right, and `totp` is missing; `wrong_totp`"),
    (status = 403, description = "`suspended`: a server admin keeps the account out; `csrf`: cookies were asked for by a page of another site"),
    (status = 429, description = "`rate_limited`: too many tries on this account or from this address"),
))]
async fn login(
    State(app): State<App>,
    stranger: Stranger,
    Query(place): Query<TokenPlace>,
    Valid(login): Valid<Login>,
) -> Result<Answer> {
    tokens::check_origin(&app, place, &stranger.headers)?;
    let rate = app.settings.rates.login;
    stranger
        .allowances
        .take(&app, rate, &format!("login:{}", stranger.ip))
        .await?;
    let known = app.store.credentials(&login.login).await?;
    stranger
        .allowances
        .take(&app, rate, &account_key(&login.login, known.as_ref()))
        .await?;

    let hash = known
        .as_ref()
        .and_then(|known| known.password_hash.as_deref());
    let is_right = app.passwords.verify(login.password.as_str(), hash).await?;
    let Some(known) = known.as_ref().filter(|_| is_right) else {
        let user = known.map(|known| known.user.id.to_string());
        app.audit(
            stranger.by(None),
            AuditAction::LoginFailure,
            user,
            json!({}),
        )
        .await;
        return Err(ErrorCode::InvalidCredentials.into());
    };
    // Only who knows the password learns of it.
    if known.is_suspended {
        let user = Some(known.user.id.to_string());
        let by = stranger.by(None);
        app.audit(by, AuditAction::LoginFailure, user, json!({}))
            .await;
        return Err(ErrorCode::Suspended.into());
    }
    let device = login
        .device
        .as_ref()
        .map_or("", |device| device.as_str())
        .to_owned();
    let session = new_session(&app, known.user.id, device, &stranger);
    let entered = enter(&app, known, login.totp.as_ref(), &session).await;
    if let Err(Error(refusal)) = &entered
        && refusal.code == ErrorCode::WrongTotp
    {
        let user = Some(known.user.id.to_string());
        let data = json!({ "totp": true });
        app.audit(stranger.by(None), AuditAction::LoginFailure, user, data)
            .await;
    }
    let me = entered?;
    let grant = tokens::first_grant(me, &session);
    let answer = tokens::give(&app, grant, place).await?;
    let by = stranger.by(Some(known.user.id));
    app.audit(
        by,
        AuditAction::LoginSuccess,
        None,
        json!({ "session": session.id }),
    )
    .await;
    Ok(answer)
}

/// Makes the session of somebody whose password is right, once their code is, if they have one.
async fn enter(
    app: &App,
    known: &Credentials,
    shown: Option<&SecondFactor>,
    session: &NewSession,
) -> Result<Me> {
    let user = known.user.id;
    let proof = match (&known.totp, shown) {
        (Some(kept), Some(shown)) => {
            let proof = proof(user, shown, kept, session.at, &app.secrets);
            Some(proof.ok_or(ErrorCode::WrongTotp)?)
        }
        (Some(_), None) => return Err(ErrorCode::TotpRequired.into()),
        (None, _) => None,
    };
    let seen = known.password_hash.as_deref().unwrap_or_default();
    let made = app
        .store
        .create_guarded_session(session, seen, proof.as_ref());
    Ok(made.await?)
}

/// What tries on one account are counted by: the same for its username and its address.
fn account_key(login: &LoginName, known: Option<&Credentials>) -> String {
    match (known, login) {
        (Some(known), _) => format!("login:{}", known.user.id),
        (None, LoginName::Username(username)) => format!("login:name:{username}"),
        (None, LoginName::Email(email)) => format!("login:mail:{}", email.as_str()),
        (None, LoginName::Nobody) => "login:nobody".to_owned(),
    }
}

fn new_session(
    app: &App,
    user: protocol::UserId,
    device: String,
    stranger: &Stranger,
) -> NewSession {
    let at = app.clock.now();
    let expires_at = at.after(app.settings.refresh_token);
    NewSession {
        id: app.clock.id(),
        user,
        device,
        ip: stranger.ip,
        at,
        expires_at,
    }
}

/// Renew the tokens
///
/// With the refresh token in the body, or in its cookie. It is used up: shown again within 15
/// seconds it gets the same new pair, later it revokes its whole session.
#[utoipa::path(post, path = "/v1/auth/refresh", tag = "auth", security(()), params(CookieQuery),
    request_body = Option<RefreshBody>, responses(
    (status = 200, description = "the account, and the next tokens", body = SignedIn),
    (status = 401, description = "`unauthenticated`: the token is not, or no longer, good"),
    (status = 403, description = "`csrf`: the cookie came without its token or from another site"),
    (status = 429, description = "`rate_limited`"),
))]
async fn refresh(
    State(app): State<App>,
    stranger: Stranger,
    Query(place): Query<TokenPlace>,
    Valid(shown): Valid<Refresh>,
) -> Result<Answer> {
    let in_cookie = cookies::cookie(&stranger.headers, cookies::REFRESH);
    let text = shown.refresh_token.as_deref().or(in_cookie);
    let token = text.and_then(|text| RefreshToken::parse(text, &app.secrets));
    let token = token.ok_or(ErrorCode::Unauthenticated)?;
    if shown.refresh_token.is_none() {
        cookies::check_csrf(&app, &stranger.headers, token.session)?;
    } else {
        tokens::check_origin(&app, place, &stranger.headers)?;
    }
    let rate = app.settings.rates.http;
    stranger
        .allowances
        .take(&app, rate, &format!("refresh:{}", token.session))
        .await?;
    let now = app.clock.now();
    let rotate = Rotate {
        session: token.session,
        generation: token.generation,
        ip: stranger.ip,
        at: now,
        expires_at: now.after(app.settings.refresh_token),
    };
    match app.store.rotate_session(&rotate).await? {
        Rotation::Fresh(grant) => {
            let by = stranger.by(Some(grant.me.user.id));
            let answer = tokens::give(&app, grant, place).await?;
            app.audit(
                by,
                AuditAction::TokenRefresh,
                None,
                json!({ "session": token.session }),
            )
            .await;
            Ok(answer)
        }
        Rotation::Repeated(grant) => tokens::give(&app, grant, place).await,
        Rotation::Reused { user, session } => {
            app.revocations.spread(&[session]).await;
            let by = stranger.by(Some(user));
            app.audit(
                by,
                AuditAction::TokenReuse,
                Some(session.to_string()),
                json!({}),
            )
            .await;
            Err(ErrorCode::Unauthenticated.into())
        }
        Rotation::Gone => Err(ErrorCode::Unauthenticated.into()),
    }
}

/// Log out
///
/// The session is revoked, and its sockets close.
#[utoipa::path(post, path = "/v1/auth/logout", tag = "auth", responses(
    (status = 204, description = "the session is over; cookies are removed"),
))]
async fn logout(State(app): State<App>, caller: Authenticated) -> Result<(StatusCode, HeaderMap)> {
    match app
        .store
        .revoke_session(caller.user.id, caller.session)
        .await
        .map_err(Refusal::from)
    {
        // Another request did it at the same time.
        Err(refusal) if refusal.code == ErrorCode::SessionNotFound => {}
        revoked => revoked?,
    }
    app.revocations.spread(&[caller.session]).await;
    app.audit(&*caller, AuditAction::Logout, None, json!({}))
        .await;
    let mut headers = HeaderMap::new();
    cookies::clear(&app.settings, &mut headers);
    Ok((StatusCode::NO_CONTENT, headers))
}

/// Change the password
///
/// Every other session is revoked.
#[utoipa::path(post, path = "/v1/auth/password", tag = "auth", request_body = PasswordBody, responses(
    (status = 204, description = "it is changed"),
    (status = 401, description = "`invalid_credentials`: the current password is another one"),
    (status = 409, description = "`conflict`: it was changed by another request at the same time"),
))]
async fn change_password(
    State(app): State<App>,
    caller: Authenticated,
    Valid(change): Valid<ChangePassword>,
) -> Result<StatusCode> {
    if passwords::is_common(&change.new) {
        return Err(Fields::one("new", Violation::TooCommon).into());
    }
    let tries = format!("login:{}", caller.user.id);
    caller
        .allowances
        .take(&app, app.settings.rates.login, &tries)
        .await?;
    let known = app.store.credentials_of(caller.user.id).await?;
    let seen = known.password_hash.as_deref();
    if !app.passwords.verify(change.current.as_str(), seen).await? {
        return Err(ErrorCode::InvalidCredentials.into());
    }
    let new_hash = app.passwords.hash(change.new.as_str()).await?;
    let seen = seen.unwrap_or_default();
    let revoked = app
        .store
        .change_password(caller.user.id, seen, &new_hash, caller.session)
        .await?;
    app.revocations.spread(&revoked).await;
    app.audit(&*caller, AuditAction::PasswordChange, None, json!({}))
        .await;
    Ok(StatusCode::NO_CONTENT)
}

/// The csrf token
///
/// What a request made with a cookie carries in `X-CSRF-Token` when it changes something. It is the
/// session's, and as good as long.
#[utoipa::path(get, path = "/v1/auth/csrf", tag = "auth", responses(
    (status = 200, description = "the token", body = CsrfToken),
))]
async fn csrf(
    State(app): State<App>,
    headers: HeaderMap,
    caller: Result<Authenticated>,
) -> Result<Json<CsrfToken>> {
    let session = match caller {
        Ok(caller) => caller.session,
        // A page that wakes with an expired access token needs this for its refresh.
        Err(error) => tokens::session_in_cookie(&app, &headers).ok_or(error)?,
    };
    Ok(Json(CsrfToken {
        csrf_token: app.secrets.csrf_token(session),
    }))
}
