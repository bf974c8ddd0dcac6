//! Reading along: the mark of how far the caller has read, and the room's log as a long poll.

use std::time::Duration;

use axum::{Json, extract::State};
use http::StatusCode;
use protocol::{
    events::{EventList, EventsQuery, FindEvents},
    messages::{At, ReadBody},
};
use shared::{App, messages};
use tokio::time::{Instant, sleep_until};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    caller::Authenticated,
    error::Result,
    input::{InRoom, Path, Query, Valid},
};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(mark))
        .routes(routes!(events))
}

/// Mark as read
///
/// The mark only moves forward.
#[utoipa::path(put, path = "/v1/rooms/{room}/read", tag = "messages", params(InRoom),
    request_body = ReadBody, responses(
    (status = 204, description = "the mark is there, or further on"),
    (status = 403, description = "`not_a_member`"),
    (status = 404, description = "`room_not_found`"),
))]
async fn mark(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<InRoom>,
    Valid(read): Valid<At>,
) -> Result<StatusCode> {
    messages::mark_read(&app, &caller, at.room, read.seq).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The store says nothing by itself to a process that holds no rooms, so a waiting request asks it
/// again: often enough for a conversation, seldom enough for a thousand that wait.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Read the log
///
/// Every kind of event after a seq, in order. With `wait_s` it answers as soon as there is one.
#[utoipa::path(get, path = "/v1/rooms/{room}/events", tag = "messages",
    params(InRoom, EventsQuery), responses(
    (status = 200, description = "what happened, or nothing within the time", body = EventList),
    (status = 403, description = "`not_a_member`"),
    (status = 404, description = "`room_not_found`"),
))]
async fn events(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<InRoom>,
    Query(wanted): Query<FindEvents>,
) -> Result<Json<EventList>> {
    let until = Instant::now() + Duration::from_secs(wanted.wait_s);
    loop {
        let asked_at = Instant::now();
        let (events, head) = app
            .store
            .news(at.room, caller.user.id, wanted.after, wanted.limit)
            .await?;
        if !events.is_empty() {
            return Ok(Json(EventList { events, head }));
        }
        // A process that goes away answers what waits rather than cut it off.
        let is_over = asked_at >= until || app.closing.is_cancelled();
        if is_over || app.revocations.is_revoked(caller.session).await? {
            return Ok(Json(EventList { events, head }));
        }
        let again = sleep_until(until.min(asked_at + ASK_AGAIN));
        // Either way the log is looked at once more.
        app.closing.run_until_cancelled(again).await;
    }
}
