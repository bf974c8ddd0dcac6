//! Reactions to messages. Sockets have frames for the same.

use axum::extract::State;
use http::StatusCode;
use protocol::{RoomId, Seq, marks::React, text::Emoji};
use serde::Deserialize;
use shared::{App, marks};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    caller::Authenticated,
    error::{Error, Result},
    input::Path,
};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(react, unreact))
}

/// A path to one emoji on a message.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct EmojiOnMessage {
    /// The room.
    room: RoomId,
    /// The message's place in the room's log.
    seq: Seq,
    /// One emoji, percent-encoded.
    #[param(max_length = 64, example = "👍")]
    emoji: String,
}

impl EmojiOnMessage {
    fn react(&self) -> Result<React> {
        let emoji = Emoji::parse(&self.emoji).map_err(|wrong| Error::field("emoji", wrong))?;
        Ok(React {
            seq: self.seq,
            emoji,
        })
    }
}

/// React to a message
///
/// Each person once with the same emoji; again changes nothing. A message has at most 50 different ones.
#[utoipa::path(put, path = "/v1/rooms/{room}/messages/{seq}/reactions/{emoji}", tag = "messages",
    params(EmojiOnMessage), responses(
    (status = 204, description = "the reaction is there"),
    (status = 403, description = "`not_a_member`, `muted`, `archived`, `blocked`"),
    (status = 404, description = "`room_not_found`, `message_not_found`"),
    (status = 409, description = "`conflict`: the message has 50 different emoji already"),
))]
async fn react(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<EmojiOnMessage>,
) -> Result<StatusCode> {
    marks::react(&app, &caller, at.room, &at.react()?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take a reaction back
#[utoipa::path(delete, path = "/v1/rooms/{room}/messages/{seq}/reactions/{emoji}", tag = "messages",
    params(EmojiOnMessage), responses(
    (status = 204, description = "there is no such reaction of the caller's"),
    (status = 403, description = "`not_a_member`, `archived`"),
    (status = 404, description = "`room_not_found`, `message_not_found`"),
))]
async fn unreact(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<EmojiOnMessage>,
) -> Result<StatusCode> {
    marks::unreact(&app, &caller, at.room, &at.react()?).await?;
    Ok(StatusCode::NO_CONTENT)
}
