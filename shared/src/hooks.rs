//! Hooks: making ways into a room, and what comes through them.

use std::net::IpAddr;

use protocol::{
    ErrorCode, HookId, RoomId, SessionId,
    accounts::UserSummary,
    audit::AuditAction,
    hooks::{FreshHook, Hook, NewHook, Post},
    messages::{Message, NewMessage},
};
use serde_json::json;

use crate::{
    App, Caller, Refusal, messages,
    store::{HookSpeaker, NewHookRow},
    token::{FreshBearer, bearer::bearer_hash},
};

/// Makes a hook.
///
/// # Errors
/// As [`crate::Store::create_hook`].
pub async fn create(
    app: &App,
    caller: &Caller,
    room: RoomId,
    new: &NewHook,
) -> Result<FreshHook, Refusal> {
    let FreshBearer { text, hash } = FreshBearer::of_hook();
    let id: HookId = app.clock.id();
    let name = new.name.as_str().to_owned();
    let simple = id.uuid().simple().to_string();
    let row = NewHookRow {
        id,
        room,
        by: caller.user.id,
        user: UserSummary {
            id: app.clock.id(),
            // The end of an id is its random part, and leaves a name that somebody can read.
            username: format!("hook-{}", &simple[simple.len() - 16..]),
            display_name: name.clone(),
        },
        name,
        hash,
        at: app.clock.now(),
    };
    let (about, event) = app.store.create_hook(&row).await?;
    app.hints.hint(event.room, event.seq).await;
    let data = json!({ "hook": id, "name": about.name });
    note(app, caller, AuditAction::HookCreate, room, data).await;
    let base = app.settings.public_base();
    Ok(FreshHook {
        about,
        url: format!("{base}/v1/hooks/{text}"),
    })
}

/// The hooks of a room.
///
/// # Errors
/// As [`crate::Store::hooks`].
pub async fn list(app: &App, caller: &Caller, room: RoomId) -> Result<Vec<Hook>, Refusal> {
    Ok(app.store.hooks(room, caller.user.id).await?)
}

/// Takes a hook away.
///
/// # Errors
/// As [`crate::Store::delete_hook`].
pub async fn delete(app: &App, caller: &Caller, room: RoomId, hook: HookId) -> Result<(), Refusal> {
    let left = app
        .store
        .delete_hook(room, caller.user.id, hook, app.clock.now())
        .await?;
    if let Some(event) = left {
        app.hints.hint(event.room, event.seq).await;
    }
    let data = json!({ "hook": hook });
    note(app, caller, AuditAction::HookDelete, room, data).await;
    Ok(())
}

/// Takes what is posted to a hook's url, and says whether it was stored before.
///
/// # Errors
/// `hook_not_found`, or as [`messages::send`].
pub async fn post(
    app: &App,
    token: &str,
    ip: IpAddr,
    request_id: String,
    post: Post,
) -> Result<(Message, bool), Refusal> {
    let speaker = app.store.speaker_of_hook(&bearer_hash(token)).await?;
    let HookSpeaker { id, user, room } = speaker.ok_or(ErrorCode::HookNotFound)?;
    let caller = Caller {
        user,
        // It has none; nothing that it does asks for one.
        session: SessionId::from_uuid(id.uuid()),
        ip,
        request_id,
        admin: false,
        scopes: None,
    };
    let new = NewMessage {
        body: post.body,
        client_id: post.client_id,
        reply_to: None,
        thread: None,
        files: Vec::new(),
    };
    messages::send(app, &caller, room, new).await
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
