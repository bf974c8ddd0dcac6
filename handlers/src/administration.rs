//! What server admins change: accounts, rooms and reports, and how much is stored. What they only read is
//! in `admin`.

use axum::{Json, extract::State};
use http::StatusCode;
use protocol::{
    admin::{
        Account, AccountBody, AccountList, AccountsQuery, AdminRoom, AdminRoomBody, AdminRoomList,
        AdminRoomsQuery, ChangeAccount, ChangeAdminRoom, FindAccounts, FindAdminRooms, ResetLink,
        Storage,
    },
    reports::{AllReportsQuery, ChangeReport, ChangeReportBody, FindReports, Report, ReportList},
};
use shared::{App, admin};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    caller::Authenticated,
    error::Result,
    input::{InRoom, OfReport, OfUser, Path, Query, Valid},
};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(users))
        .routes(routes!(user, change_user))
        .routes(routes!(reset))
        .routes(routes!(rooms))
        .routes(routes!(change_room, delete_room))
        .routes(routes!(reports))
        .routes(routes!(change_report))
        .routes(routes!(storage))
}

/// Find accounts
///
/// By the beginning of a username, display name or address; erased and suspended ones too.
#[utoipa::path(get, path = "/v1/admin/users", tag = "admin", params(AccountsQuery), responses(
    (status = 200, description = "a page of accounts, by username", body = AccountList),
    (status = 403, description = "`forbidden`: the caller is no server admin"),
))]
async fn users(
    State(app): State<App>,
    caller: Authenticated,
    Query(wanted): Query<FindAccounts>,
) -> Result<Json<AccountList>> {
    Ok(Json(admin::accounts(&app, &caller, &wanted).await?))
}

/// One account
#[utoipa::path(get, path = "/v1/admin/users/{user}", tag = "admin", params(OfUser), responses(
    (status = 200, description = "the account", body = Account),
    (status = 403, description = "`forbidden`: the caller is no server admin"),
    (status = 404, description = "`user_not_found`"),
))]
async fn user(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<OfUser>,
) -> Result<Json<Account>> {
    Ok(Json(admin::account(&app, &caller, at.user).await?))
}

/// Change an account
///
/// Suspend it, which logs it out everywhere at once, and let it in again; give and take server-admin rights;
/// give it another display name. What is left out stays.
#[utoipa::path(patch, path = "/v1/admin/users/{user}", tag = "admin", params(OfUser),
    request_body = Option<AccountBody>, responses(
    (status = 200, description = "the account as it is now", body = Account),
    (status = 403, description = "`forbidden`: the caller is no server admin, or would suspend themselves or one of `CHATX_ADMINS`"),
    (status = 404, description = "`user_not_found`"),
    (status = 409, description = "`last_admin`"),
))]
async fn change_user(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<OfUser>,
    Valid(wish): Valid<ChangeAccount>,
) -> Result<Json<Account>> {
    Ok(Json(
        admin::change_account(&app, &caller, at.user, &wish).await?,
    ))
}

/// Take a password away
///
/// And get a link by which its owner chooses another, told this once. Every session is revoked.
#[utoipa::path(post, path = "/v1/admin/users/{user}/reset", operation_id = "reset_user", tag = "admin",
    params(OfUser), responses(
    (status = 200, description = "what to hand over to whose account it is", body = ResetLink),
    (status = 403, description = "`forbidden`: the caller is no server admin, or the account is one of `CHATX_ADMINS`"),
    (status = 404, description = "`user_not_found`"),
))]
async fn reset(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<OfUser>,
) -> Result<Json<ResetLink>> {
    Ok(Json(admin::reset(&app, &caller, at.user).await?))
}

/// Find all rooms
///
/// Of every visibility, the newest first; with `ownerless` those whose owner is erased or suspended, with
/// `deleted` those that are deleted.
#[utoipa::path(get, path = "/v1/admin/rooms", tag = "admin", params(AdminRoomsQuery), responses(
    (status = 200, description = "a page of rooms", body = AdminRoomList),
    (status = 403, description = "`forbidden`: the caller is no server admin"),
))]
async fn rooms(
    State(app): State<App>,
    caller: Authenticated,
    Query(wanted): Query<FindAdminRooms>,
) -> Result<Json<AdminRoomList>> {
    Ok(Json(admin::rooms(&app, &caller, &wanted).await?))
}

/// Hand over, archive or restore a room
///
/// What is left out stays. A new owner joins the room if they are not in it.
#[utoipa::path(patch, path = "/v1/admin/rooms/{room}", tag = "admin", params(InRoom),
    request_body = Option<AdminRoomBody>, responses(
    (status = 200, description = "the room as it is now", body = AdminRoom),
    (status = 403, description = "`forbidden`: the caller is no server admin"),
    (status = 404, description = "`room_not_found`, `user_not_found`"),
    (status = 409, description = "`conflict`: a direct conversation has no owner"),
))]
async fn change_room(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<InRoom>,
    Valid(wish): Valid<ChangeAdminRoom>,
) -> Result<Json<AdminRoom>> {
    Ok(Json(
        admin::change_room(&app, &caller, at.room, wish).await?,
    ))
}

/// Delete any room
///
/// As its owner would, but that only server admins restore it.
#[utoipa::path(delete, path = "/v1/admin/rooms/{room}", tag = "admin", params(InRoom), responses(
    (status = 204, description = "it is gone"),
    (status = 403, description = "`forbidden`: the caller is no server admin"),
    (status = 404, description = "`room_not_found`"),
    (status = 409, description = "`conflict`: a direct conversation is nobody's to delete"),
))]
async fn delete_room(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<InRoom>,
) -> Result<StatusCode> {
    admin::delete_room(&app, &caller, at.room).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What was reported
///
/// In all rooms, direct conversations too; the latest first, in pages.
#[utoipa::path(get, path = "/v1/admin/reports", tag = "admin", params(AllReportsQuery), responses(
    (status = 200, description = "a page of reports", body = ReportList),
    (status = 403, description = "`forbidden`: the caller is no server admin"),
))]
async fn reports(
    State(app): State<App>,
    caller: Authenticated,
    Query(wanted): Query<FindReports>,
) -> Result<Json<ReportList>> {
    Ok(Json(admin::reports(&app, &caller, &wanted).await?))
}

/// Say what became of any report
#[utoipa::path(patch, path = "/v1/admin/reports/{report}", tag = "admin", params(OfReport),
    request_body = ChangeReportBody, responses(
    (status = 200, description = "the report as it is now", body = Report),
    (status = 403, description = "`forbidden`: the caller is no server admin"),
    (status = 404, description = "`report_not_found`"),
    (status = 409, description = "`conflict`: the same is reported again, and that is open"),
))]
async fn change_report(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<OfReport>,
    Valid(wish): Valid<ChangeReport>,
) -> Result<Json<Report>> {
    Ok(Json(
        admin::change_report(&app, &caller, at.report, wish).await?,
    ))
}

/// How much is stored
#[utoipa::path(get, path = "/v1/admin/storage", tag = "admin", responses(
    (status = 200, description = "what is stored, and the rooms of which most is", body = Storage),
    (status = 403, description = "`forbidden`: the caller is no server admin"),
))]
async fn storage(State(app): State<App>, caller: Authenticated) -> Result<Json<Storage>> {
    Ok(Json(admin::storage(&app, &caller).await?))
}
