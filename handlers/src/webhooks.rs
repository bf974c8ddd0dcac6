//! Webhooks: where what happens in rooms is posted. Posting it is not done here.

use axum::{Json, extract::State};
use http::StatusCode;
use protocol::{
    WebhookId,
    webhooks::{
        ChangeWebhook, ChangeWebhookBody, Delivery, FindWebhooks, FreshWebhook, NewWebhook, Replay,
        ReplayBody, Webhook, WebhookBody, WebhookList, WebhooksQuery,
    },
};
use serde::Deserialize;
use shared::{App, webhooks};
use utoipa::{IntoParams, OpenApi};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    caller::Authenticated,
    error::Result,
    input::{Path, Query, Valid},
};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Posted::openapi())
        .routes(routes!(list, create))
        .routes(routes!(read, change, delete))
        .routes(routes!(replay))
}

/// What is posted is told of, too, though nobody asks for it here.
#[derive(OpenApi)]
#[openapi(components(schemas(Delivery)))]
struct Posted;

/// A path to a webhook.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct OfWebhook {
    /// The webhook.
    webhook: WebhookId,
}

/// One's own webhooks
///
/// The newest first. With `room` all of that room, for its admins and owner.
#[utoipa::path(get, path = "/v1/webhooks", tag = "webhooks", params(WebhooksQuery), responses(
    (status = 200, description = "the webhooks", body = WebhookList),
    (status = 403, description = "`forbidden`, `not_a_member`"),
    (status = 404, description = "`room_not_found`"),
))]
async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Query(find): Query<FindWebhooks>,
) -> Result<Json<WebhookList>> {
    Ok(Json(WebhookList {
        webhooks: webhooks::list(&app, &caller, find.room).await?,
    }))
}

/// Make a webhook
///
/// What happens in its rooms from now on is posted to its url, signed with its secret, at least once and in
/// order. The secret is shown this once.
#[utoipa::path(post, path = "/v1/webhooks", tag = "webhooks", request_body = WebhookBody, responses(
    (status = 201, description = "the webhook", body = FreshWebhook),
    (status = 403, description = "`forbidden`, `not_a_member`"),
    (status = 404, description = "`room_not_found`"),
    (status = 409, description = "`conflict`: one person has 50 at most"),
))]
async fn create(
    State(app): State<App>,
    caller: Authenticated,
    Valid(new): Valid<NewWebhook>,
) -> Result<(StatusCode, Json<FreshWebhook>)> {
    Ok((
        StatusCode::CREATED,
        Json(webhooks::create(&app, &caller, new).await?),
    ))
}

/// A webhook
#[utoipa::path(get, path = "/v1/webhooks/{webhook}", tag = "webhooks", params(OfWebhook), responses(
    (status = 200, description = "the webhook, and how it fares", body = Webhook),
    (status = 404, description = "`webhook_not_found`"),
))]
async fn read(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<OfWebhook>,
) -> Result<Json<Webhook>> {
    Ok(Json(webhooks::read(&app, &caller, at.webhook).await?))
}

/// Change a webhook
///
/// `enabled: true` lets one that was disabled go on where it stood.
#[utoipa::path(patch, path = "/v1/webhooks/{webhook}", tag = "webhooks", params(OfWebhook),
    request_body = ChangeWebhookBody, responses(
    (status = 200, description = "the webhook as it is now", body = Webhook),
    (status = 403, description = "`forbidden`, `not_a_member`"),
    (status = 404, description = "`webhook_not_found`, `room_not_found`"),
))]
async fn change(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<OfWebhook>,
    Valid(change): Valid<ChangeWebhook>,
) -> Result<Json<Webhook>> {
    Ok(Json(
        webhooks::change(&app, &caller, at.webhook, change).await?,
    ))
}

/// Remove a webhook
#[utoipa::path(delete, path = "/v1/webhooks/{webhook}", tag = "webhooks", params(OfWebhook),
    responses(
    (status = 204, description = "there is no such webhook any more"),
    (status = 404, description = "`webhook_not_found`"),
))]
async fn delete(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<OfWebhook>,
) -> Result<StatusCode> {
    webhooks::delete(&app, &caller, at.webhook).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deliver again
///
/// Events of one of its rooms after a seq, in order, and then whatever is new.
#[utoipa::path(post, path = "/v1/webhooks/{webhook}/replay", tag = "webhooks", params(OfWebhook),
    request_body = ReplayBody, responses(
    (status = 200, description = "the webhook as it is now", body = Webhook),
    (status = 404, description = "`webhook_not_found`, `room_not_found`"),
))]
async fn replay(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<OfWebhook>,
    Valid(replay): Valid<Replay>,
) -> Result<Json<Webhook>> {
    Ok(Json(
        webhooks::replay(&app, &caller, at.webhook, replay).await?,
    ))
}
