//! Coming in, going out, and what people are in a room.

use protocol::{
    ErrorCode, RoomId, UserId,
    audit::AuditAction,
    events::{Event, EventKind},
    frame::{PresenceState, UnsubscribeReason},
    rooms::{ChangeMember, Join, Member, MemberList, Page, Visibility},
    text::RoomPassword,
};
use serde_json::json;

use super::{hint, note, removed};
use crate::{
    App, Caller, Refusal, bots,
    news::Word,
    store::{Door, Entry, Joined, Members},
};

/// The caller joins a room, or adds a bot to it. Who is in already stays in.
///
/// # Errors
/// `banned`, `room_full`, `archived`, `wrong_password`, `invite_not_found`, `not_a_member` for a private
/// room without a password or an invite, `rate_limited` for too many passwords, `room_not_found`.
pub async fn join(app: &App, caller: &Caller, room: RoomId, join: Join) -> Result<Joined, Refusal> {
    if let Some(bot) = join.bot {
        return bots::add(app, caller, room, bot).await;
    }
    let door = app
        .store
        .door(room, caller.user.id, app.clock.now())
        .await?;
    let entry = entry(app, caller, room, &door, join).await?;
    let joined = app
        .store
        .join(room, caller.user.id, &entry, app.clock.now())
        .await?;
    hint(app, joined.event.as_ref()).await;
    if joined.event.is_some() {
        let added = Word::RoomAdded { room };
        app.news.tell(vec![caller.user.id], added).await;
    }
    Ok(joined)
}

/// How the caller gets through `door`. What the store finds under its lock decides in the end.
async fn entry(
    app: &App,
    caller: &Caller,
    room: RoomId,
    door: &Door,
    join: Join,
) -> Result<Entry, Refusal> {
    match (door.visibility, join) {
        _ if door.is_member => Ok(Entry::Open),
        (Visibility::Direct, _) => Err(ErrorCode::RoomNotFound.into()),
        (Visibility::Public, _) => Ok(Entry::Open),
        (
            _,
            Join {
                invite: Some(code), ..
            },
        ) => Ok(Entry::Invite(code.into_string())),
        (Visibility::Secret, _) => Err(ErrorCode::RoomNotFound.into()),
        (Visibility::Private, _) if door.banned => Err(ErrorCode::Banned.into()),
        (
            Visibility::Private,
            Join {
                password: Some(password),
                ..
            },
        ) => try_password(app, caller, room, door, &password).await,
        (Visibility::Private, _) => Err(ErrorCode::NotAMember.into()),
    }
}

/// Holds a password against that of the room; every attempt counts, also those that are right.
async fn try_password(
    app: &App,
    caller: &Caller,
    room: RoomId,
    door: &Door,
    password: &RoomPassword,
) -> Result<Entry, Refusal> {
    let bucket = format!("room_password:{room}:{}", caller.user.id);
    app.limiter
        .check(app.settings.rates.room_password, &bucket)
        .await?;
    match &door.password_hash {
        Some(hash) if app.passwords.verify(password.as_str(), Some(hash)).await? => {
            Ok(Entry::PasswordChecked(hash.clone()))
        }
        _ => Err(ErrorCode::WrongPassword.into()),
    }
}

/// The caller leaves a room.
///
/// # Errors
/// `last_owner`, `not_a_member`, `room_not_found`.
pub async fn leave(app: &App, caller: &Caller, room: RoomId) -> Result<Event, Refusal> {
    let event = app
        .store
        .leave(room, caller.user.id, app.clock.now())
        .await?;
    hint(app, Some(&event)).await;
    removed(app, room, caller.user.id, UnsubscribeReason::Left).await;
    Ok(event)
}

/// A page of the members, with who of them is here unless the room is large.
///
/// # Errors
/// As [`crate::Store::members`].
pub async fn members(
    app: &App,
    caller: &Caller,
    room: RoomId,
    page: &Page,
) -> Result<MemberList, Refusal> {
    let Members { mut list, all } = app.store.members(room, caller.user.id, page).await?;
    if all <= app.settings.limits.presence_named_max_members {
        let users: Vec<UserId> = list.members.iter().map(|member| member.user.id).collect();
        let states = app.presence.states(&users).await;
        for member in &mut list.members {
            member.presence = Some(
                states
                    .get(&member.user.id)
                    .map_or(PresenceState::Offline, |state| state.shown()),
            );
        }
    }
    Ok(list)
}

/// Changes what somebody is in a room, or whether they may write.
///
/// # Errors
/// As [`crate::Store::change_member`].
pub async fn change_member(
    app: &App,
    caller: &Caller,
    room: RoomId,
    user: UserId,
    wish: &ChangeMember,
) -> Result<Member, Refusal> {
    let (member, events) = app
        .store
        .change_member(room, caller.user.id, user, wish, app.clock.now())
        .await?;
    for event in &events {
        let (action, done) = match &event.kind {
            EventKind::Role(done) => (AuditAction::MemberRole, done),
            EventKind::Mute(done) => (AuditAction::MemberMute, done),
            _ => continue,
        };
        let data = json!({ "member": done.member.id, "role": done.role, "until": done.until });
        note(app, caller, action, room, data).await;
    }
    hint(app, events.last()).await;
    Ok(member)
}

/// Removes somebody from a room; they may come back.
///
/// # Errors
/// As [`crate::Store::kick`].
pub async fn kick(
    app: &App,
    caller: &Caller,
    room: RoomId,
    user: UserId,
) -> Result<Event, Refusal> {
    let event = app
        .store
        .kick(room, caller.user.id, user, app.clock.now())
        .await?;
    note(
        app,
        caller,
        AuditAction::MemberKick,
        room,
        json!({ "member": user }),
    )
    .await;
    hint(app, Some(&event)).await;
    removed(app, room, user, UnsubscribeReason::Kicked).await;
    Ok(event)
}
