//! Hooks: ways into a room for tools that can only post, and what they post.

use axum::{Json, extract::State};
use http::{HeaderMap, StatusCode};
use protocol::{
    HookId, RoomId,
    hooks::{FreshHook, HookBody, HookList, NewHook, Post, Posted},
};
use serde::Deserialize;
use shared::{App, hooks};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    caller::{Authenticated, Stranger},
    error::Result,
    input::{InRoom, Lenient, Path, Valid},
    messages::{Sent, named},
};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(delete))
        .routes(routes!(post))
}

/// A path to a hook.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct HookInRoom {
    /// The room.
    room: RoomId,
    /// The hook.
    hook: HookId,
}

/// What the url of a hook ends with.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct ByToken {
    /// The secret.
    token: String,
}

/// The hooks of a room
///
/// For its admins and owner.
#[utoipa::path(get, path = "/v1/rooms/{room}/hooks", tag = "hooks", params(InRoom), responses(
    (status = 200, description = "the hooks", body = HookList),
    (status = 403, description = "`forbidden`, `not_a_member`"),
    (status = 404, description = "`room_not_found`"),
))]
async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<InRoom>,
) -> Result<Json<HookList>> {
    Ok(Json(HookList {
        hooks: hooks::list(&app, &caller, at.room).await?,
    }))
}

/// Make a hook
///
/// Who knows its url posts into the room, as a bot of the hook's own. The url is shown this once.
#[utoipa::path(post, path = "/v1/rooms/{room}/hooks", tag = "hooks", params(InRoom),
    request_body = HookBody, responses(
    (status = 201, description = "the hook", body = FreshHook),
    (status = 403, description = "`forbidden`, `not_a_member`, `archived`"),
    (status = 404, description = "`room_not_found`"),
    (status = 409, description = "`room_full`, `conflict`: a room has 50 at most"),
))]
async fn create(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<InRoom>,
    Valid(new): Valid<NewHook>,
) -> Result<(StatusCode, Json<FreshHook>)> {
    Ok((
        StatusCode::CREATED,
        Json(hooks::create(&app, &caller, at.room, &new).await?),
    ))
}

/// Take a hook away
///
/// Its url leads nowhere from then on, and its bot leaves the room.
#[utoipa::path(delete, path = "/v1/rooms/{room}/hooks/{hook}", tag = "hooks", params(HookInRoom),
    responses(
    (status = 204, description = "there is no such hook any more"),
    (status = 403, description = "`forbidden`, `not_a_member`"),
    (status = 404, description = "`room_not_found`, `hook_not_found`"),
))]
async fn delete(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<HookInRoom>,
) -> Result<StatusCode> {
    hooks::delete(&app, &caller, at.room, at.hook).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Post through a hook
///
/// The url is the proof. Fields that are not told here are passed over, so that what tools send to
/// others is taken as well.
#[utoipa::path(post, path = "/v1/hooks/{token}", tag = "hooks", security(()),
    params(ByToken, ("Idempotency-Key" = Option<String>, Header, max_length = 64,
        pattern = "^[ -~]+$", description = "In place of `client_id`.")),
    request_body = Posted, responses(
    (status = 201, description = "the message is stored", body = Sent),
    (status = 200, description = "the message was stored before", body = Sent),
    (status = 403, description = "`not_a_member`, `muted`, `slow_mode`, `archived`, `banned`"),
    (status = 404, description = "`hook_not_found`, `room_not_found`"),
    (status = 429, description = "`rate_limited`"),
))]
async fn post(
    State(app): State<App>,
    stranger: Stranger,
    Path(by): Path<ByToken>,
    headers: HeaderMap,
    Lenient(mut new): Lenient<Post>,
) -> Result<(StatusCode, Json<Sent>)> {
    let bucket = format!("hook:{}", stranger.ip);
    stranger
        .allowances
        .take(&app, app.settings.rates.http, &bucket)
        .await?;
    new.client_id = named(new.client_id, &headers)?;
    let (ip, request_id) = (stranger.ip, stranger.request_id);
    let sent = hooks::post(&app, &by.token, ip, request_id, new).await?;
    Ok(Sent::answer(sent))
}
