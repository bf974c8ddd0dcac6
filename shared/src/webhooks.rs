//! What people do with webhooks: making, changing, replaying them. Delivering is
//! [`crate::delivering`]'s.

use std::net::IpAddr;

use protocol::{
    Act, ErrorCode, Fields, RoomId, Violation, WebhookId,
    audit::AuditAction,
    webhooks::{ChangeWebhook, FreshWebhook, NewWebhook, Replay, TargetUrl, Webhook},
};
use serde_json::json;

use crate::{
    App, Caller, Refusal,
    outside::is_public,
    store::{NewWebhookRow, WebhookChanges, Webhooks},
    token::bearer::random_text,
};

/// Makes a webhook.
///
/// # Errors
/// As [`crate::Store::create_webhook`], and `validation_failed` for an address that is not everybody's.
pub async fn create(app: &App, caller: &Caller, new: NewWebhook) -> Result<FreshWebhook, Refusal> {
    must_be_public(app, &new.url)?;
    let id: WebhookId = app.clock.id();
    let secret = new
        .secret
        .map_or_else(random_text, |secret| secret.as_str().to_owned());
    let row = NewWebhookRow {
        id,
        user: caller.user.id,
        url: new.url.as_str().to_owned(),
        kinds: new.kinds,
        secret: sealed(app, id, &secret),
        rooms: new.rooms,
        at: app.clock.now(),
    };
    app.store.create_webhook(&row).await?;
    let data = json!({ "rooms": row.rooms });
    note(app, caller, AuditAction::WebhookCreate, id, data).await;
    app.store.nudges().wait_also(row.rooms);
    Ok(FreshWebhook {
        about: app.store.webhook(id).await?,
        secret,
    })
}

/// The caller's webhooks, or those of a room that the caller may arrange. Of another's, the path is
/// left out: it may be a secret between them and whom they told.
///
/// # Errors
/// `forbidden`, `not_a_member`, `room_not_found`.
pub async fn list(
    app: &App,
    caller: &Caller,
    room: Option<RoomId>,
) -> Result<Vec<Webhook>, Refusal> {
    let Some(room) = room else {
        return Ok(app.store.webhooks(Webhooks::Of(caller.user.id)).await?);
    };
    let access = app.store.access(room, caller.user.id).await?;
    if !access.role.may(Act::ChangeRoom) {
        return Err(ErrorCode::Forbidden.into());
    }
    let mut webhooks = app.store.webhooks(Webhooks::In(room)).await?;
    for webhook in &mut webhooks {
        if webhook.user_id != caller.user.id {
            webhook.url = origin(&webhook.url).to_owned();
        }
    }
    Ok(webhooks)
}

/// A webhook, for who made it and for server admins.
///
/// # Errors
/// `webhook_not_found`, also of another's.
pub async fn read(app: &App, caller: &Caller, id: WebhookId) -> Result<Webhook, Refusal> {
    let webhook = app.store.webhook(id).await?;
    if webhook.user_id == caller.user.id || caller.admin {
        Ok(webhook)
    } else {
        Err(ErrorCode::WebhookNotFound.into())
    }
}

/// Changes a webhook.
///
/// # Errors
/// As [`read`] and [`create`].
pub async fn change(
    app: &App,
    caller: &Caller,
    id: WebhookId,
    change: ChangeWebhook,
) -> Result<Webhook, Refusal> {
    let maker = read(app, caller, id).await?.user_id;
    if let Some(url) = &change.url {
        must_be_public(app, url)?;
    }
    let data = json!({
        "url": change.url.is_some(), "secret": change.secret.is_some(), "rooms": change.rooms,
        "kinds": change.kinds, "enabled": change.enabled,
    });
    let changes = WebhookChanges {
        url: change.url.map(|url| url.as_str().to_owned()),
        kinds: change.kinds,
        secret: change.secret.map(|secret| sealed(app, id, secret.as_str())),
        rooms: change.rooms,
        enabled: change.enabled,
    };
    let at = app.clock.now();
    app.store.change_webhook(id, maker, &changes, at).await?;
    note(app, caller, AuditAction::WebhookChange, id, data).await;
    let webhook = app.store.webhook(id).await?;
    look(app, &webhook);
    Ok(webhook)
}

/// Removes a webhook.
///
/// # Errors
/// As [`read`].
pub async fn delete(app: &App, caller: &Caller, id: WebhookId) -> Result<(), Refusal> {
    read(app, caller, id).await?;
    app.store.delete_webhook(id).await?;
    note(app, caller, AuditAction::WebhookDelete, id, json!({})).await;
    Ok(())
}

/// Lets a webhook deliver a room from another place on.
///
/// # Errors
/// As [`read`], and `room_not_found`.
pub async fn replay(
    app: &App,
    caller: &Caller,
    id: WebhookId,
    replay: Replay,
) -> Result<Webhook, Refusal> {
    read(app, caller, id).await?;
    app.store.replay(id, &replay).await?;
    let data = json!({ "room": replay.room, "after": replay.after });
    note(app, caller, AuditAction::WebhookReplay, id, data).await;
    let webhook = app.store.webhook(id).await?;
    look(app, &webhook);
    Ok(webhook)
}

fn look(app: &App, webhook: &Webhook) {
    let nudges = app.store.nudges();
    nudges.wait_also(webhook.rooms.iter().map(|room| room.room));
    nudges.look();
}

fn sealed(app: &App, id: WebhookId, secret: &str) -> Vec<u8> {
    app.secrets.seal(&id.to_string(), secret.as_bytes())
}

/// Says early what would fail later anyway. Where a name leads is looked up when there is something
/// to deliver, each time.
fn must_be_public(app: &App, url: &TargetUrl) -> Result<(), Refusal> {
    let wrong = || Fields::one("url", Violation::Invalid).into();
    let uri: http::Uri = url.as_str().parse().map_err(|_| wrong())?;
    let host = uri.host().ok_or_else(wrong)?;
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    match address {
        Ok(address) if !is_public(address) && !app.settings.webhook_private_targets => Err(wrong()),
        _ => Ok(()),
    }
}

/// `https://example.com/secret` → `https://example.com`
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..]
        .find(['/', '?'])
        .map_or(url.len(), |at| host + at);
    &url[..end]
}

async fn note(
    app: &App,
    caller: &Caller,
    action: AuditAction,
    id: WebhookId,
    data: serde_json::Value,
) {
    app.audit(caller, action, Some(id.to_string()), data).await;
}
