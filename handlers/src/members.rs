//! Members: joining and leaving a room, and what moderators do about people in it.

use axum::{Json, extract::State};
use http::StatusCode;
use protocol::rooms::{
    ChangeMember, ChangeMemberBody, Join, JoinBody, Member, MemberList, Page, PageQuery,
};
use shared::{App, rooms};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    caller::Authenticated,
    error::Result,
    input::{InRoom, Path, Query, UserInRoom, Valid},
};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, join))
        .routes(routes!(leave))
        .routes(routes!(change, kick))
}

/// The members of a room
///
/// The owner first, then by role and name, in pages.
#[utoipa::path(get, path = "/v1/rooms/{room}/members", tag = "members", params(InRoom, PageQuery),
    responses(
    (status = 200, description = "a page of members", body = MemberList),
    (status = 403, description = "`not_a_member`"),
    (status = 404, description = "`room_not_found`"),
))]
async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<InRoom>,
    Query(page): Query<Page>,
) -> Result<Json<MemberList>> {
    Ok(Json(rooms::members(&app, &caller, at.room, &page).await?))
}

/// Join a room
///
/// A public room takes anyone, a private one asks for its password or an invite, a secret one for
/// an invite. Joining again changes nothing.
#[utoipa::path(post, path = "/v1/rooms/{room}/members", tag = "members", params(InRoom),
    request_body = Option<JoinBody>, responses(
    (status = 201, description = "the caller is a member now", body = Member),
    (status = 200, description = "the caller was a member already", body = Member),
    (status = 403, description = "`wrong_password`, `banned`, `not_a_member`, `archived`"),
    (status = 404, description = "`room_not_found`, `invite_not_found`"),
    (status = 409, description = "`room_full`"),
))]
async fn join(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<InRoom>,
    Valid(join): Valid<Join>,
) -> Result<(StatusCode, Json<Member>)> {
    let joined = rooms::join(&app, &caller, at.room, join).await?;
    let status = if joined.event.is_some() {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(joined.member)))
}

/// Leave a room
///
/// The owner hands the room over first.
#[utoipa::path(delete, path = "/v1/rooms/{room}/members/me", tag = "members", params(InRoom),
    responses(
    (status = 204, description = "the caller is no member any more"),
    (status = 403, description = "`not_a_member`"),
    (status = 404, description = "`room_not_found`"),
    (status = 409, description = "`last_owner`"),
))]
async fn leave(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<InRoom>,
) -> Result<StatusCode> {
    rooms::leave(&app, &caller, at.room).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give a role, or mute
///
/// Admins give the roles below their own; the owner also makes admins and, with `owner`, hands the
/// room over. Moderators mute people of a lower role; `muted_until: null` lets them write again.
#[utoipa::path(patch, path = "/v1/rooms/{room}/members/{user}", tag = "members",
    params(UserInRoom), request_body = ChangeMemberBody, responses(
    (status = 200, description = "the member as they are now", body = Member),
    (status = 403, description = "`forbidden`, `not_a_member`"),
    (status = 404, description = "`room_not_found`, `member_not_found`"),
    (status = 409, description = "`conflict`, `last_owner`"),
))]
async fn change(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<UserInRoom>,
    Valid(change): Valid<ChangeMember>,
) -> Result<Json<Member>> {
    Ok(Json(
        rooms::change_member(&app, &caller, at.room, at.user, &change).await?,
    ))
}

/// Kick
///
/// Removes a member of a lower role. They may join again.
#[utoipa::path(delete, path = "/v1/rooms/{room}/members/{user}", tag = "members",
    params(UserInRoom), responses(
    (status = 204, description = "they are no member any more"),
    (status = 403, description = "`forbidden`, `not_a_member`"),
    (status = 404, description = "`room_not_found`, `member_not_found`"),
))]
async fn kick(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<UserInRoom>,
) -> Result<StatusCode> {
    rooms::kick(&app, &caller, at.room, at.user).await?;
    Ok(StatusCode::NO_CONTENT)
}
