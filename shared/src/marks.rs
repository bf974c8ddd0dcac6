//! What people put on messages, the same over HTTP and on a socket: reactions and pins. What is so already
//! is done, and makes no event.

use protocol::{
    RoomId, Seq,
    marks::{FindReceipts, Pin, React, ReceiptList, Version},
};

use crate::{App, Caller, Refusal, messages::spend, store::Marked};

/// The caller reacts to a message.
///
/// # Errors
/// As [`crate::Store::react`], and `rate_limited`: everybody hears of it, as of a message.
pub async fn react(
    app: &App,
    caller: &Caller,
    room: RoomId,
    react: &React,
) -> Result<Marked, Refusal> {
    spend(app, caller).await?;
    let marked = app
        .store
        .react(room, caller.user.id, react, app.clock.now())
        .await?;
    Ok(told(app, marked).await)
}

/// The caller takes a reaction back.
///
/// # Errors
/// As [`crate::Store::unreact`], and `rate_limited`.
pub async fn unreact(
    app: &App,
    caller: &Caller,
    room: RoomId,
    react: &React,
) -> Result<Marked, Refusal> {
    spend(app, caller).await?;
    let marked = app
        .store
        .unreact(room, caller.user.id, react, app.clock.now())
        .await?;
    Ok(told(app, marked).await)
}

/// The caller pins a message.
///
/// # Errors
/// As [`crate::Store::pin`], and `rate_limited`.
pub async fn pin(app: &App, caller: &Caller, room: RoomId, seq: Seq) -> Result<Marked, Refusal> {
    spend(app, caller).await?;
    let marked = app
        .store
        .pin(room, caller.user.id, seq, app.clock.now())
        .await?;
    Ok(told(app, marked).await)
}

/// The caller takes a pin away.
///
/// # Errors
/// As [`crate::Store::unpin`], and `rate_limited`.
pub async fn unpin(app: &App, caller: &Caller, room: RoomId, seq: Seq) -> Result<Marked, Refusal> {
    spend(app, caller).await?;
    let marked = app
        .store
        .unpin(room, caller.user.id, seq, app.clock.now())
        .await?;
    Ok(told(app, marked).await)
}

/// The pinned messages of a room.
///
/// # Errors
/// `not_a_member`, `room_not_found`.
pub async fn pins(app: &App, caller: &Caller, room: RoomId) -> Result<Vec<Pin>, Refusal> {
    Ok(app.store.pins(room, caller.user.id).await?)
}

/// Who has read up to a place.
///
/// # Errors
/// As [`crate::Store::receipts`].
pub async fn receipts(
    app: &App,
    caller: &Caller,
    room: RoomId,
    find: &FindReceipts,
) -> Result<ReceiptList, Refusal> {
    Ok(app.store.receipts(room, caller.user.id, find).await?)
}

/// What a message said before.
///
/// # Errors
/// As [`crate::Store::versions`].
pub async fn versions(
    app: &App,
    caller: &Caller,
    room: RoomId,
    seq: Seq,
) -> Result<Vec<Version>, Refusal> {
    Ok(app.store.versions(room, caller.user.id, seq).await?)
}

async fn told(app: &App, marked: Marked) -> Marked {
    if !marked.was_so {
        app.hints.hint(marked.room, marked.seq).await;
    }
    marked
}
