//! What every operation refuses in the same way: nobody, other sites, bots without a scope, strangers, what is not there,
//! and what is no request.

use http::header;
use protocol::ErrorCode;
use serde_json::{Value, json};

use super::{NOWHERE, Rows, filled, story::Scene};
use crate::{bots::token, server::Person};

/// A body of each operation that its checks let pass.
fn body(operation: &str, scene: &Scene<'_>) -> Value {
    let room = scene.room.as_str();
    match operation
        .split_once("/v1/")
        .map_or(operation, |(_, path)| path)
    {
        "auth/login" => json!({ "login": "nobody", "password": "wrong password" }),
        "auth/register" => {
            json!({ "username": "zed", "email": "zed@example.com", "password": "plain sailing 1843" })
        }
        "auth/refresh" => json!({ "refresh_token": "nothing" }),
        "auth/password" => json!({ "current": "wrong password", "new": "plain sailing 1844" }),
        "auth/reset" => json!({ "login": "nobody" }),
        "auth/reset/confirm" => json!({ "token": "nothing", "new": "plain sailing 1844" }),
        "auth/verify" => json!({ "token": "nothing" }),
        "users/me/identities" => json!({ "provider": "nothing" }),
        "users/me/totp/confirm" => json!({ "code": "000000" }),
        "users/me/totp/codes" => json!({ "totp": "000000" }),
        "rooms" => json!({ "name": "unused" }),
        "rooms/{room}" => json!({ "topic": "unused" }),
        "rooms/{room}/members/{user}" => json!({ "role": "moderator" }),
        "rooms/{room}/messages" | "rooms/{room}/messages/{seq}" | "hooks/{token}" => {
            json!({ "body": "unused" })
        }
        "rooms/{room}/messages/{seq}/report" => json!({ "reason": "spam" }),
        "rooms/{room}/reports/{report}" | "admin/reports/{report}" => {
            json!({ "state": "resolved" })
        }
        "rooms/{room}/read" => json!({ "seq": 1 }),
        "rooms/{room}/hooks" => json!({ "name": "unused" }),
        "dms" => json!({ "user_ids": [NOWHERE] }),
        "bots" => json!({ "username": "unused" }),
        "bots/{bot}/tokens" => json!({ "name": "unused", "scopes": ["rooms:read"] }),
        "bots/{bot}" => json!({ "bio": "unused" }),
        "webhooks" => json!({ "url": "https://example.com/", "rooms": [NOWHERE] }),
        "webhooks/{webhook}" => json!({ "enabled": true }),
        "webhooks/{webhook}/replay" => json!({ "room": room, "after": 0 }),
        "admin/users/{user}" => json!({ "suspended": false }),
        "admin/rooms/{room}" => json!({ "archived": false }),
        _ => json!({}),
    }
}

/// What is in the place of each parameter when nothing is there.
fn unknown(operation: &str) -> Vec<String> {
    let parameters = operation
        .split('{')
        .skip(1)
        .map(|rest| rest.split('}').next().unwrap());
    let place = |name: &str| match name {
        "seq" => "999999".to_owned(),
        "emoji" => "%F0%9F%91%8D".to_owned(),
        "code" | "provider" => "nothing".to_owned(),
        _ => NOWHERE.to_owned(),
    };
    parameters.map(place).collect()
}

pub(super) async fn run<'a>(rows: &mut Rows<'a>, scene: &Scene<'a>) {
    let (_, files_only) = token(&scene.ada, &scene.bot_path(), &["files:write"]).await;
    let (_, rooms_only) = token(&scene.ada, &scene.bot_path(), &["rooms:read"]).await;
    for operation in rows.operations() {
        let other = if operation.ends_with("/files") {
            &rooms_only
        } else {
            &files_only
        };
        if !rows.open.contains(&operation) {
            not_proven(rows, scene, &operation, other).await;
        }
        let who = if operation.contains("/admin/") {
            &scene.root
        } else {
            &scene.ada
        };
        if operation.contains("/v1/") && operation != "GET /v1/users/me/export" {
            no_request(rows, scene, who, &operation).await;
        }
        not_there(rows, scene, who, &operation).await;
    }
}

/// By nobody, by another site with the cookie, by a bot whose token does not open it.
async fn not_proven(rows: &mut Rows<'_>, scene: &Scene<'_>, operation: &str, bot: &str) {
    let unknown = unknown(operation);
    let unknown: Vec<&str> = unknown.iter().map(String::as_str).collect();
    let (method, path) = filled(operation, &unknown);
    let ask = || rows.server().ask(method.clone(), &path);
    let (nobody, by_cookie, by_bot) = (
        ask(),
        ask().header(
            "cookie",
            &format!("chatx_access={}", scene.ada.access_token),
        ),
        ask().header("authorization", &format!("Bearer {bot}")),
    );
    rows.note(operation, nobody, 401).await;
    let refused = rows.note(operation, by_bot, 403).await;
    assert_eq!(refused.code(), Some(ErrorCode::MissingScope), "{operation}");
    if !method.is_safe() {
        let refused = rows.note(operation, by_cookie, 403).await;
        assert_eq!(refused.code(), Some(ErrorCode::Csrf), "{operation}");
    }
}

/// What cannot be read.
async fn no_request(rows: &mut Rows<'_>, scene: &Scene<'_>, who: &Person<'_>, operation: &str) {
    let unknown = unknown(operation);
    let unknown: Vec<&str> = unknown.iter().map(String::as_str).collect();
    let (method, path) = filled(operation, &unknown);
    let is_open = rows.open.contains(operation);
    let server = rows.server();
    let ask = || {
        if is_open {
            server.ask(method.clone(), &path)
        } else {
            who.ask(method.clone(), &path)
        }
    };
    if rows.with_body.contains(operation) && !operation.ends_with("/files") {
        let large = format!("{{\"body\":\"{}\"}}", "a".repeat(256 * 1_024));
        let whole = body(operation, scene).to_string();
        rows.note(operation, ask().body("application/json", "{"), 400)
            .await;
        rows.note(operation, ask().body("application/json", large), 413)
            .await;
        rows.note(
            operation,
            ask().body(
                "text/plain",
                if whole == "{}" {
                    "{\"a\":1}".to_owned()
                } else {
                    whole
                },
            ),
            415,
        )
        .await;
        // What a hook does not know it passes over, but then nothing is left.
        rows.note(operation, ask().json(json!({ "nonsense": 1 })), 422)
            .await;
    }
    let is_read = |name: &str| !matches!(name, "nothing" | "%F0%9F%91%8D");
    let has_id =
        unknown.iter().any(|place| is_read(place)) && !operation.contains("/hooks/{token}");
    if has_id {
        let wrong: Vec<&str> = unknown
            .iter()
            .map(|place| if is_read(place) { "nonsense" } else { place })
            .collect();
        let (_, path) = filled(operation, &wrong);
        let ask = who.ask(method.clone(), path);
        let ask = if rows.with_body.contains(operation) {
            ask.json(body(operation, scene))
        } else {
            ask
        };
        rows.note(operation, ask, 422).await;
    } else if method.is_safe() && rows.promises(operation, 422) {
        // A provider may add to the way back what it likes.
        let query = if operation.ends_with("/callback") {
            "state=1&state=2"
        } else {
            "nonsense=1"
        };
        let ask = who.ask(method.clone(), format!("{path}?{query}"));
        rows.note(operation, ask, 422).await;
    }
}

/// What is nowhere, or not in the room; and a private room to a stranger.
async fn not_there(rows: &mut Rows<'_>, scene: &Scene<'_>, who: &Person<'_>, operation: &str) {
    let unknown = unknown(operation);
    let mut at: Vec<&str> = unknown.iter().map(String::as_str).collect();
    let method = filled(operation, &at).0;
    let with_body = rows.with_body.contains(operation) && !operation.ends_with("/files");
    let mut ask = async |who: &Person<'_>, at: &[&str], status: u16| {
        let query = if operation.ends_with("/receipts") {
            "?seq=1"
        } else {
            ""
        };
        let path = filled(operation, at).1 + query;
        let ask = who.ask(method.clone(), path);
        let ask = if operation.ends_with("/files") {
            ask.body("multipart/form-data; boundary=x", "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\na\r\n--x--\r\n")
        } else if with_body {
            ask.json(body(operation, scene))
        } else {
            ask.header(header::ACCEPT.as_str(), "*/*")
        };
        rows.note(operation, ask, status).await;
    };
    if at.is_empty() || !scene.promises_not_found(operation) {
        return;
    }
    ask(who, &at, 404).await;
    if operation.contains("/v1/rooms/{room}") {
        at[0] = &scene.room;
        // What is of the room itself is there.
        if at.len() > 1 {
            ask(who, &at, 404).await;
        }
        at[0] = &scene.private;
        ask(
            &scene.eve,
            &at,
            if operation.ends_with("/restore") {
                404
            } else {
                403
            },
        )
        .await;
    }
}
