//! Bots and their tokens, for who answers for them. What bots do goes to the same routes as what people do;
//! `scopes` says to which.

use axum::{Json, extract::State};
use http::StatusCode;
use protocol::{
    SessionId, UserId,
    bots::{
        Bot, BotBody, BotList, BotTokenBody, BotTokenList, BotsQuery, ChangeBot, ChangeBotBody,
        FindBots, FreshToken, NewBot, NewBotToken,
    },
};
use serde::Deserialize;
use shared::{App, bots};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    caller::Authenticated,
    error::Result,
    input::{Path, Query, Valid},
};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, change, delete))
        .routes(routes!(tokens, create_token))
        .routes(routes!(delete_token))
}

/// A path to a bot.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct OfBot {
    /// The bot.
    bot: UserId,
}

/// A path to a bot's token.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct TokenOfBot {
    /// The bot.
    bot: UserId,
    /// The token's id.
    token: SessionId,
}

/// One's own bots
///
/// The newest first. Server admins see everybody's with `all=true`.
#[utoipa::path(get, path = "/v1/bots", tag = "bots", params(BotsQuery), responses(
    (status = 200, description = "a page of bots", body = BotList),
    (status = 403, description = "`forbidden`"),
))]
async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Query(find): Query<FindBots>,
) -> Result<Json<BotList>> {
    Ok(Json(bots::list(&app, &caller, &find).await?))
}

/// Make a bot
///
/// It has no password: give it a token.
#[utoipa::path(post, path = "/v1/bots", tag = "bots", request_body = BotBody, responses(
    (status = 201, description = "the bot", body = Bot),
    (status = 409, description = "`username_taken`, `conflict`: one person has 50 at most"),
))]
async fn create(
    State(app): State<App>,
    caller: Authenticated,
    Valid(new): Valid<NewBot>,
) -> Result<(StatusCode, Json<Bot>)> {
    Ok((
        StatusCode::CREATED,
        Json(bots::create(&app, &caller, new).await?),
    ))
}

/// A bot
#[utoipa::path(get, path = "/v1/bots/{bot}", tag = "bots", params(OfBot), responses(
    (status = 200, description = "the bot", body = Bot),
    (status = 404, description = "`bot_not_found`"),
))]
async fn read(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<OfBot>,
) -> Result<Json<Bot>> {
    Ok(Json(bots::read(&app, &caller, at.bot).await?))
}

/// Change what a bot says about itself
#[utoipa::path(patch, path = "/v1/bots/{bot}", tag = "bots", params(OfBot),
    request_body = ChangeBotBody, responses(
    (status = 200, description = "the bot as it is now", body = Bot),
    (status = 404, description = "`bot_not_found`"),
))]
async fn change(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<OfBot>,
    Valid(change): Valid<ChangeBot>,
) -> Result<Json<Bot>> {
    Ok(Json(bots::change(&app, &caller, at.bot, &change).await?))
}

/// Delete a bot
///
/// Its tokens are revoked and it leaves its rooms; what it said stays.
#[utoipa::path(delete, path = "/v1/bots/{bot}", tag = "bots", params(OfBot), responses(
    (status = 204, description = "there is no such bot any more"),
    (status = 404, description = "`bot_not_found`"),
    (status = 409, description = "`last_owner`: it has a room"),
))]
async fn delete(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<OfBot>,
) -> Result<StatusCode> {
    bots::delete(&app, &caller, at.bot).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The tokens of a bot
#[utoipa::path(get, path = "/v1/bots/{bot}/tokens", tag = "bots", params(OfBot), responses(
    (status = 200, description = "those that are good", body = BotTokenList),
    (status = 404, description = "`bot_not_found`"),
))]
async fn tokens(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<OfBot>,
) -> Result<Json<BotTokenList>> {
    Ok(Json(BotTokenList {
        tokens: bots::tokens(&app, &caller, at.bot).await?,
    }))
}

/// Make a token
///
/// It is shown this once.
#[utoipa::path(post, path = "/v1/bots/{bot}/tokens", tag = "bots", params(OfBot),
    request_body = BotTokenBody, responses(
    (status = 201, description = "the token", body = FreshToken),
    (status = 404, description = "`bot_not_found`"),
    (status = 409, description = "`conflict`: one bot has 50 at most"),
))]
async fn create_token(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<OfBot>,
    Valid(new): Valid<NewBotToken>,
) -> Result<(StatusCode, Json<FreshToken>)> {
    Ok((
        StatusCode::CREATED,
        Json(bots::create_token(&app, &caller, at.bot, new).await?),
    ))
}

/// Revoke a token
///
/// It is refused everywhere within a second, and its sockets close.
#[utoipa::path(delete, path = "/v1/bots/{bot}/tokens/{token}", tag = "bots", params(TokenOfBot),
    responses(
    (status = 204, description = "it is good no more"),
    (status = 404, description = "`bot_not_found`, `token_not_found`"),
))]
async fn delete_token(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<TokenOfBot>,
) -> Result<StatusCode> {
    bots::delete_token(&app, &caller, at.bot, at.token).await?;
    Ok(StatusCode::NO_CONTENT)
}
