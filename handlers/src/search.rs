//! Looking for messages in all that the caller may read.

use axum::{Json, extract::State};
use protocol::search::{HitList, Search, SearchQuery};
use shared::App;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{caller::Authenticated, error::Result, input::Query};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(search))
}

/// Search messages
///
/// In every room that the caller is a member of, or in one, newest first. What was edited is found by what
/// it says now. A page may have fewer hits than were asked for, even none, and not be the last: the last
/// one has no `next_cursor`.
#[utoipa::path(get, path = "/v1/search", tag = "messages", params(SearchQuery), responses(
    (status = 200, description = "a page of hits", body = HitList),
    (status = 403, description = "`not_a_member` of the room that is named"),
    (status = 404, description = "`room_not_found`"),
    (status = 429, description = "`rate_limited`"),
))]
async fn search(
    State(app): State<App>,
    caller: Authenticated,
    Query(wanted): Query<Search>,
) -> Result<Json<HitList>> {
    take(&app, &caller).await?;
    Ok(Json(app.store.search(caller.user.id, &wanted).await?))
}

/// Counts one search of the caller.
///
/// # Errors
/// `rate_limited`.
pub(crate) async fn take(app: &App, caller: &Authenticated) -> Result<()> {
    let bucket = format!("search:{}", caller.user.id);
    let rate = app.settings.rates.search;
    caller.allowances.take(app, rate, &bucket).await
}
