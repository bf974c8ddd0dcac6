//! Conversations of named people, and whom the caller keeps out of theirs.

use protocol::{
    Fields, UserId, Violation,
    direct::{Block, MAX_PEOPLE, OpenDirect},
};

use crate::{
    App, Caller, Refusal, messages,
    news::Word,
    store::{Direct, NewDirect},
};

/// The conversation of the caller and the people named, made if there is none.
///
/// # Errors
/// As [`crate::Store::open_direct`], `validation_failed` for a conversation of nobody else or of too many,
/// and `rate_limited`: people are called together by it.
pub async fn open(app: &App, caller: &Caller, wish: OpenDirect) -> Result<Direct, Refusal> {
    let mut people = wish.people;
    people.insert(caller.user.id);
    let violation = match people.len() {
        0 | 1 => Some(Violation::TooShort),
        2..=MAX_PEOPLE => None,
        _ => Some(Violation::TooLong),
    };
    if let Some(violation) = violation {
        return Err(Fields::one("user_ids", violation).into());
    }
    messages::spend(app, caller).await?;
    let wish = NewDirect {
        id: app.clock.id(),
        by: caller.user.id,
        people,
        at: app.clock.now(),
    };
    let direct = app.store.open_direct(&wish).await?;
    if let Some(event) = direct.events.last() {
        app.hints.hint(event.room, event.seq).await;
        let came = direct.events.iter().map(|event| event.user.id).collect();
        let added = Word::RoomAdded { room: event.room };
        app.news.tell(came, added).await;
    }
    Ok(direct)
}

/// The caller blocks somebody.
///
/// # Errors
/// As [`crate::Store::block`].
pub async fn block(app: &App, caller: &Caller, user: UserId) -> Result<(), Refusal> {
    let at = app.clock.now();
    Ok(app.store.block(caller.user.id, user, at).await?)
}

/// The caller blocks somebody no longer.
///
/// # Errors
/// When the store cannot answer.
pub async fn unblock(app: &App, caller: &Caller, user: UserId) -> Result<(), Refusal> {
    Ok(app.store.unblock(caller.user.id, user).await?)
}

/// Whom the caller blocks.
///
/// # Errors
/// When the store cannot answer.
pub async fn blocks(app: &App, caller: &Caller) -> Result<Vec<Block>, Refusal> {
    Ok(app.store.blocks(caller.user.id).await?)
}
