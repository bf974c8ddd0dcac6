//! Rooms: found, made, read, changed and deleted. Who is in them is in `members`.

use axum::{Json, extract::State};
use http::StatusCode;
use protocol::rooms::{
    ChangeRoom, ChangeRoomBody, CreateRoom, CreateRoomBody, DeletedRoomList, FindRooms, MyRoomList,
    Room, RoomList, RoomsQuery,
};
use shared::{App, rooms};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    caller::Authenticated,
    error::Result,
    input::{InRoom, Path, Query, Valid},
};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(find, create))
        .routes(routes!(mine))
        .routes(routes!(deleted))
        .routes(routes!(restore))
        .routes(routes!(read, change, delete))
}

/// Find rooms
///
/// Public and private rooms, in pages. Of a private room that the caller is not in, only its name,
/// topic, visibility, number of members and whether it has a password are told.
#[utoipa::path(get, path = "/v1/rooms", tag = "rooms", params(RoomsQuery), responses(
    (status = 200, description = "a page of rooms", body = RoomList),
))]
async fn find(
    State(app): State<App>,
    caller: Authenticated,
    Query(wanted): Query<FindRooms>,
) -> Result<Json<RoomList>> {
    Ok(Json(rooms::list(&app, &caller, &wanted).await?))
}

/// Make a room
///
/// Whoever makes it owns it and is its first member.
#[utoipa::path(post, path = "/v1/rooms", tag = "rooms", request_body = CreateRoomBody, responses(
    (status = 201, description = "the room", body = Room),
    (status = 409, description = "`name_taken`: another public or private room has this name; `name_kept`: it is one that the caller deleted"),
))]
async fn create(
    State(app): State<App>,
    caller: Authenticated,
    Valid(new): Valid<CreateRoom>,
) -> Result<(StatusCode, Json<Room>)> {
    Ok((
        StatusCode::CREATED,
        Json(rooms::create(&app, &caller, new).await?),
    ))
}

/// The caller's rooms
///
/// With what is unread in each, and the latest message.
#[utoipa::path(get, path = "/v1/users/me/rooms", tag = "rooms", responses(
    (status = 200, description = "every room that the caller is a member of", body = MyRoomList),
))]
async fn mine(State(app): State<App>, caller: Authenticated) -> Result<Json<MyRoomList>> {
    Ok(Json(MyRoomList {
        rooms: rooms::mine(&app, &caller).await?,
    }))
}

/// Read a room
///
/// Members may, and everybody a public one.
#[utoipa::path(get, path = "/v1/rooms/{room}", tag = "rooms", params(InRoom), responses(
    (status = 200, description = "the room", body = Room),
    (status = 403, description = "`not_a_member` of a private room"),
    (status = 404, description = "`room_not_found`"),
))]
async fn read(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<InRoom>,
) -> Result<Json<Room>> {
    Ok(Json(rooms::read(&app, &caller, at.room).await?))
}

/// Change a room
///
/// What is left out stays. Admins change name, topic, visibility, password, capacity and history;
/// moderators set the slow mode; only the owner archives.
#[utoipa::path(patch, path = "/v1/rooms/{room}", tag = "rooms", params(InRoom),
    request_body = Option<ChangeRoomBody>, responses(
    (status = 200, description = "the room as it is now", body = Room),
    (status = 403, description = "`forbidden`, `not_a_member`, `archived`"),
    (status = 404, description = "`room_not_found`"),
    (status = 409, description = "`name_taken`, `name_kept`, `conflict`"),
))]
async fn change(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<InRoom>,
    Valid(change): Valid<ChangeRoom>,
) -> Result<Json<Room>> {
    Ok(Json(rooms::change(&app, &caller, at.room, &change).await?))
}

/// Delete a room
///
/// For everybody, at once. Only the owner may, who can restore it for seven days; then it is erased for good.
#[utoipa::path(delete, path = "/v1/rooms/{room}", tag = "rooms", params(InRoom), responses(
    (status = 204, description = "it is gone"),
    (status = 403, description = "`forbidden`, `not_a_member`"),
    (status = 404, description = "`room_not_found`"),
    (status = 409, description = "`conflict`: a direct conversation is nobody's to delete"),
))]
async fn delete(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<InRoom>,
) -> Result<StatusCode> {
    rooms::delete(&app, &caller, at.room).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The caller's deleted rooms
///
/// Those that they can still restore, the latest first.
#[utoipa::path(get, path = "/v1/users/me/rooms/deleted", tag = "rooms", responses(
    (status = 200, description = "the rooms, as they were", body = DeletedRoomList),
))]
async fn deleted(State(app): State<App>, caller: Authenticated) -> Result<Json<DeletedRoomList>> {
    let rooms = rooms::deleted(&app, &caller).await?;
    Ok(Json(DeletedRoomList { rooms }))
}

/// Restore a room
///
/// With all that was in it. Only its owner may who deleted it, and only until it is erased.
#[utoipa::path(post, path = "/v1/rooms/{room}/restore", tag = "rooms", params(InRoom), responses(
    (status = 200, description = "the room, as it was", body = Room),
    (status = 404, description = "`room_not_found`: there is none that the caller can restore"),
))]
async fn restore(
    State(app): State<App>,
    caller: Authenticated,
    Path(at): Path<InRoom>,
) -> Result<Json<Room>> {
    Ok(Json(rooms::restore(&app, &caller, at.room).await?))
}
