//! People: the caller's own account, and others as the caller sees them.

use axum::{Json, extract::State};
use protocol::{
    accounts::{ChangeProfile, FindUsers, Me, ProfileBody, User, UserList, UsersQuery},
    audit::AuditAction,
    frame::PresenceState,
};
use serde_json::json;
use shared::App;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    caller::Authenticated,
    error::Result,
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
/// What is left out stays, `null` empties.
#[utoipa::path(patch, path = "/v1/users/me", tag = "users", request_body = Option<ProfileBody>, responses(
    (status = 200, description = "the caller's account as it is now", body = Me),
))]
async fn change(
    State(app): State<App>,
    caller: Authenticated,
    Valid(change): Valid<ChangeProfile>,
) -> Result<Json<Me>> {
    let me = app.store.change_profile(caller.user.id, &change).await?;
    app.audit(&*caller, AuditAction::ProfileChange, None, json!({}))
        .await;
    Ok(Json(app.with_rights(me)))
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
