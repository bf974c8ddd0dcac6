//! Which room is meant by a name or an id.

use std::time::Duration;

use anyhow::{Result, bail};
use client::{Error, Session};
use protocol::{
    RoomId, UserId,
    rooms::{FindRooms, MyRoom, Room, Visibility},
    text::RoomName,
};
use tokio::time::sleep;

use crate::exit::{Misused, NoRoom};

/// One of the caller's rooms, by name or id.
pub(crate) async fn own_room(session: &Session, named: &str) -> Result<MyRoom> {
    let rooms = session.my_rooms().await?.rooms;
    if let Ok(id) = named.parse::<RoomId>() {
        let found = rooms.into_iter().find(|room| room.room.id == id);
        return found.ok_or_else(|| NoRoom(named.to_owned()).into());
    }
    let key = RoomName::search_key(named);
    let mut found: Vec<_> = rooms
        .into_iter()
        .filter(|room| RoomName::search_key(&name_of(&room.room, session.user())) == key)
        .collect();
    match found.len() {
        0 => bail!(NoRoom(named.to_owned())),
        1 => Ok(found.remove(0)),
        _ => {
            let ids: Vec<_> = found.iter().map(|room| room.room.id.to_string()).collect();
            let ids = ids.join(", ");
            bail!(Misused(format!(
                "several rooms are called {named}, say which by its id: {ids}"
            )))
        }
    }
}

/// What a room is called: a conversation by the names of the others in it, `@bob` or `@bob,eve`.
pub(crate) fn name_of(room: &Room, me: UserId) -> String {
    if room.visibility != Visibility::Direct {
        return room.name.clone();
    }
    let others = room.people.iter().filter(|person| person.id != me);
    let names: Vec<_> = others.map(|person| person.username.as_str()).collect();
    format!("@{}", names.join(","))
}

/// A room that anyone may find, by name or id.
pub(crate) async fn public_room(session: &Session, named: &str) -> Result<RoomId> {
    if let Ok(id) = named.parse::<RoomId>() {
        return Ok(id);
    }
    let key = RoomName::search_key(named);
    let mut find = FindRooms {
        query: key.clone(),
        limit: 200,
        ..FindRooms::default()
    };
    loop {
        let page = session.find_rooms(&find).await?;
        let is_it = |room: &&Room| RoomName::search_key(&room.name) == key;
        if let Some(room) = page.rooms.iter().find(is_it) {
            return Ok(room.id);
        }
        if page.next_cursor.is_none() {
            bail!(NoRoom(named.to_owned()));
        }
        find.cursor = page.next_cursor;
    }
}

/// Asks again for as long as the server says that it was asked too often.
pub(crate) async fn patiently<T, F>(ask: impl Fn() -> F) -> client::Result<T>
where
    F: Future<Output = client::Result<T>>,
{
    /// When the server does not say.
    const AGAIN: Duration = Duration::from_secs(1);
    loop {
        match ask().await {
            Err(Error::Refused(refusal)) if refusal.is_passing() => {
                sleep(refusal.retry_after.unwrap_or(AGAIN)).await;
            }
            answered => return answered,
        }
    }
}
