//! Conversations of named people, and whom the caller keeps out of them.

use axum::{Json, extract::State};
use http::StatusCode;
use protocol::{
    direct::{BlockList, DirectBody, OpenDirect},
    rooms::Room,
};
use shared::{App, direct};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    caller::Authenticated,
    error::Result,
    input::{OfUser, Path, Valid},
};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(open))
        .routes(routes!(blocks))
        .routes(routes!(block, unblock))
}

/// Open a direct conversation
///
/// The caller's and of the people named, 2 to 10 in all. A set of people has one: asked for again, by whom
/// ever of them, it is the same, and who left it is in it again.
#[utoipa::path(post, path = "/v1/dms", tag = "rooms", request_body = DirectBody, responses(
    (status = 201, description = "the conversation, which is new", body = Room),
    (status = 200, description = "the conversation, which was there", body = Room),
    (status = 403, description = "`blocked`: the caller blocks one of them, or is blocked"),
    (status = 404, description = "`user_not_found`"),
))]
async fn open(
    State(app): State<App>,
    caller: Authenticated,
    Valid(wish): Valid<OpenDirect>,
) -> Result<(StatusCode, Json<Room>)> {
    let direct = direct::open(&app, &caller, wish).await?;
    let status = if direct.is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(direct.room)))
}

/// Whom the caller blocks
///
/// The latest first.
#[utoipa::path(get, path = "/v1/users/me/blocks", tag = "users", responses(
    (status = 200, description = "the blocks", body = BlockList),
))]
async fn blocks(State(app): State<App>, caller: Authenticated) -> Result<Json<BlockList>> {
    Ok(Json(BlockList {
        blocks: direct::blocks(&app, &caller).await?,
    }))
}

/// Block somebody
///
/// Neither opens a conversation with the other any longer, nor writes in that of the two; what they
/// write elsewhere calls the caller no more.
#[utoipa::path(put, path = "/v1/users/me/blocks/{user}", tag = "users", params(OfUser), responses(
    (status = 204, description = "they are blocked"),
    (status = 404, description = "`user_not_found`"),
    (status = 409, description = "`conflict`: it is the caller"),
))]
async fn block(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<OfUser>,
) -> Result<StatusCode> {
    direct::block(&app, &caller, at.user).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Block somebody no longer
#[utoipa::path(delete, path = "/v1/users/me/blocks/{user}", tag = "users", params(OfUser), responses(
    (status = 204, description = "they are not blocked"),
))]
async fn unblock(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<OfUser>,
) -> Result<StatusCode> {
    direct::unblock(&app, &caller, at.user).await?;
    Ok(StatusCode::NO_CONTENT)
}
