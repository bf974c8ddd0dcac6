//! What became of a message: who has read it, and what it said before.

use axum::{Json, extract::State};
use protocol::marks::{FindReceipts, ReceiptList, ReceiptsQuery, VersionList};
use shared::{App, marks};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    caller::Authenticated,
    error::Result,
    input::{InRoom, MessageInRoom, Path, Query},
};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(receipts))
        .routes(routes!(versions))
}

/// Who has read up to a message
///
/// Who hides it (`shows_reads`) is left out.
#[utoipa::path(get, path = "/v1/rooms/{room}/receipts", tag = "messages", params(InRoom, ReceiptsQuery),
    responses(
    (status = 200, description = "those whose mark is there or further on", body = ReceiptList),
    (status = 403, description = "`not_a_member`"),
    (status = 404, description = "`room_not_found`"),
))]
async fn receipts(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<InRoom>,
    Query(wanted): Query<FindReceipts>,
) -> Result<Json<ReceiptList>> {
    Ok(Json(
        marks::receipts(&app, &caller, at.room, &wanted).await?,
    ))
}

/// What a message said before
///
/// Oldest first; the text that it has now is not among them, and a deleted message has none.
#[utoipa::path(get, path = "/v1/rooms/{room}/messages/{seq}/history", tag = "messages",
    params(MessageInRoom), responses(
    (status = 200, description = "the earlier texts", body = VersionList),
    (status = 403, description = "`not_a_member`"),
    (status = 404, description = "`room_not_found`, `message_not_found`"),
))]
async fn versions(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<MessageInRoom>,
) -> Result<Json<VersionList>> {
    Ok(Json(VersionList {
        versions: marks::versions(&app, &caller, at.room, at.seq).await?,
    }))
}
