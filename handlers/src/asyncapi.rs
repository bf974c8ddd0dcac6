//! The AsyncAPI document of the socket. The server's frames come from the types that encode them;
//! the client's are listed here, for what reads them takes any field and says which is wrong.

use protocol::{Limits, frame::ServerFrame};
use serde_json::{Map, Value, json};
use utoipa::{PartialSchema, ToSchema};

/// The document.
pub(crate) fn document() -> Value {
    let said = client_messages();
    let heard = server_messages();
    let on_channel = |messages: &Map<String, Value>| -> Vec<Value> {
        messages
            .keys()
            .map(|name| json!({ "$ref": format!("#/channels/socket/messages/{name}") }))
            .collect()
    };
    let in_channel: Map<String, Value> = said
        .keys()
        .chain(heard.keys())
        .map(|name| {
            (
                name.clone(),
                json!({ "$ref": format!("#/components/messages/{name}") }),
            )
        })
        .collect();
    let operations = json!({
        "say": {
            "action": "receive",
            "summary": "What a client says.",
            "channel": { "$ref": "#/channels/socket" },
            "messages": on_channel(&said),
        },
        "hear": {
            "action": "send",
            "summary": "What the server says.",
            "channel": { "$ref": "#/channels/socket" },
            "messages": on_channel(&heard),
        },
    });
    let messages: Map<String, Value> = said.into_iter().chain(heard).collect();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "ChatX socket",
            "version": env!("CARGO_PKG_VERSION"),
            "description": include_str!("asyncapi.md"),
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "defaultContentType": "application/json",
        "channels": {
            "socket": {
                "address": "/v1/socket",
                "messages": in_channel,
                "bindings": { "ws": { "method": "GET", "query": {
                    "type": "object",
                    "properties": { "ticket": { "type": "string", "description": "From `POST /v1/socket`." } },
                } } },
            },
        },
        "operations": operations,
        "components": { "messages": messages, "schemas": schemas() },
    })
}

/// Every frame of the client: its name, what it is for, its own fields, and those of them that must be there.
fn client_messages() -> Map<String, Value> {
    let limits = Limits::default();
    let id = || json!({ "type": "string", "format": "uuid" });
    let text = |max: usize| json!({ "type": "string", "maxLength": max });
    let seq = || json!({ "type": "integer", "minimum": 0 });
    let body = || json!({ "type": "string", "minLength": 1, "maxLength": limits.body_max_chars });
    let room = || json!({ "room": id() });
    let of_schema = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let frames = [
        frame(
            "subscribe",
            "Follow a room; answered by `subscribed`.",
            &["room"],
            json!({
                "room": id(), "after": seq(), "after_id": id(),
                "limit": { "type": "integer", "minimum": 0, "maximum": limits.page_max },
            }),
            None,
        ),
        frame(
            "unsubscribe",
            "Stop following a room; answered by `ok`.",
            &["room"],
            room(),
            None,
        ),
        frame(
            "send",
            "Write a message; answered by `ack`. With `files`, `body` may be left out.",
            &["room", "client_id"],
            json!({
                "room": id(), "body": body(), "reply_to": seq(), "thread": seq(),
                "files": { "type": "array", "items": id(), "maxItems": 10, "uniqueItems": true },
                "client_id": { "type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[ -~]+$" },
            }),
            None,
        ),
        frame(
            "edit",
            "Change the text of one's message; answered by `ack`.",
            &["room", "seq", "body"],
            json!({
                "room": id(), "seq": seq(), "body": body(),
            }),
            None,
        ),
        frame(
            "delete",
            "Delete a message; answered by `ack`.",
            &["room", "seq"],
            json!({
                "room": id(), "seq": seq(),
            }),
            None,
        ),
        frame(
            "react",
            "React to a message; answered by `ack`.",
            &["room", "seq", "emoji"],
            json!({
                "room": id(), "seq": seq(), "emoji": text(64),
            }),
            None,
        ),
        frame(
            "unreact",
            "Take a reaction back; answered by `ack`.",
            &["room", "seq", "emoji"],
            json!({
                "room": id(), "seq": seq(), "emoji": text(64),
            }),
            None,
        ),
        frame(
            "pin",
            "Pin a message; answered by `ack`.",
            &["room", "seq"],
            json!({
                "room": id(), "seq": seq(),
            }),
            None,
        ),
        frame(
            "unpin",
            "Take a pin away; answered by `ack`.",
            &["room", "seq"],
            json!({
                "room": id(), "seq": seq(),
            }),
            None,
        ),
        frame(
            "set_read",
            "Mark as read up to a place; not answered.",
            &["room", "seq"],
            json!({
                "room": id(), "seq": seq(),
            }),
            None,
        ),
        frame(
            "set_typing",
            "Begin or stop typing; not answered.",
            &["room", "on"],
            json!({
                "room": id(), "on": { "type": "boolean" },
            }),
            None,
        ),
        frame(
            "set_presence",
            "Be here in another way; not answered.",
            &["state"],
            json!({
                "state": { "type": "string", "enum": ["online", "away", "dnd", "invisible"] },
            }),
            None,
        ),
        frame(
            "create_room",
            "Make a room; answered by `ok` with the room.",
            &[],
            json!({}),
            Some(of_schema("CreateRoomBody")),
        ),
        frame(
            "join",
            "Become a member; answered by `ok` with the membership.",
            &["room"],
            room(),
            Some(of_schema("JoinBody")),
        ),
        frame(
            "leave",
            "Stop being a member; answered by `ok`.",
            &["room"],
            room(),
            None,
        ),
        frame(
            "delete_room",
            "Delete a room; answered by `ok`.",
            &["room"],
            room(),
            None,
        ),
        frame(
            "list_rooms",
            "Find rooms; answered by `ok` with a page.",
            &[],
            json!({}),
            Some(of_schema("RoomsQuery")),
        ),
        frame(
            "history",
            "Read messages; answered by `ok` with a stretch of them.",
            &["room"],
            room(),
            Some(of_schema("HistoryQuery")),
        ),
        frame(
            "members",
            "List members; answered by `ok` with a page.",
            &["room"],
            room(),
            Some(of_schema("PageQuery")),
        ),
        frame(
            "refresh",
            "Let the socket live as long as a new access token; answered by `ok`.",
            &["token"],
            json!({ "token": text(4_096) }),
            None,
        ),
        frame("ping", "Ask for a `pong`.", &[], json!({}), None),
    ];
    frames.into_iter().collect()
}

/// One frame of the client, by the name that it has in the document. Where a frame of the server has
/// the same type, the name begins with `set_`.
fn frame(
    name: &str,
    summary: &str,
    required: &[&str],
    mut properties: Value,
    more: Option<Value>,
) -> (String, Value) {
    let kind = name.strip_prefix("set_").unwrap_or(name);
    properties["type"] = json!({ "type": "string", "const": kind });
    properties["id"] =
        json!({ "type": "string", "maxLength": 64, "description": "The answer echoes it." });
    let required: Vec<&str> = required.iter().copied().chain(["type"]).collect();
    let own = json!({ "type": "object", "properties": properties, "required": required });
    let payload = match more {
        Some(more) => json!({ "allOf": [more, own] }),
        None => own,
    };
    (
        name.to_owned(),
        json!({ "name": name, "summary": summary, "payload": payload }),
    )
}

/// Every frame of the server. Those that share a type with a frame of the client begin with `on_`.
fn server_messages() -> Map<String, Value> {
    let schema = serde_json::to_value(ServerFrame::schema()).expect("a schema is JSON");
    let variants = schema["oneOf"].as_array().cloned().unwrap_or_default();
    let message = |variant: Value| {
        let kind = type_of(&variant)?.to_owned();
        let is_shared = matches!(kind.as_str(), "presence" | "typing" | "read");
        let name = if is_shared {
            format!("on_{kind}")
        } else {
            kind
        };
        let summary = variant["description"].clone();
        Some((
            name.clone(),
            json!({ "name": name, "summary": summary, "payload": variant }),
        ))
    };
    variants.into_iter().filter_map(message).collect()
}

/// The one word that `type` may be in a frame of this schema.
fn type_of(schema: &Value) -> Option<&str> {
    let own = &schema["properties"]["type"];
    let word = own["const"].as_str().or_else(|| own["enum"][0].as_str());
    word.or_else(|| schema["allOf"].as_array()?.iter().find_map(type_of))
}

/// What the payloads refer to.
fn schemas() -> Map<String, Value> {
    let mut schemas = Vec::new();
    ServerFrame::schemas(&mut schemas);
    protocol::rooms::CreateRoomBody::schemas(&mut schemas);
    protocol::messages::HistoryQuery::schemas(&mut schemas);
    schemas.push((
        "CreateRoomBody".to_owned(),
        protocol::rooms::CreateRoomBody::schema(),
    ));
    schemas.push(("JoinBody".to_owned(), protocol::rooms::JoinBody::schema()));
    schemas.push((
        "RoomsQuery".to_owned(),
        protocol::rooms::RoomsQuery::schema(),
    ));
    schemas.push(("RoomSort".to_owned(), protocol::rooms::RoomSort::schema()));
    schemas.push((
        "HistoryQuery".to_owned(),
        protocol::messages::HistoryQuery::schema(),
    ));
    schemas.push(("PageQuery".to_owned(), protocol::rooms::PageQuery::schema()));
    let json = |schema| serde_json::to_value(schema).expect("a schema is JSON");
    schemas
        .into_iter()
        .map(|(name, schema)| (name, json(schema)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                found.extend(
                    object
                        .get("$ref")
                        .and_then(Value::as_str)
                        .map(str::to_owned),
                );
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_frame_of_the_server_is_told() {
        let names: Vec<String> = server_messages().keys().cloned().collect();
        let all = [
            "ack",
            "error",
            "event",
            "goaway",
            "ok",
            "on_presence",
            "on_read",
            "on_typing",
            "pong",
            "ready",
            "reports",
            "room_added",
            "room_removed",
            "subscribed",
            "unsubscribed",
            "user",
        ];
        assert_eq!(names, all);
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 40);
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }
}
