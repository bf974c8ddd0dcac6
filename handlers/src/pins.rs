//! The pinned messages of a room.

use axum::{Json, extract::State};
use http::StatusCode;
use protocol::marks::PinList;
use shared::{App, marks};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    caller::Authenticated,
    error::Result,
    input::{InRoom, MessageInRoom, Path},
};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(pins))
        .routes(routes!(pin, unpin))
}

/// The pinned messages
///
/// The latest pin first.
#[utoipa::path(get, path = "/v1/rooms/{room}/pins", tag = "messages", params(InRoom), responses(
    (status = 200, description = "the pins", body = PinList),
    (status = 403, description = "`not_a_member`"),
    (status = 404, description = "`room_not_found`"),
))]
async fn pins(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<InRoom>,
) -> Result<Json<PinList>> {
    Ok(Json(PinList {
        pins: marks::pins(&app, &caller, at.room).await?,
    }))
}

/// Pin a message
///
/// For moderators; in a direct conversation for everybody. A room has at most 50 pins.
#[utoipa::path(put, path = "/v1/rooms/{room}/messages/{seq}/pin", tag = "messages", params(MessageInRoom),
    responses(
    (status = 204, description = "the message is pinned"),
    (status = 403, description = "`forbidden`, `not_a_member`, `archived`"),
    (status = 404, description = "`room_not_found`, `message_not_found`"),
    (status = 409, description = "`conflict`: the room has 50 pins already"),
))]
async fn pin(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<MessageInRoom>,
) -> Result<StatusCode> {
    marks::pin(&app, &caller, at.room, at.seq).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take a pin away
#[utoipa::path(delete, path = "/v1/rooms/{room}/messages/{seq}/pin", tag = "messages", params(MessageInRoom),
    responses(
    (status = 204, description = "the message is not pinned"),
    (status = 403, description = "`forbidden`, `not_a_member`, `archived`"),
    (status = 404, description = "`room_not_found`, `message_not_found`"),
))]
async fn unpin(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<MessageInRoom>,
) -> Result<StatusCode> {
    marks::unpin(&app, &caller, at.room, at.seq).await?;
    Ok(StatusCode::NO_CONTENT)
}
