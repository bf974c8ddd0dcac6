//! Invites: the codes that let people into a room.

use axum::{Json, extract::State};
use http::StatusCode;
use protocol::{
    rooms::{Invite, InviteBody, InviteList, NewInvite},
    text::InviteCode,
};
use shared::{App, rooms};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    caller::Authenticated,
    error::{Error, Result},
    input::{InRoom, InviteInRoom, Path, Valid},
};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(delete))
}

/// The invites of a room
#[utoipa::path(get, path = "/v1/rooms/{room}/invites", tag = "invites", params(InRoom), responses(
    (status = 200, description = "the invites", body = InviteList),
    (status = 403, description = "`forbidden`, `not_a_member`"),
    (status = 404, description = "`room_not_found`"),
))]
async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<InRoom>,
) -> Result<Json<InviteList>> {
    Ok(Json(InviteList {
        invites: rooms::invites(&app, &caller, at.room).await?,
    }))
}

/// Make an invite
///
/// Members invite to public rooms, moderators to any.
#[utoipa::path(post, path = "/v1/rooms/{room}/invites", tag = "invites", params(InRoom),
    request_body = Option<InviteBody>, responses(
    (status = 201, description = "the invite", body = Invite),
    (status = 403, description = "`forbidden`, `not_a_member`, `archived`"),
    (status = 404, description = "`room_not_found`"),
))]
async fn create(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<InRoom>,
    Valid(new): Valid<NewInvite>,
) -> Result<(StatusCode, Json<Invite>)> {
    Ok((
        StatusCode::CREATED,
        Json(rooms::invite(&app, &caller, at.room, &new).await?),
    ))
}

/// Take an invite back
#[utoipa::path(delete, path = "/v1/rooms/{room}/invites/{code}", tag = "invites",
    params(InviteInRoom), responses(
    (status = 204, description = "nobody joins with it any more"),
    (status = 403, description = "`forbidden`, `not_a_member`"),
    (status = 404, description = "`room_not_found`, `invite_not_found`"),
))]
async fn delete(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<InviteInRoom>,
) -> Result<StatusCode> {
    let code = InviteCode::parse(at.code).map_err(|violation| Error::field("code", violation))?;
    rooms::delete_invite(&app, &caller, at.room, code.as_str()).await?;
    Ok(StatusCode::NO_CONTENT)
}
