//! Reporting messages to moderators, and the queue of what was reported in a room.

use axum::{Json, extract::State};
use http::StatusCode;
use protocol::reports::{
    ChangeReport, ChangeReportBody, FindRoomReports, NewReport, Report, ReportBody, ReportList,
    ReportsQuery,
};
use shared::{App, reports};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    caller::Authenticated,
    error::Result,
    input::{InRoom, MessageInRoom, Path, Query, ReportInRoom, Valid},
};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(report))
        .routes(routes!(list))
        .routes(routes!(change))
}

/// Report a message
///
/// To the moderators of its room. What it says now is kept with the report, until the message is deleted.
#[utoipa::path(post, path = "/v1/rooms/{room}/messages/{seq}/report", tag = "reports",
    params(MessageInRoom), request_body = ReportBody, responses(
    (status = 201, description = "it is reported", body = Report),
    (status = 200, description = "the caller reported it already, and that is open", body = Report),
    (status = 403, description = "`not_a_member`"),
    (status = 404, description = "`room_not_found`, `message_not_found`"),
    (status = 409, description = "`conflict`: it is the caller's own"),
))]
async fn report(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<MessageInRoom>,
    Valid(new): Valid<NewReport>,
) -> Result<(StatusCode, Json<Report>)> {
    let (report, is_new) = reports::report(&app, &caller, at.room, at.seq, new).await?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(report)))
}

/// What was reported in a room
///
/// For its moderators and up, the latest first, in pages.
#[utoipa::path(get, path = "/v1/rooms/{room}/reports", tag = "reports",
    params(InRoom, ReportsQuery), responses(
    (status = 200, description = "a page of reports", body = ReportList),
    (status = 403, description = "`forbidden`, `not_a_member`"),
    (status = 404, description = "`room_not_found`"),
))]
async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<InRoom>,
    Query(wanted): Query<FindRoomReports>,
) -> Result<Json<ReportList>> {
    let FindRoomReports(wanted) = wanted;
    Ok(Json(
        reports::of_room(&app, &caller, at.room, &wanted).await?,
    ))
}

/// Say what became of a report
///
/// Moderators and up may, but for whoever wrote what is reported.
#[utoipa::path(patch, path = "/v1/rooms/{room}/reports/{report}", tag = "reports",
    params(ReportInRoom), request_body = ChangeReportBody, responses(
    (status = 200, description = "the report as it is now", body = Report),
    (status = 403, description = "`forbidden`, `not_a_member`"),
    (status = 404, description = "`room_not_found`, `report_not_found`"),
    (status = 409, description = "`conflict`: the same is reported again, and that is open"),
))]
async fn change(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<ReportInRoom>,
    Valid(wish): Valid<ChangeReport>,
) -> Result<Json<Report>> {
    Ok(Json(
        reports::change(&app, &caller, at.room, at.report, wish).await?,
    ))
}
