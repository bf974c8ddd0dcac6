//! People: the caller's own account, and others as the caller sees them.

use axum::{Json, extract::State};
use protocol::{
    Violation,
    accounts::{ChangeProfile, FindUsers, Me, ProfileBody, User, UserList, UsersQuery},
    audit::AuditAction,
    frame::PresenceState,
    text::{EmailAddress, Password},
};
use serde_json::json;
use shared::{App, profiles, proving::prove, store::ChangeEmail};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    caller::Authenticated,
    error::{Error, Result},
    input::{OfUser, Path, Query, Valid},
};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(me, change))
        .routes(routes!(find))
        .routes(routes!(read))
}

/// The caller
#[utoipa::path(get, path = "/v1/users/me", tag = "users", responses(
    (status = 200, description = "the caller's account", body = Me),
))]
async fn me(State(app): State<App>, caller: Authenticated) -> Result<Json<Me>> {
    Ok(Json(app.with_rights(app.store.me(caller.user.id).await?)))
}

/// Change the profile
///
/// What is left out stays, `null` empties. Another address needs the password, and is to be verified.
#[utoipa::path(patch, path = "/v1/users/me", tag = "users", request_body = Option<ProfileBody>, responses(
    (status = 200, description = "the caller's account as it is now", body = Me),
    (status = 401, description = "`invalid_credentials`: another password, or none after more than 10 minutes"),
    (status = 409, description = "`email_taken`; `conflict`: the password was changed by another request at the same time"),
))]
async fn change(
    State(app): State<App>,
    caller: Authenticated,
    Valid(change): Valid<ChangeProfile>,
) -> Result<Json<Me>> {
    let email = match &change.email {
        Some(email) => other_address(&app, &caller, email, change.password.as_ref()).await?,
        None => None,
    };
    let me = app
        .store
        .change_account(caller.user.id, &change, email.as_ref())
        .await?;
    if email.is_some() {
        app.new_mail.notify_one();
        app.audit(&*caller, AuditAction::EmailChange, None, json!({}))
            .await;
    }
    app.audit(&*caller, AuditAction::ProfileChange, None, json!({}))
        .await;
    if change.display_name.is_some() || change.status.is_some() {
        profiles::tell(&app, &me.user).await;
    }
    Ok(Json(app.with_rights(me)))
}

/// What a wish for another address comes to; nothing, if it is the one that the account has.
async fn other_address(
    app: &App,
    caller: &Authenticated,
    email: &EmailAddress,
    password: Option<&Password>,
) -> Result<Option<ChangeEmail>> {
    let user = caller.user.id;
    let tries = format!("login:{user}");
    caller
        .allowances
        .take(app, app.settings.rates.login, &tries)
        .await?;
    let me = app.store.me(user).await?;
    if me.has_password && password.is_none() {
        return Err(Error::field("password", Violation::Required));
    }
    let seen = prove(app, caller, password).await?;
    if me.email == email.as_str() {
        return Ok(None);
    }
    let key = format!("mail:{user}");
    caller
        .allowances
        .take(app, app.settings.rates.mail, &key)
        .await?;
    let mut mails = vec![app.mail_to_verify(user, email)];
    if me.email_verified {
        mails.push(app.mail_to_former(&me.user.username, &me.email));
    }
    Ok(Some(ChangeEmail {
        seen,
        email: email.as_str().to_owned(),
        mails,
    }))
}

/// Find people
///
/// Those whose username or display name begins with `query`.
#[utoipa::path(get, path = "/v1/users", tag = "users", params(UsersQuery), responses(
    (status = 200, description = "the people", body = UserList),
))]
async fn find(
    State(app): State<App>,
    _: Authenticated,
    Query(wanted): Query<FindUsers>,
) -> Result<Json<UserList>> {
    let mut users = app.store.find_users(&wanted).await?;
    show_presence(&app, &mut users).await;
    Ok(Json(UserList { users }))
}

/// One person
#[utoipa::path(get, path = "/v1/users/{user}", tag = "users", params(OfUser), responses(
    (status = 200, description = "the person", body = User),
    (status = 404, description = "`user_not_found`"),
))]
async fn read(
    State(app): State<App>,
    _: Authenticated,
    Path(at): Path<OfUser>,
) -> Result<Json<User>> {
    let mut users = [app.store.user(at.user).await?];
    show_presence(&app, &mut users).await;
    let [user] = users;
    Ok(Json(user))
}

/// Adds how people are here, as far as that is known now.
async fn show_presence(app: &App, users: &mut [User]) {
    let ids: Vec<_> = users.iter().map(|user| user.id).collect();
    let states = app.presence.states(&ids).await;
    for user in users {
        user.presence = states.get(&user.id).copied().map(PresenceState::shown);
    }
}
