//! Bans: who may not come into a room.

use axum::{Json, extract::State};
use http::StatusCode;
use protocol::rooms::{BanBody, BanList, NewBan};
use shared::{App, rooms};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    caller::Authenticated,
    error::Result,
    input::{InRoom, Path, UserInRoom, Valid},
};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(ban, unban))
}

/// The bans of a room
///
/// Moderators see them.
#[utoipa::path(get, path = "/v1/rooms/{room}/bans", tag = "bans", params(InRoom), responses(
    (status = 200, description = "every ban that stands", body = BanList),
    (status = 403, description = "`forbidden`, `not_a_member`"),
    (status = 404, description = "`room_not_found`"),
))]
async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<InRoom>,
) -> Result<Json<BanList>> {
    Ok(Json(BanList {
        bans: rooms::bans(&app, &caller, at.room).await?,
    }))
}

/// Ban
///
/// Removes somebody of a lower role and keeps them out, member or not; again, it changes reason and end.
#[utoipa::path(put, path = "/v1/rooms/{room}/bans/{user}", tag = "bans", params(UserInRoom),
    request_body = Option<BanBody>, responses(
    (status = 204, description = "they are kept out"),
    (status = 403, description = "`forbidden`, `not_a_member`"),
    (status = 404, description = "`room_not_found`, `user_not_found`"),
))]
async fn ban(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<UserInRoom>,
    Valid(ban): Valid<NewBan>,
) -> Result<StatusCode> {
    rooms::ban(&app, &caller, at.room, at.user, &ban).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lift a ban
#[utoipa::path(delete, path = "/v1/rooms/{room}/bans/{user}", tag = "bans", params(UserInRoom),
    responses(
    (status = 204, description = "they may join again"),
    (status = 403, description = "`forbidden`, `not_a_member`"),
    (status = 404, description = "`room_not_found`, `ban_not_found`"),
))]
async fn unban(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<UserInRoom>,
) -> Result<StatusCode> {
    rooms::unban(&app, &caller, at.room, at.user).await?;
    Ok(StatusCode::NO_CONTENT)
}
