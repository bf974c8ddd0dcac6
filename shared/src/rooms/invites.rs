//! Codes that let people into a room.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use protocol::{
    RoomId,
    audit::AuditAction,
    rooms::{Invite, NewInvite},
};
use serde_json::json;
use uuid::Uuid;

use super::note;
use crate::{App, Caller, Refusal};

/// Makes an invite.
///
/// # Errors
/// `forbidden`, `archived`.
pub async fn invite(
    app: &App,
    caller: &Caller,
    room: RoomId,
    new: &NewInvite,
) -> Result<Invite, Refusal> {
    // 122 random bits: nobody guesses a code.
    let code = URL_SAFE_NO_PAD.encode(Uuid::new_v4().as_bytes());
    let invite = app
        .store
        .create_invite(room, caller.user.id, &code, new, app.clock.now())
        .await?;
    let data = json!({ "max_uses": invite.max_uses, "expires_at": invite.expires_at });
    note(app, caller, AuditAction::InviteCreate, room, data).await;
    Ok(invite)
}

/// The invites that the caller may see.
///
/// # Errors
/// When the caller may not read the room.
pub async fn invites(app: &App, caller: &Caller, room: RoomId) -> Result<Vec<Invite>, Refusal> {
    Ok(app
        .store
        .invites(room, caller.user.id, app.clock.now())
        .await?)
}

/// Takes an invite back.
///
/// # Errors
/// `invite_not_found`.
pub async fn delete_invite(
    app: &App,
    caller: &Caller,
    room: RoomId,
    code: &str,
) -> Result<(), Refusal> {
    app.store.delete_invite(room, caller.user.id, code).await?;
    note(app, caller, AuditAction::InviteDelete, room, json!({})).await;
    Ok(())
}
