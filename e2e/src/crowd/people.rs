//! People who speak through the client, and what is stored of their rooms.

use std::time::Duration;

use anyhow::{Context as _, Result};
use client::{Client, Random, Session, Settings};
use protocol::{
    RoomId, Seq,
    accounts::RegisterBody,
    events::{Event, EventKind, FindEvents},
    rooms::{CreateRoomBody, JoinBody},
};

use crate::{PATIENCE, unique};

/// What everybody here proves to be themselves with.
pub const PASSWORD: &str = "plain sailing 1843";

/// A client that comes back sooner than a person needs it to.
pub fn hasty() -> Settings {
    Settings {
        backoff_first: Duration::from_millis(50),
        backoff_most: Duration::from_millis(400),
        ping_every: Duration::from_millis(500),
        answer_within: Duration::from_secs(3),
        random: Random::seeded(7),
        ..Settings::default()
    }
}

/// Somebody new.
pub async fn register(client: &Client, word: &str) -> Result<Session> {
    let username = unique(word);
    let body = RegisterBody {
        email: Some(format!("{username}@example.com")),
        username: Some(username),
        password: Some(PASSWORD.to_owned()),
        display_name: None,
    };
    Ok(client.register(&body).await?)
}

/// A new public room of `owner`, with `others` in it.
pub async fn room_of(owner: &Session, others: &[&Session]) -> Result<RoomId> {
    let body = CreateRoomBody {
        name: Some(unique("room ")),
        topic: None,
        visibility: None,
        password: None,
        max_members: None,
        history: None,
    };
    let room = owner.create_room(&body).await?.id;
    for other in others {
        other.join(room, &JoinBody::default()).await?;
    }
    Ok(room)
}

/// Everything that is stored of a room.
pub async fn stored(session: &Session, room: RoomId) -> Result<Vec<Event>> {
    let mut events: Vec<Event> = Vec::new();
    loop {
        let after = events.last().map_or(Seq::ZERO, |event| event.seq);
        let page = session
            .events(
                room,
                &FindEvents {
                    after,
                    limit: 200,
                    wait_s: 0,
                },
            )
            .await?;
        let is_last = page.events.is_empty();
        events.extend(page.events);
        if is_last {
            return Ok(events);
        }
    }
}

/// Waits for what should happen, with a bound for failures.
pub async fn soon<T>(what: &str, happens: impl Future<Output = T>) -> Result<T> {
    tokio::time::timeout(PATIENCE, happens)
        .await
        .with_context(|| format!("{what} does not happen"))
}

/// The text of a message.
pub fn body(event: &Event) -> Option<&str> {
    match &event.kind {
        EventKind::Message(content) => Some(&content.body),
        _ => None,
    }
}
