//! Bots: whose they are, what their tokens open, and that nothing else does.

use std::time::Duration;

use http::Method;
use protocol::{ErrorCode, bots::Scope};
use serde_json::{Value, json};

use crate::server::{Ask, Person, Server};

/// Makes a bot and answers its path and id.
pub(crate) async fn bot(owner: &Person<'_>, username: &str) -> (String, String) {
    let made = owner
        .post("/v1/bots")
        .json(json!({ "username": username }))
        .await_status(201)
        .await
        .json;
    let id = made["id"].as_str().unwrap().to_owned();
    (format!("/v1/bots/{id}"), id)
}

/// Makes a token of these scopes and answers its id and its secret.
pub(crate) async fn token(owner: &Person<'_>, bot: &str, scopes: &[&str]) -> (String, String) {
    let made = owner
        .post(format!("{bot}/tokens"))
        .json(json!({ "name": "a machine", "scopes": scopes }))
        .await_status(201)
        .await
        .json;
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (text("id"), text("token"))
}

/// A request with this token.
pub(crate) fn with<'a>(server: &'a Server, token: &str, method: Method, path: &str) -> Ask<'a> {
    server
        .ask(method, path)
        .header("authorization", &format!("Bearer {token}"))
}

#[tokio::test]
async fn a_bot_belongs_to_who_made_it() {
    for server in Server::each_with(|settings| settings.admins = vec!["root1".to_owned()]).await {
        let (ada, eve) = (server.register("ada").await, server.register("eve").await);
        let made = ada
            .post("/v1/bots")
            .json(json!({ "username": "Helper", "display_name": "The helper", "bio": "Helps" }))
            .await_status(201)
            .await
            .json;
        assert_eq!(made["username"], "helper");
        assert_eq!(made["owner_id"], ada.id.as_str());
        let path = format!("/v1/bots/{}", made["id"].as_str().unwrap());
        assert_eq!(ada.get(&path).await_status(200).await.json, made);
        for (username, code) in [
            ("ada", ErrorCode::UsernameTaken),
            ("helper", ErrorCode::UsernameTaken),
            ("admin", ErrorCode::ValidationFailed),
        ] {
            let wish = json!({ "username": username });
            ada.post("/v1/bots").json(wish).refused(code).await;
        }
        let login = json!({ "login": "helper", "password": "plain sailing 1843" });
        server
            .post("/v1/auth/login")
            .json(login)
            .refused(ErrorCode::InvalidCredentials)
            .await;

        let seen = eve
            .get(format!("/v1/users/{}", made["id"].as_str().unwrap()))
            .await_status(200)
            .await
            .json;
        assert_eq!(
            (&seen["bot"], &seen["bio"]),
            (&json!(true), &json!("Helps"))
        );
        let ada_seen = eve
            .get(format!("/v1/users/{}", ada.id))
            .await_status(200)
            .await;
        assert_eq!(ada_seen.json.get("bot"), None);

        for ask in [
            eve.get(&path),
            eve.delete(&path),
            eve.get(format!("{path}/tokens")),
        ] {
            ask.refused(ErrorCode::BotNotFound).await;
        }
        eve.get("/v1/bots?all=true")
            .refused(ErrorCode::Forbidden)
            .await;
        assert_eq!(
            eve.get("/v1/bots").await_status(200).await.json,
            json!({ "bots": [] })
        );

        // Of one millisecond nobody can say which is newer.
        server.advance(Duration::from_millis(1));
        let (_, second) = bot(&ada, "second").await;
        let page = ada.get("/v1/bots?limit=1").await_status(200).await.json;
        assert_eq!(page["bots"][0]["id"], second.as_str());
        let rest = ada
            .get(format!(
                "/v1/bots?cursor={}",
                page["next_cursor"].as_str().unwrap()
            ))
            .await_status(200)
            .await
            .json;
        assert_eq!(rest, json!({ "bots": [made] }));

        let admin = server.register("root1").await;
        let all = admin.get("/v1/bots?all=true").await_status(200).await.json;
        assert_eq!(all["bots"].as_array().unwrap().len(), 2);
        let changed = admin
            .patch(&path)
            .json(json!({ "display_name": "Tamed" }))
            .await_status(200)
            .await
            .json;
        assert_eq!(
            (&changed["display_name"], &changed["bio"]),
            (&json!("Tamed"), &json!("Helps"))
        );
    }
}

#[tokio::test]
async fn a_token_is_good_until_it_is_revoked_or_ends() {
    for server in Server::each().await {
        let ada = server.register("ada").await;
        let (path, id) = bot(&ada, "helper").await;
        let (first, secret) = token(&ada, &path, &["rooms:read"]).await;
        assert!(
            secret.starts_with("chatx_") && secret.len() == 49,
            "256 bits"
        );
        let me = with(&server, &secret, Method::GET, "/v1/users/me");
        assert_eq!(me.await_status(200).await.json["id"], id.as_str());

        let listed = ada
            .get(format!("{path}/tokens"))
            .await_status(200)
            .await
            .json;
        assert_eq!(listed["tokens"][0]["id"], first.as_str());
        assert_eq!(listed["tokens"][0]["scopes"], json!(["rooms:read"]));
        assert!(!listed.to_string().contains(&secret), "shown once");

        let (second, other) = token(&ada, &path, &["rooms:read"]).await;
        ada.delete(format!("{path}/tokens/{second}"))
            .await_status(204)
            .await;
        ada.delete(format!("{path}/tokens/{second}"))
            .refused(ErrorCode::TokenNotFound)
            .await;
        for bad in [other.as_str(), "chatx_", "chatx_nonsense", &secret[..48]] {
            with(&server, bad, Method::GET, "/v1/users/me")
                .refused(ErrorCode::Unauthenticated)
                .await;
        }
        with(&server, &secret, Method::GET, "/v1/users/me")
            .await_status(200)
            .await;

        let short = ada
            .post(format!("{path}/tokens"))
            .json(json!({ "name": "soon over", "scopes": ["rooms:read"], "expires_in_s": 60 }))
            .await_status(201)
            .await
            .json;
        let short = short["token"].as_str().unwrap();
        with(&server, short, Method::GET, "/v1/users/me")
            .await_status(200)
            .await;
        server.advance(Duration::from_secs(61));
        with(&server, short, Method::GET, "/v1/users/me")
            .refused(ErrorCode::Unauthenticated)
            .await;

        for wrong in [
            json!({ "name": "x", "scopes": [] }),
            json!({ "name": "x", "scopes": ["everything"] }),
            json!({ "name": "", "scopes": ["rooms:read"] }),
            json!({ "name": "x", "scopes": ["rooms:read"], "expires_in_s": 0 }),
        ] {
            ada.post(format!("{path}/tokens"))
                .json(wrong)
                .refused(ErrorCode::ValidationFailed)
                .await;
        }
    }
}

/// What each scope opens: as the contract has it, written down again. Everything else is closed to bots.
const OPENED: [(Scope, &[&str]); 6] = [
    (
        Scope::RoomsRead,
        &[
            "GET /v1/users",
            "GET /v1/users/me",
            "GET /v1/users/me/rooms",
            "GET /v1/users/{user}",
            "GET /v1/rooms",
            "GET /v1/rooms/{room}",
            "GET /v1/rooms/{room}/members",
        ],
    ),
    (
        Scope::RoomsWrite,
        &[
            "POST /v1/rooms",
            "PATCH /v1/rooms/{room}",
            "DELETE /v1/rooms/{room}",
            "POST /v1/rooms/{room}/members",
            "DELETE /v1/rooms/{room}/members/me",
            "GET /v1/rooms/{room}/invites",
            "POST /v1/rooms/{room}/invites",
            "DELETE /v1/rooms/{room}/invites/{code}",
            "POST /v1/dms",
        ],
    ),
    (
        Scope::MessagesRead,
        &[
            "GET /v1/rooms/{room}/messages",
            "GET /v1/rooms/{room}/messages/{seq}",
            "GET /v1/rooms/{room}/messages/{seq}/history",
            "GET /v1/rooms/{room}/pins",
            "GET /v1/rooms/{room}/receipts",
            "PUT /v1/rooms/{room}/read",
            "GET /v1/rooms/{room}/events",
            "GET /v1/search",
            "POST /v1/socket",
        ],
    ),
    (
        Scope::MessagesWrite,
        &[
            "POST /v1/rooms/{room}/messages",
            "PATCH /v1/rooms/{room}/messages/{seq}",
            "DELETE /v1/rooms/{room}/messages/{seq}",
            "PUT /v1/rooms/{room}/messages/{seq}/reactions/{emoji}",
            "DELETE /v1/rooms/{room}/messages/{seq}/reactions/{emoji}",
            "PUT /v1/rooms/{room}/messages/{seq}/pin",
            "DELETE /v1/rooms/{room}/messages/{seq}/pin",
        ],
    ),
    (
        Scope::MembersWrite,
        &[
            "PATCH /v1/rooms/{room}/members/{user}",
            "DELETE /v1/rooms/{room}/members/{user}",
            "GET /v1/rooms/{room}/bans",
            "PUT /v1/rooms/{room}/bans/{user}",
            "DELETE /v1/rooms/{room}/bans/{user}",
        ],
    ),
    (
        Scope::FilesWrite,
        &["POST /v1/rooms/{room}/files", "DELETE /v1/files/{file}"],
    ),
];

/// What asks for files is read with the messages that they are on.
const FILES_READ: [&str; 3] = [
    "GET /v1/rooms/{room}/files",
    "GET /v1/files/{file}",
    "GET /v1/files/{file}/thumbnail",
];

fn is_opened(scope: Scope, operation: &str) -> bool {
    let row = OPENED.iter().find(|(named, _)| *named == scope).unwrap();
    row.1.contains(&operation) || (scope == Scope::MessagesRead && FILES_READ.contains(&operation))
}

#[tokio::test]
async fn a_scope_opens_its_own_operations_and_no_others() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let (path, _) = bot(&ada, "helper").await;
    let document = server.get("/v1/openapi.json").await_status(200).await.json;
    // Asks nobody to prove who they are.
    let open = |operation: &str| {
        let (method, path) = operation.split_once(' ').unwrap();
        let told = &document["paths"][path][method.to_lowercase()]["security"][0];
        told.as_object().unwrap().is_empty()
    };
    let some_id = "0198f6a2-0000-7000-8000-000000000000";
    for scope in Scope::ALL {
        let (_, secret) = token(&ada, &path, &[scope.as_str()]).await;
        for operation in include_str!("operations.txt")
            .lines()
            .filter(|line| !open(line))
        {
            let (method, route) = operation.split_once(' ').unwrap();
            let path = route
                .replace("{seq}", "1")
                .replace("{emoji}", "%F0%9F%91%8D")
                .replace("{code}", "code")
                .split('/')
                .map(|part| if part.starts_with('{') { some_id } else { part })
                .collect::<Vec<_>>()
                .join("/");
            let answer = with(&server, &secret, method.parse().unwrap(), &path)
                .answer()
                .await;
            assert_eq!(
                answer.code() != Some(ErrorCode::MissingScope),
                is_opened(scope, operation),
                "{} {operation}: {} {}",
                scope.as_str(),
                answer.status,
                answer.json
            );
        }
    }
}

fn add<'a>(who: &Person<'a>, room: &str) -> Ask<'a> {
    who.post(format!("{room}/members"))
}

#[tokio::test]
async fn a_bot_is_added_by_moderators_and_by_its_owner_and_then_speaks() {
    for server in Server::each().await {
        let (ada, bob) = (server.register("ada").await, server.register("bob").await);
        let room = ada.room(json!({ "name": "Tea" })).await;
        let secret_room = ada
            .room(json!({ "name": "Secret", "visibility": "secret" }))
            .await;
        bob.join(&room).await;
        let (path, id) = bot(&bob, "helper").await;
        let scopes = ["messages:read", "messages:write", "rooms:read"];
        let (_, secret) = token(&bob, &path, &scopes).await;
        let wish = || json!({ "user": id });
        add(&bob, &secret_room)
            .json(wish())
            .refused(ErrorCode::RoomNotFound)
            .await;
        add(&ada, &room)
            .json(json!({ "user": bob.id }))
            .refused(ErrorCode::BotNotFound)
            .await;
        add(&ada, &room)
            .json(json!({ "user": id, "invite": "x" }))
            .refused(ErrorCode::ValidationFailed)
            .await;
        with(&server, &secret, Method::POST, &format!("{room}/messages"))
            .json(json!({ "body": "too early" }))
            .refused(ErrorCode::NotAMember)
            .await;

        let added = add(&bob, &room).json(wish()).await_status(201).await.json;
        assert_eq!(
            (&added["user"]["id"], &added["role"]),
            (&json!(id), &json!("member"))
        );
        add(&ada, &room).json(wish()).await_status(200).await;
        // Somebody else's, where only moderators let people in.
        add(&ada, &secret_room).json(wish()).await_status(201).await;

        let said = with(&server, &secret, Method::POST, &format!("{room}/messages"))
            .json(json!({ "body": "at your service" }))
            .await_status(201)
            .await
            .json;
        assert_eq!(said["user"]["id"], id.as_str());
        let kick = ada.delete(format!("{room}/members/{id}"));
        kick.await_status(204).await;
        let read = format!("{room}/events?after=0");
        with(&server, &secret, Method::GET, &read)
            .refused(ErrorCode::NotAMember)
            .await;

        let eve = server.register("eve").await;
        eve.join(&room).await;
        add(&eve, &room)
            .json(wish())
            .refused(ErrorCode::Forbidden)
            .await;
        ada.put(format!("{room}/bans/{id}"))
            .json(json!({}))
            .await_status(204)
            .await;
        add(&bob, &room)
            .json(wish())
            .refused(ErrorCode::Banned)
            .await;
    }
}

#[tokio::test]
async fn a_deleted_bot_leaves_its_rooms_and_its_tokens_end() {
    for server in Server::each().await {
        let ada = server.register("ada").await;
        let room = ada.room(json!({ "name": "Tea" })).await;
        let (path, id) = bot(&ada, "helper").await;
        let (_, secret) = token(&ada, &path, &["rooms:read", "rooms:write"]).await;
        ada.post(format!("{room}/members"))
            .json(json!({ "user": id }))
            .await_status(201)
            .await;
        let own = with(&server, &secret, Method::POST, "/v1/rooms")
            .json(json!({ "name": "The bot's own" }))
            .await_status(201)
            .await
            .json;
        ada.delete(&path).refused(ErrorCode::LastOwner).await;
        with(&server, &secret, Method::GET, "/v1/users/me")
            .await_status(200)
            .await;
        let own = format!("/v1/rooms/{}", own["id"].as_str().unwrap());
        with(&server, &secret, Method::DELETE, &own)
            .await_status(204)
            .await;

        ada.delete(&path).await_status(204).await;
        with(&server, &secret, Method::GET, "/v1/users/me")
            .refused(ErrorCode::Unauthenticated)
            .await;
        ada.get(&path).refused(ErrorCode::BotNotFound).await;
        let log = ada
            .get(format!("{room}/events?after=0"))
            .await_status(200)
            .await
            .json;
        let last = log["events"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(
            (&last["kind"], &last["user"]["id"]),
            (&json!("leave"), &json!(id))
        );
        assert_eq!(
            ada.get("/v1/bots").await_status(200).await.json["bots"],
            Value::Array(Vec::new())
        );
    }
}
