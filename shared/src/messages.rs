//! What people do with messages, the same over HTTP and on a socket. A socket's sends go to the room's
//! own coordinator first, which hands them to the appender itself.

use protocol::{
    RoomId, Seq, UserId,
    audit::AuditAction,
    events::Event,
    messages::{Edit, History, Message, MessageContent, MessageKind, MessageList, NewMessage},
    text::ClientId,
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    App, Caller, Refusal,
    broken_rule::BrokenRule,
    store::{Append, Appended, Place},
};

/// Stores a message, and says whether an earlier one of the same `client_id` was stored already, which
/// is then the answer.
///
/// # Errors
/// `rate_limited`, what the gate says (see [`crate::Store::append`]), or `unavailable` when the store was
/// away for too long.
pub async fn send(
    app: &App,
    caller: &Caller,
    room: RoomId,
    new: NewMessage,
) -> Result<(Message, bool), Refusal> {
    spend(app, caller).await?;
    let entry = Append {
        room,
        id: app.clock.id(),
        user: caller.user.id,
        client_id: stored_name(new.client_id.unwrap_or_else(any_client_id)),
        body: new.body,
        reply_to: new.reply_to,
        thread: new.thread,
        files: new.files,
        at: app.clock.now(),
    };
    match app.appender.submit(entry.clone())?.await? {
        Appended::Stored(place) => {
            app.hints.hint(room, place.seq).await;
            has_read(app, caller, room, place.seq).await;
            Ok((stored(caller, entry, place), false))
        }
        Appended::Duplicate(place) => Ok((
            app.store.message(room, caller.user.id, place.seq).await?,
            true,
        )),
        Appended::Refused(refusal) => Err(refusal),
    }
}

/// Who writes has read what came before. The message is stored, so a mark that is not is only logged.
async fn has_read(app: &App, caller: &Caller, room: RoomId, seq: Seq) {
    let (user, now) = (caller.user.id, app.clock.now());
    if let Err(error) = app.store.mark_read(room, user, seq, now).await {
        tracing::warn!(%error, room.id = %room, user.id = %user, "a read mark is not moved");
    }
}

/// Takes one token of what the caller may say: each message, and whatever is as loud as one.
///
/// # Errors
/// `rate_limited`.
pub(crate) async fn spend(app: &App, caller: &Caller) -> Result<(), Refusal> {
    let bucket = send_bucket(caller.user.id);
    app.limiter.check(app.settings.rates.send, &bucket).await?;
    Ok(())
}

/// The bucket from which it is taken, over HTTP and on sockets.
pub fn send_bucket(user: UserId) -> String {
    format!("send:user:{user}")
}

/// The name under which a message is stored: the sender's own.
pub fn stored_name(client_id: ClientId) -> ClientId {
    if BrokenRule::NoDedupe.is_broken() {
        any_client_id()
    } else {
        client_id
    }
}

/// A name for the message of a client that has none for it, and so never sends it again.
fn any_client_id() -> ClientId {
    ClientId::parse(&Uuid::new_v4().to_string())
        .expect("a uuid is printable ascii of 36 characters")
}

fn stored(caller: &Caller, entry: Append, place: Place) -> Message {
    Message {
        room: entry.room,
        seq: place.seq,
        id: place.id,
        kind: MessageKind::Message,
        user: caller.user.clone(),
        at: place.at,
        content: MessageContent {
            client_id: Some(entry.client_id),
            body: entry.body.into_string(),
            reply_to: entry.reply_to,
            thread: entry.thread,
            mentions: place.mentions,
            files: place.files,
            ..MessageContent::default()
        },
    }
}

/// A stretch of a room's messages.
///
/// # Errors
/// `not_a_member`, `room_not_found`.
pub async fn history(
    app: &App,
    caller: &Caller,
    room: RoomId,
    history: &History,
) -> Result<MessageList, Refusal> {
    Ok(app.store.history(room, caller.user.id, history).await?)
}

/// Gives the caller's own message another text.
///
/// # Errors
/// As [`crate::Store::edit`], and `rate_limited`: an edit is as loud as a message.
pub async fn edit(
    app: &App,
    caller: &Caller,
    room: RoomId,
    seq: Seq,
    edit: &Edit,
) -> Result<Event, Refusal> {
    spend(app, caller).await?;
    let event = app
        .store
        .edit(room, caller.user.id, seq, &edit.body, app.clock.now())
        .await?;
    app.hints.hint(room, event.seq).await;
    Ok(event)
}

/// Deletes a message, the caller's own or, for moderators, another's.
///
/// # Errors
/// As [`crate::Store::erase`].
pub async fn delete(app: &App, caller: &Caller, room: RoomId, seq: Seq) -> Result<Event, Refusal> {
    let message = app.store.message(room, caller.user.id, seq).await?;
    let event = app
        .store
        .erase(room, caller.user.id, seq, app.clock.now())
        .await?;
    if message.user.id != caller.user.id {
        let data = json!({ "seq": seq, "sender": message.user.id });
        app.audit(
            caller,
            AuditAction::MessageDelete,
            Some(room.to_string()),
            data,
        )
        .await;
    }
    app.hints.hint(room, event.seq).await;
    Ok(event)
}

/// Marks a room as read up to a place, and tells the caller's other devices and those who follow the room. The
/// mark only moves forward.
///
/// # Errors
/// `not_a_member`, `room_not_found`.
pub async fn mark_read(app: &App, caller: &Caller, room: RoomId, seq: Seq) -> Result<(), Refusal> {
    let (user, now) = (caller.user.id, app.clock.now());
    if let Some(mark) = app.store.mark_read(room, user, seq, now).await? {
        app.news.tell_all(vec![mark.into()]).await;
    }
    Ok(())
}
