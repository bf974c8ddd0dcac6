//! Logging in by the word of somebody else: the way to a provider, and back to the page with a session or with the reason
//! why there is none. Which identities an account has is in `identities`.

use axum::{Json, extract::State};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use protocol::{
    ErrorCode,
    accounts::{Callback, ProviderList, Visit, VisitQuery},
    audit::AuditAction,
};
use serde::Deserialize;
use serde_json::json;
use shared::{
    App,
    oidc::{self, Linking},
    store::{Entered, NewSession, Vouched},
};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    caller::Stranger,
    cookies,
    error::{Error, Result},
    input::{Path, Query},
    tokens,
};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(providers))
        .routes(routes!(leave))
        .routes(routes!(come_back))
}

/// A path to a provider.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct OfProvider {
    /// The provider's id.
    #[param(max_length = 32, example = "example")]
    provider: String,
}

/// Where a browser is sent.
type Redirect = (StatusCode, HeaderMap, [(HeaderName, HeaderValue); 1]);

/// Who else says who one is
#[utoipa::path(get, path = "/v1/auth/providers", tag = "auth", security(()), responses(
    (status = 200, description = "those of the settings; often none", body = ProviderList),
))]
async fn providers(State(app): State<App>) -> Json<ProviderList> {
    Json(ProviderList {
        providers: app.oidc.list(),
    })
}

/// Go to a provider
///
/// For a browser, which comes back to `return_to` with the cookies of a session and `signed_in` in the query, or with
/// `sign_in_refused` and a code.
#[utoipa::path(get, path = "/v1/auth/oidc/{provider}", operation_id = "visit_provider", tag = "auth", security(()), params(OfProvider, VisitQuery), responses(
    (status = 303, description = "to the provider; back to the page with `sign_in_refused=unavailable` if it cannot be asked"),
    (status = 404, description = "`provider_not_found`"),
    (status = 429, description = "`rate_limited`: too many visits from this address"),
))]
async fn leave(
    State(app): State<App>,
    stranger: Stranger,
    Path(at): Path<OfProvider>,
    Query(wish): Query<Visit>,
) -> Result<Redirect> {
    let provider = app.oidc.provider(&at.provider)?;
    let rate = app.settings.rates.http;
    let key = format!("visit:{}", stranger.ip);
    stranger.allowances.take(&app, rate, &key).await?;
    let mut visit = oidc::Visit::new(provider.id, wish.return_to, app.clock.now());
    visit.device = wish
        .device
        .map_or_else(String::new, |device| device.as_str().to_owned());
    let mut headers = HeaderMap::new();
    let to = match app.oidc.url(&visit).await {
        Ok(url) => {
            cookies::set_visit(&app, &mut headers, &visit);
            url
        }
        Err(refusal) => refused(&visit.return_to, refusal.code),
    };
    redirect(headers, &to)
}

/// Come back from a provider
///
/// For a browser that a provider sends back.
#[utoipa::path(get, path = "/v1/auth/oidc/{provider}/callback", operation_id = "return_from_provider", tag = "auth", security(()), params(OfProvider,
    ("state" = Option<String>, Query, description = "What the visit is told by."),
    ("code" = Option<String>, Query, description = "What the provider tells more for, once."),
    ("error" = Option<String>, Query, description = "Why it does not."),
    ("iss" = Option<String>, Query, description = "Who answers."),
), responses(
    (status = 303, description = "back to the page: with cookies and `signed_in`, with `linked`, or with `sign_in_refused` and a code"),
    (status = 404, description = "`provider_not_found`"),
))]
async fn come_back(
    State(app): State<App>,
    stranger: Stranger,
    Path(at): Path<OfProvider>,
    Query(callback): Query<Callback>,
) -> Result<Redirect> {
    let provider = app.oidc.provider(&at.provider)?;
    let mut headers = HeaderMap::new();
    let sealed = cookies::cookie(&stranger.headers, cookies::VISIT);
    let visit = sealed.and_then(|text| oidc::Visit::open(text, &app.secrets, app.clock.now()));
    let Some(visit) = visit.filter(|visit| visit.provider == provider.id) else {
        cookies::clear_visit(&app.settings, &mut headers);
        return redirect(headers, &refused("/", ErrorCode::Forbidden));
    };
    let done = match visit.linking {
        Some(linking) => link(&app, &stranger, &visit, linking, &callback).await,
        None => enter(&app, &stranger, &visit, &callback, &mut headers).await,
    };
    let to = match done {
        Ok(how) => outcome(&visit.return_to, how, &provider.id),
        Err(Error(refusal)) => {
            let data = json!({ "provider": provider.id, "code": refusal.code });
            let user = visit.linking.map(|linking| linking.user);
            app.audit(stranger.by(user), AuditAction::LoginFailure, None, data)
                .await;
            refused(&visit.return_to, refusal.code)
        }
    };
    // It was good for one way back, however that ended.
    cookies::clear_visit(&app.settings, &mut headers);
    redirect(headers, &to)
}

/// What the query of the page says, and of whom or why.
const SIGNED_IN: &str = "signed_in";
const LINKED: &str = "linked";
const REFUSED: &str = "sign_in_refused";

/// Logs in whom the provider vouches for.
async fn enter(
    app: &App,
    stranger: &Stranger,
    visit: &oidc::Visit,
    callback: &Callback,
    headers: &mut HeaderMap,
) -> Result<&'static str> {
    let rate = app.settings.rates.login;
    let key = format!("login:{}", stranger.ip);
    stranger.allowances.take(app, rate, &key).await?;
    let vouched = app.oidc.vouched(visit, callback, &app.settings.limits);
    let vouched = vouched.await?;
    let session = new_session(app, stranger, visit);
    let to_verify = vouched
        .email
        .as_ref()
        .filter(|_| !vouched.is_email_verified);
    let mail = to_verify.map(|email| app.mail_to_verify(session.user, email));
    let entered = app
        .store
        .enter_by_identity(&vouched, &session, mail.as_ref());
    let (me, session, how) = entered.await?;
    if how == Entered::New && mail.is_some() {
        app.new_mail.notify_one();
    }
    let user = me.user.id;
    let (answered, _) = tokens::give(
        app,
        tokens::first_grant(me, &session),
        protocol::accounts::TokenPlace::Cookies,
    )
    .await?;
    *headers = answered;
    let by = || stranger.by(Some(user));
    let data = json!({ "provider": visit.provider });
    match how {
        Entered::New => app.audit(by(), AuditAction::Register, None, data).await,
        Entered::Linked => {
            note_linked(app, stranger, user, &vouched).await;
        }
        Entered::Known => {}
    }
    let data = json!({ "session": session.id, "provider": visit.provider });
    app.audit(by(), AuditAction::LoginSuccess, None, data).await;
    Ok(SIGNED_IN)
}

/// Adds whom the provider vouches for to the account that asked for it.
async fn link(
    app: &App,
    stranger: &Stranger,
    visit: &oidc::Visit,
    linking: Linking,
    callback: &Callback,
) -> Result<&'static str> {
    let Linking { user, session } = linking;
    let rate = app.settings.rates.login;
    let key = format!("login:{user}");
    stranger.allowances.take(app, rate, &key).await?;
    // Who has logged out everywhere meanwhile wants nothing added.
    if app.revocations.is_revoked(session).await? {
        return Err(ErrorCode::Unauthenticated.into());
    }
    let vouched = app.oidc.vouched(visit, callback, &app.settings.limits);
    let vouched = vouched.await?;
    let now = app.clock.now();
    app.store.link_identity(&vouched, user, now).await?;
    note_linked(app, stranger, user, &vouched).await;
    Ok(LINKED)
}

async fn note_linked(app: &App, stranger: &Stranger, user: protocol::UserId, vouched: &Vouched) {
    let (by, data) = (stranger.by(Some(user)), json!({ "issuer": vouched.issuer }));
    app.audit(by, AuditAction::IdentityLink, None, data).await;
}

/// The session of somebody who comes, as whom the store finds out; until then of an account that is new.
fn new_session(app: &App, stranger: &Stranger, visit: &oidc::Visit) -> NewSession {
    let at = app.clock.now();
    NewSession {
        id: app.clock.id(),
        user: app.clock.id(),
        device: visit.device.clone(),
        ip: stranger.ip,
        at,
        expires_at: at.after(app.settings.refresh_token),
    }
}

/// The path of the page, with what became of the visit in its query.
fn outcome(return_to: &str, name: &str, value: &str) -> String {
    let (path, fragment) = match return_to.split_once('#') {
        Some((path, fragment)) => (path, format!("#{fragment}")),
        None => (return_to, String::new()),
    };
    let joint = if path.contains('?') { '&' } else { '?' };
    format!("{path}{joint}{name}={value}{fragment}")
}

fn refused(return_to: &str, code: ErrorCode) -> String {
    let word = json!(code);
    outcome(return_to, REFUSED, word.as_str().unwrap_or_default())
}

fn redirect(headers: HeaderMap, to: &str) -> Result<Redirect> {
    let to = HeaderValue::from_str(to).map_err(|_| Error::from(ErrorCode::Internal))?;
    Ok((StatusCode::SEE_OTHER, headers, [(header::LOCATION, to)]))
}
