//! What people do with rooms, the same over HTTP and on a socket: the store's methods with the checking
//! of passwords, the limits, the audit log and the hint to the room's coordinator around them.
//!
//! Every operation goes the same way: check, store, note, hint.

mod bans;
mod invites;
mod members;

use protocol::{
    ErrorCode, RoomId, Seq, UserId,
    audit::AuditAction,
    events::{Event, EventKind},
    frame::UnsubscribeReason,
    rooms::{ChangeRoom, CreateRoom, DeletedRoom, FindRooms, MyRoom, Room, RoomList},
    text::RoomPassword,
};
use serde_json::json;

use crate::{
    App, Caller, Refusal,
    news::Word,
    store::{As, NewRoom},
};

pub use crate::messages::history;
pub use bans::{ban, bans, unban};
pub use invites::{delete_invite, invite, invites};
pub use members::{change_member, join, kick, leave, members};

/// How many members are told that their room is back, or open again. The others find it when they next read their rooms.
const TOLD_AT_ONCE: u32 = 1_000;

/// Makes a room, which the caller then has.
///
/// # Errors
/// `name_taken`.
pub async fn create(app: &App, caller: &Caller, create: CreateRoom) -> Result<Room, Refusal> {
    let password_hash = hashed(app, create.password.as_ref()).await?;
    let new = NewRoom {
        id: app.clock.id(),
        create,
        password_hash,
        owner: caller.user.id,
        at: app.clock.now(),
    };
    let room = app.store.create_room(&new).await?;
    let data = json!({ "name": room.name, "visibility": room.visibility });
    note(app, caller, AuditAction::RoomCreate, room.id, data).await;
    app.hints.hint(room.id, room.head.unwrap_or_default()).await;
    let added = Word::RoomAdded { room: room.id };
    app.news.tell(vec![caller.user.id], added).await;
    Ok(room)
}

/// The rooms that anybody can find.
///
/// # Errors
/// `validation_failed` for a cursor that no page ended with.
pub async fn list(app: &App, caller: &Caller, find: &FindRooms) -> Result<RoomList, Refusal> {
    Ok(app.store.rooms(caller.user.id, find).await?)
}

/// The caller's own rooms.
///
/// # Errors
/// When the store cannot answer.
pub async fn mine(app: &App, caller: &Caller) -> Result<Vec<MyRoom>, Refusal> {
    Ok(app.store.my_rooms(caller.user.id).await?)
}

/// One room, if the caller may see it.
///
/// # Errors
/// `not_a_member`, `room_not_found`.
pub async fn read(app: &App, caller: &Caller, room: RoomId) -> Result<Room, Refusal> {
    Ok(app.store.room(room, caller.user.id).await?)
}

/// Changes a room.
///
/// # Errors
/// As [`crate::Store::change_room`].
pub async fn change(
    app: &App,
    caller: &Caller,
    room: RoomId,
    wish: &ChangeRoom,
) -> Result<Room, Refusal> {
    let password = wish.password.as_ref().and_then(Option::as_ref);
    if password.is_some() {
        // Hashing is work: only for who may set a password.
        let role = app.store.access(room, caller.user.id).await?.role;
        if !role.may(protocol::Act::ChangeRoom) {
            return Err(ErrorCode::Forbidden.into());
        }
    }
    let password_hash = hashed(app, password).await?;
    let (changed, events) = app
        .store
        .change_room(room, caller.user.id, wish, password_hash, app.clock.now())
        .await?;
    for event in &events {
        let data = serde_json::to_value(&event.kind).unwrap_or_default();
        note(app, caller, AuditAction::RoomChange, room, data).await;
    }
    hint(app, events.last()).await;
    let is_open_again =
        |event: &Event| matches!(&event.kind, EventKind::Archive(archive) if !archive.archived);
    if events.iter().any(is_open_again) {
        tell_members(app, room).await?;
    }
    Ok(changed)
}

/// Deletes a room for everybody. For some time it can be restored.
///
/// # Errors
/// `forbidden`, `conflict` for a conversation.
pub async fn delete(app: &App, caller: &Caller, room: RoomId) -> Result<(), Refusal> {
    delete_as(app, caller, room, As::Owner).await
}

pub(crate) async fn delete_as(
    app: &App,
    caller: &Caller,
    room: RoomId,
    role: As,
) -> Result<(), Refusal> {
    let at = app.clock.now();
    let span = app.settings.room_restore;
    let until = (!span.is_zero()).then(|| at.after(span));
    app.store
        .delete_room(room, (caller.user.id, role), until, at)
        .await?;
    note(app, caller, AuditAction::RoomDelete, room, json!({})).await;
    // A deleted room has no next event to name: whoever follows it looks and finds it gone.
    app.hints.hint(room, Seq(u64::MAX)).await;
    Ok(())
}

/// The rooms that the caller deleted and can restore.
///
/// # Errors
/// When the store cannot answer.
pub async fn deleted(app: &App, caller: &Caller) -> Result<Vec<DeletedRoom>, Refusal> {
    let now = app.clock.now();
    Ok(app.store.deleted_rooms(caller.user.id, now).await?)
}

/// Brings a room back that the caller deleted.
///
/// # Errors
/// `room_not_found`.
pub async fn restore(app: &App, caller: &Caller, room: RoomId) -> Result<Room, Refusal> {
    restore_as(app, caller, room, As::Owner).await?;
    Ok(app.store.room(room, caller.user.id).await?)
}

pub(crate) async fn restore_as(
    app: &App,
    caller: &Caller,
    room: RoomId,
    role: As,
) -> Result<(), Refusal> {
    app.store
        .restore_room(room, (caller.user.id, role), app.clock.now())
        .await?;
    note(app, caller, AuditAction::RoomRestore, room, json!({})).await;
    tell_members(app, room).await
}

/// Tells the devices of a room's members that it can be followed again: whoever followed it was told that it ended.
pub(crate) async fn tell_members(app: &App, room: RoomId) -> Result<(), Refusal> {
    let members = app.store.member_ids(room, TOLD_AT_ONCE).await?;
    app.news.tell(members, Word::RoomAdded { room }).await;
    Ok(())
}

async fn hashed(app: &App, password: Option<&RoomPassword>) -> Result<Option<String>, Refusal> {
    let Some(password) = password else {
        return Ok(None);
    };
    Ok(Some(app.passwords.hash(password.as_str()).await?))
}

async fn note(
    app: &App,
    caller: &Caller,
    action: AuditAction,
    room: RoomId,
    data: serde_json::Value,
) {
    app.audit(caller, action, Some(room.to_string()), data)
        .await;
}

async fn hint(app: &App, event: Option<&Event>) {
    if let Some(event) = event {
        app.hints.hint(event.room, event.seq).await;
    }
}

/// Tells somebody's devices that they are a member no more.
async fn removed(app: &App, room: RoomId, user: UserId, reason: UnsubscribeReason) {
    let removed = Word::RoomRemoved { room, reason };
    app.news.tell(vec![user], removed).await;
}
