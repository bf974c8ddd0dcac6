//! A room as the store has it: everything is asked over HTTP, as its reader sees it.

use anyhow::{Context as _, Result, ensure};
use chatx_e2e::Person;
use protocol::RoomId;
use serde_json::{Map, Value, json};

/// The same shape as [`super::log::Reduced::seen_by`] gives.
pub(crate) async fn seen_by(person: &Person, room: RoomId, is_whole: bool) -> Result<Value> {
    let path = |rest: &str| format!("/v1/rooms/{room}{rest}");
    let get = async |path: String| person.http.get(&path).await?.expect(200);
    let mut messages = Map::new();
    let mut after = 0;
    loop {
        let page = get(path(&format!("/messages?after={after}&limit=200"))).await?;
        let list = page["messages"].as_array().context("a list of messages")?;
        for message in list {
            after = message["seq"].as_u64().context("a seq")?;
            messages.insert(after.to_string(), plain(message));
        }
        if page["has_more"] == false {
            break;
        }
        ensure!(!list.is_empty(), "there is more, and nothing comes");
    }
    let rooms = get("/v1/users/me/rooms".to_owned()).await?;
    let mine = rooms["rooms"]
        .as_array()
        .and_then(|rooms| rooms.iter().find(|mine| mine["id"] == json!(room)));
    let mine = mine.context("a room of one's own")?;
    let pins = get(path("/pins")).await?;
    let pin = |pin: &Value| json!({ "seq": pin["message"]["seq"], "user": pin["user"]["id"], "at": pin["at"] });
    let mut seen = json!({
        "messages": messages,
        "pins": pins["pins"].as_array().context("pins")?.iter().map(pin).collect::<Vec<_>>(),
        "read": mine["read"],
        "unread": mine["unread"],
        "mentions": mine["mentions"],
        "last_message": mine["last_message"]["seq"],
    });
    if is_whole {
        let members = get(path("/members?limit=200")).await?;
        seen["members"] = by_user(
            &members["members"],
            |member| json!({ "role": member["role"], "muted_until": member["muted_until"] }),
        );
        let bans = person.http.get(&path("/bans")).await?;
        if bans.status == 200 {
            seen["bans"] = by_user(
                &bans.body["bans"],
                |ban| json!({ "by": ban["by"], "reason": ban["reason"], "until": ban["until"] }),
            );
        }
        let room = get(path("")).await?;
        seen["room"] = born(&room).into();
        seen["room"]["members"] = room["members"].clone();
        seen["room"]["role"] = room["role"].clone();
    }
    Ok(seen)
}

/// What a room is beside who is in it.
pub(crate) fn born(room: &Value) -> Map<String, Value> {
    let mut born = Map::new();
    for name in [
        "name",
        "topic",
        "visibility",
        "history",
        "max_members",
        "slow_mode_s",
        "has_password",
    ] {
        born.insert(name.to_owned(), room[name].clone());
    }
    born.insert(
        "archived".to_owned(),
        room["archived_at"].is_string().into(),
    );
    born
}

/// A message with every field, also those that are not told when they are empty.
fn plain(message: &Value) -> Value {
    let mut plain = Map::new();
    for name in [
        "seq",
        "id",
        "at",
        "client_id",
        "reply_to",
        "thread",
        "body",
        "edited_at",
        "deleted_at",
        "reactions",
        "files",
        "mentions",
    ] {
        plain.insert(name.to_owned(), message[name].clone());
    }
    plain.insert("user".to_owned(), message["user"]["id"].clone());
    plain.insert(
        "replies".to_owned(),
        message["replies"].as_u64().unwrap_or_default().into(),
    );
    plain.insert("pinned".to_owned(), (message["pinned"] == true).into());
    plain.into()
}

fn by_user(list: &Value, told: impl Fn(&Value) -> Value) -> Value {
    let entry = |entry: &Value| Some((entry["user"]["id"].as_str()?.to_owned(), told(entry)));
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(entry)
        .collect::<Map<_, _>>()
        .into()
}
