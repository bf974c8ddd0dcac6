//! Keeping people out of a room, and letting them in again.

use protocol::{
    RoomId, UserId,
    audit::AuditAction,
    events::Event,
    frame::UnsubscribeReason,
    rooms::{Ban, NewBan},
};
use serde_json::json;

use super::{hint, note, removed};
use crate::{App, Caller, Refusal};

/// Removes somebody and keeps them out.
///
/// # Errors
/// As [`crate::Store::ban`].
pub async fn ban(
    app: &App,
    caller: &Caller,
    room: RoomId,
    user: UserId,
    ban: &NewBan,
) -> Result<Event, Refusal> {
    let event = app
        .store
        .ban(room, caller.user.id, user, ban, app.clock.now())
        .await?;
    let reason = ban.reason.as_ref().map(protocol::text::Reason::as_str);
    let data = json!({ "member": user, "reason": reason, "until": ban.until });
    note(app, caller, AuditAction::MemberBan, room, data).await;
    hint(app, Some(&event)).await;
    removed(app, room, user, UnsubscribeReason::Banned).await;
    Ok(event)
}

/// Lets somebody in again.
///
/// # Errors
/// `ban_not_found`, `forbidden`.
pub async fn unban(
    app: &App,
    caller: &Caller,
    room: RoomId,
    user: UserId,
) -> Result<Event, Refusal> {
    let event = app
        .store
        .unban(room, caller.user.id, user, app.clock.now())
        .await?;
    note(
        app,
        caller,
        AuditAction::MemberUnban,
        room,
        json!({ "member": user }),
    )
    .await;
    hint(app, Some(&event)).await;
    Ok(event)
}

/// Who is kept out.
///
/// # Errors
/// `forbidden`.
pub async fn bans(app: &App, caller: &Caller, room: RoomId) -> Result<Vec<Ban>, Refusal> {
    Ok(app
        .store
        .bans(room, caller.user.id, app.clock.now())
        .await?)
}
