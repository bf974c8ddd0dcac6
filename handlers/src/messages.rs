//! Messages: read, written, edited and deleted over HTTP. Sockets have frames for the same.

use axum::{Json, extract::State};
use http::{HeaderMap, StatusCode};
use protocol::{
    Violation,
    messages::{Edit, EditBody, History, HistoryQuery, Message, MessageList, NewMessage, SendBody},
    text::ClientId,
};
use serde::Serialize;
use shared::{App, messages};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    caller::Authenticated,
    error::{Error, Result},
    input::{InRoom, MessageInRoom, Path, Query, Valid},
    search,
};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(history, send))
        .routes(routes!(read, edit, delete))
}

/// What is answered to who sent a message.
#[derive(Serialize, ToSchema)]
pub(crate) struct Sent {
    /// The message as it is stored.
    #[serde(flatten)]
    message: Message,
    /// Whether an earlier request with the same `client_id` had stored it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    duplicate: bool,
}

impl Sent {
    /// The answer for a message, and whether it was stored before.
    pub(crate) fn answer((message, duplicate): (Message, bool)) -> (StatusCode, Json<Self>) {
        let status = if duplicate {
            StatusCode::OK
        } else {
            StatusCode::CREATED
        };
        (status, Json(Self { message, duplicate }))
    }
}

/// Read messages
///
/// Oldest first. `before`, `after` and `around` are seqs, at most one of them; without any, the latest.
/// With `q`, those that a search would find; it counts as one.
#[utoipa::path(get, path = "/v1/rooms/{room}/messages", tag = "messages",
    params(InRoom, HistoryQuery), responses(
    (status = 200, description = "a stretch of the room's messages", body = MessageList),
    (status = 403, description = "`not_a_member`"),
    (status = 404, description = "`room_not_found`"),
))]
async fn history(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<InRoom>,
    Query(wanted): Query<History>,
) -> Result<Json<MessageList>> {
    if wanted.wanted.words.is_some() {
        search::take(&app, &caller).await?;
    }
    Ok(Json(
        messages::history(&app, &caller, at.room, &wanted).await?,
    ))
}

/// Send a message
///
/// It is stored when this answers. `client_id`, or the header `Idempotency-Key`, names it: sent
/// again under the same name it is stored once, and the first one is answered.
#[utoipa::path(post, path = "/v1/rooms/{room}/messages", tag = "messages",
    params(InRoom, ("Idempotency-Key" = Option<String>, Header, max_length = 64,
        pattern = "^[ -~]+$", description = "In place of `client_id`.")),
    request_body = SendBody, responses(
    (status = 201, description = "the message is stored", body = Sent),
    (status = 200, description = "the message was stored before", body = Sent),
    (status = 403, description = "`not_a_member`, `muted`, `slow_mode`, `archived`, `banned`"),
    (status = 404, description = "`room_not_found`, `message_not_found`"),
))]
async fn send(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<InRoom>,
    headers: HeaderMap,
    Valid(mut new): Valid<NewMessage>,
) -> Result<(StatusCode, Json<Sent>)> {
    new.client_id = named(new.client_id, &headers)?;
    Ok(Sent::answer(
        messages::send(&app, &caller, at.room, new).await?,
    ))
}

/// The sender's name for a message, from the body or the header; the two may not differ.
pub(crate) fn named(in_body: Option<ClientId>, headers: &HeaderMap) -> Result<Option<ClientId>> {
    let Some(key) = headers.get("idempotency-key") else {
        return Ok(in_body);
    };
    let wrong = |violation| Error::field("Idempotency-Key", violation);
    let key = key.to_str().map_err(|_| wrong(Violation::Invalid))?;
    let key = ClientId::parse(key).map_err(wrong)?;
    match in_body {
        Some(name) if name != key => Err(wrong(Violation::Conflicting)),
        _ => Ok(Some(key)),
    }
}

/// Read a message
#[utoipa::path(get, path = "/v1/rooms/{room}/messages/{seq}", tag = "messages",
    params(MessageInRoom), responses(
    (status = 200, description = "the message as it is now", body = Message),
    (status = 403, description = "`not_a_member`"),
    (status = 404, description = "`room_not_found`, `message_not_found`"),
))]
async fn read(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<MessageInRoom>,
) -> Result<Json<Message>> {
    Ok(Json(
        app.store.message(at.room, caller.user.id, at.seq).await?,
    ))
}

/// Edit a message
///
/// Only one's own.
#[utoipa::path(patch, path = "/v1/rooms/{room}/messages/{seq}", tag = "messages",
    params(MessageInRoom), request_body = EditBody, responses(
    (status = 200, description = "the message as it is now", body = Message),
    (status = 403, description = "`forbidden`, `not_a_member`, `muted`, `archived`"),
    (status = 404, description = "`room_not_found`, `message_not_found`"),
))]
async fn edit(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<MessageInRoom>,
    Valid(edit): Valid<Edit>,
) -> Result<Json<Message>> {
    messages::edit(&app, &caller, at.room, at.seq, &edit).await?;
    Ok(Json(
        app.store.message(at.room, caller.user.id, at.seq).await?,
    ))
}

/// Delete a message
///
/// One's own; moderators also those of others. Its text is gone everywhere, its place stays.
#[utoipa::path(delete, path = "/v1/rooms/{room}/messages/{seq}", tag = "messages",
    params(MessageInRoom), responses(
    (status = 204, description = "its text is gone"),
    (status = 403, description = "`forbidden`, `not_a_member`, `archived`"),
    (status = 404, description = "`room_not_found`, `message_not_found`"),
))]
async fn delete(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<MessageInRoom>,
) -> Result<StatusCode> {
    messages::delete(&app, &caller, at.room, at.seq).await?;
    Ok(StatusCode::NO_CONTENT)
}
