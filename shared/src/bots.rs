//! What people do with bots: making them, giving them tokens, adding them to rooms. Bots themselves do
//! what people do, by the same operations.

use std::time::Duration;

use protocol::{
    ErrorCode, RoomId, SessionId, UserId,
    audit::AuditAction,
    bots::{Bot, BotList, BotToken, ChangeBot, FindBots, FreshToken, NewBot, NewBotToken},
};
use serde_json::json;

use crate::{
    App, Caller, Refusal,
    store::{Joined, NewBotAccount, NewSession, NewToken},
    token::FreshBearer,
};

/// Makes a bot, which the caller answers for.
///
/// # Errors
/// `username_taken`, `conflict`.
pub async fn create(app: &App, caller: &Caller, new: NewBot) -> Result<Bot, Refusal> {
    let username = new.username.as_str().to_owned();
    let display_name = new
        .display_name
        .as_ref()
        .map(|name| name.as_str().to_owned());
    let account = NewBotAccount {
        id: app.clock.id(),
        display_name: display_name.unwrap_or_else(|| username.clone()),
        username,
        bio: new.bio,
        owner: caller.user.id,
        at: app.clock.now(),
    };
    let bot = app.store.create_bot(&account).await?;
    let data = json!({ "username": bot.username });
    note(app, caller, AuditAction::BotCreate, bot.id, data).await;
    Ok(bot)
}

/// The caller's bots, or everybody's.
///
/// # Errors
/// `forbidden` for everybody's, if the caller is no server admin.
pub async fn list(app: &App, caller: &Caller, find: &FindBots) -> Result<BotList, Refusal> {
    if find.all && !caller.admin {
        return Err(ErrorCode::Forbidden.into());
    }
    let owner = (!find.all).then_some(caller.user.id);
    Ok(app.store.bots(owner, find).await?)
}

/// A bot, for who answers for it and for server admins.
///
/// # Errors
/// `bot_not_found`, also of another's.
pub async fn read(app: &App, caller: &Caller, bot: UserId) -> Result<Bot, Refusal> {
    let bot = app.store.bot(bot).await?;
    if bot.owner_id == caller.user.id || caller.admin {
        Ok(bot)
    } else {
        Err(ErrorCode::BotNotFound.into())
    }
}

/// Changes what a bot says about itself.
///
/// # Errors
/// As [`read`].
pub async fn change(
    app: &App,
    caller: &Caller,
    bot: UserId,
    change: &ChangeBot,
) -> Result<Bot, Refusal> {
    read(app, caller, bot).await?;
    let changed = app.store.change_bot(bot, &change.0).await?;
    note(app, caller, AuditAction::BotChange, bot, json!({})).await;
    Ok(changed)
}

/// Deletes a bot: its tokens are revoked, and it leaves its rooms.
///
/// # Errors
/// As [`read`], and `last_owner` if it has a room.
pub async fn delete(app: &App, caller: &Caller, bot: UserId) -> Result<(), Refusal> {
    read(app, caller, bot).await?;
    let (revoked, events) = app.store.delete_bot(bot, app.clock.now()).await?;
    app.revocations.spread(&revoked).await;
    for event in &events {
        app.hints.hint(event.room, event.seq).await;
    }
    note(app, caller, AuditAction::BotDelete, bot, json!({})).await;
    Ok(())
}

/// The tokens of a bot.
///
/// # Errors
/// As [`read`].
pub async fn tokens(app: &App, caller: &Caller, bot: UserId) -> Result<Vec<BotToken>, Refusal> {
    read(app, caller, bot).await?;
    Ok(app.store.tokens(bot, app.clock.now()).await?)
}

/// Makes a token for a bot.
///
/// # Errors
/// As [`read`], and `conflict`.
pub async fn create_token(
    app: &App,
    caller: &Caller,
    bot: UserId,
    wish: NewBotToken,
) -> Result<FreshToken, Refusal> {
    read(app, caller, bot).await?;
    let FreshBearer { text, hash } = FreshBearer::of_bot();
    let at = app.clock.now();
    let life = wish
        .expires_in_s
        .map_or(NewToken::FOR_GOOD, Duration::from_secs);
    let new = NewToken {
        session: NewSession {
            id: app.clock.id(),
            user: bot,
            device: wish.name.as_str().to_owned(),
            ip: caller.ip,
            at,
            expires_at: at.after(life),
        },
        wish,
        hash,
    };
    let about = app.store.create_token(&new).await?;
    let data = json!({ "token": about.id, "scopes": about.scopes, "expires_at": about.expires_at });
    note(app, caller, AuditAction::TokenCreate, bot, data).await;
    Ok(FreshToken { about, token: text })
}

/// Revokes a token of a bot. Its sockets close within a second.
///
/// # Errors
/// As [`read`], and `token_not_found`.
pub async fn delete_token(
    app: &App,
    caller: &Caller,
    bot: UserId,
    token: SessionId,
) -> Result<(), Refusal> {
    read(app, caller, bot).await?;
    app.store.revoke_token(bot, token, app.clock.now()).await?;
    app.revocations.spread(&[token]).await;
    let data = json!({ "token": token });
    note(app, caller, AuditAction::TokenDelete, bot, data).await;
    Ok(())
}

/// Adds a bot to a room.
///
/// # Errors
/// As [`crate::Store::add_bot`].
pub(crate) async fn add(
    app: &App,
    caller: &Caller,
    room: RoomId,
    bot: UserId,
) -> Result<Joined, Refusal> {
    let joined = app
        .store
        .add_bot(room, caller.user.id, bot, app.clock.now())
        .await?;
    if let Some(event) = &joined.event {
        app.hints.hint(event.room, event.seq).await;
    }
    Ok(joined)
}

async fn note(
    app: &App,
    caller: &Caller,
    action: AuditAction,
    bot: UserId,
    data: serde_json::Value,
) {
    app.audit(caller, action, Some(bot.to_string()), data).await;
}
