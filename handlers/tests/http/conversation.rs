//! What people put on messages and read of them, over HTTP; and conversations of named people.

use protocol::ErrorCode;
use serde_json::{Value, json};

use crate::server::Server;

/// `👍`, as a path carries it.
const THUMB: &str = "%F0%9F%91%8D";

#[tokio::test]
async fn a_reaction_comes_and_goes() {
    for server in Server::each().await {
        let (ada, bob) = (server.register("ada").await, server.register("bob").await);
        let room = ada.room(json!({ "name": "Tea" })).await;
        bob.join(&room).await;
        let seq = ada.say(&room, "Tea?").await;
        let path = format!("{room}/messages/{seq}");
        let thumb = format!("{path}/reactions/{THUMB}");
        bob.put(&thumb).await_status(204).await;
        bob.put(&thumb).await_status(204).await;
        ada.put(&thumb).await_status(204).await;
        let reactions = |count: u64, me: bool| json!([{ "emoji": "👍", "count": count, "me": me }]);
        let seen = bob.get(&path).await_status(200).await.json;
        assert_eq!(seen["reactions"], reactions(2, true));
        assert_eq!(
            (&seen["files"], &seen["mentions"]),
            (&json!([]), &json!([]))
        );
        bob.delete(&thumb).await_status(204).await;
        bob.delete(&thumb).await_status(204).await;
        let listed = bob
            .get(format!("{room}/messages"))
            .await_status(200)
            .await
            .json;
        assert_eq!(listed["messages"][0]["reactions"], reactions(1, false));

        let events = bob
            .get(format!("{room}/events?after={seq}"))
            .await_status(200)
            .await
            .json;
        let kinds: Vec<&Value> = events["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| &event["kind"])
            .collect();
        assert_eq!(kinds, ["react", "react", "unreact"]);
        assert_eq!(
            (
                &events["events"][0]["target"],
                &events["events"][0]["emoji"]
            ),
            (&json!(seq), &json!("👍"))
        );
        let word = bob
            .put(format!("{path}/reactions/nice"))
            .refused(ErrorCode::ValidationFailed)
            .await;
        assert_eq!(word.violations("emoji"), json!(["invalid"]));
        let eve = server.register("eve").await;
        eve.put(&thumb).refused(ErrorCode::NotAMember).await;
    }
}

#[tokio::test]
async fn a_pinned_message_is_listed() {
    for server in Server::each().await {
        let (ada, bob) = (server.register("ada").await, server.register("bob").await);
        let room = ada.room(json!({ "name": "Tea" })).await;
        bob.join(&room).await;
        let seq = bob.say(&room, "Tea at four").await;
        let pin = format!("{room}/messages/{seq}/pin");
        bob.put(&pin).refused(ErrorCode::Forbidden).await;
        ada.put(&pin).await_status(204).await;
        ada.put(&pin).await_status(204).await;
        let pins = bob.get(format!("{room}/pins")).await_status(200).await.json;
        assert_eq!(pins["pins"].as_array().unwrap().len(), 1);
        assert_eq!(pins["pins"][0]["user"]["username"], "ada");
        assert_eq!(
            (
                &pins["pins"][0]["message"]["body"],
                &pins["pins"][0]["message"]["pinned"]
            ),
            (&json!("Tea at four"), &json!(true))
        );
        bob.delete(&pin).refused(ErrorCode::Forbidden).await;
        ada.delete(&pin).await_status(204).await;
        let pins = bob.get(format!("{room}/pins")).await_status(200).await.json;
        assert_eq!(pins["pins"], json!([]));
        ada.put(format!("{room}/messages/1/pin"))
            .refused(ErrorCode::MessageNotFound)
            .await;
    }
}

#[tokio::test]
async fn who_is_called_is_counted_until_they_read_it() {
    for server in Server::each().await {
        let (ada, bob) = (server.register("ada").await, server.register("bob").await);
        let room = ada.room(json!({ "name": "Tea" })).await;
        bob.join(&room).await;
        let body = json!({ "body": "@Bob, @room: tea? `@ada`" });
        let sent = ada
            .post(format!("{room}/messages"))
            .json(body)
            .await_status(201)
            .await
            .json;
        let called = json!([{ "id": bob.id, "username": "bob" }, { "username": "room" }]);
        assert_eq!(sent["mentions"], called);
        let mine = bob.get("/v1/users/me/rooms").await_status(200).await.json;
        assert_eq!(
            (&mine["rooms"][0]["mentions"], &mine["rooms"][0]["unread"]),
            (&json!(1), &json!(1))
        );
        assert_eq!(mine["rooms"][0]["last_message"]["mentions"], called);
        bob.put(format!("{room}/read"))
            .json(json!({ "seq": sent["seq"] }))
            .await_status(204)
            .await;
        let mine = bob.get("/v1/users/me/rooms").await_status(200).await.json;
        assert_eq!(
            (&mine["rooms"][0]["mentions"], &mine["rooms"][0]["unread"]),
            (&json!(0), &json!(0))
        );
    }
}

#[tokio::test]
async fn a_thread_is_read_by_itself() {
    for server in Server::each().await {
        let ada = server.register("ada").await;
        let room = ada.room(json!({ "name": "Tea" })).await;
        let root = ada.say(&room, "Tea?").await;
        ada.say(&room, "Beside").await;
        let body = json!({ "body": "Yes", "thread": root, "reply_to": root });
        let messages = format!("{room}/messages");
        let answer = ada.post(&messages).json(body).await_status(201).await.json;
        assert_eq!(
            (&answer["thread"], &answer["reply_to"]),
            (&json!(root), &json!(root))
        );
        let nested = json!({ "body": "No", "thread": answer["seq"] });
        ada.post(&messages)
            .json(nested)
            .refused(ErrorCode::Conflict)
            .await;
        let thread = ada
            .get(format!("{messages}?thread={root}"))
            .await_status(200)
            .await
            .json;
        let bodies: Vec<&Value> = thread["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|message| &message["body"])
            .collect();
        assert_eq!(bodies, ["Tea?", "Yes"]);
        assert_eq!(thread["messages"][0]["replies"], 1);
    }
}

#[tokio::test]
async fn what_a_message_said_before_is_read_back() {
    for server in Server::each().await {
        let (ada, bob) = (server.register("ada").await, server.register("bob").await);
        let room = ada.room(json!({ "name": "Tea" })).await;
        bob.join(&room).await;
        let seq = ada.say(&room, "One").await;
        let path = format!("{room}/messages/{seq}");
        ada.patch(&path)
            .json(json!({ "body": "Two" }))
            .await_status(200)
            .await;
        let told = bob
            .get(format!("{path}/history"))
            .await_status(200)
            .await
            .json;
        assert_eq!(told["versions"][0]["body"], "One");
        assert_eq!(told["versions"].as_array().unwrap().len(), 1);
        ada.delete(&path).await_status(204).await;
        let told = bob
            .get(format!("{path}/history"))
            .await_status(200)
            .await
            .json;
        assert_eq!(told, json!({ "versions": [] }));
    }
}

#[tokio::test]
async fn receipts_show_who_has_read_and_does_not_hide_it() {
    for server in Server::each().await {
        let (ada, bob) = (server.register("ada").await, server.register("bob").await);
        let room = ada.room(json!({ "name": "Tea" })).await;
        bob.join(&room).await;
        let seq = ada.say(&room, "Tea?").await;
        let receipts = format!("{room}/receipts?seq={seq}");
        // They come in the order of ids, which people of one moment have by chance.
        let readers = async || -> Vec<String> {
            let told = ada.get(&receipts).await_status(200).await.json;
            let told = told["receipts"].as_array().unwrap().iter();
            let name = |receipt: &Value| receipt["user"]["username"].as_str().unwrap().to_owned();
            let mut names: Vec<String> = told.map(name).collect();
            names.sort();
            names
        };
        assert_eq!(readers().await, ["ada"], "who says it has read it");
        bob.put(format!("{room}/read"))
            .json(json!({ "seq": seq }))
            .await_status(204)
            .await;
        assert_eq!(readers().await, ["ada", "bob"]);
        let hidden = bob
            .patch("/v1/users/me")
            .json(json!({ "shows_reads": false }))
            .await_status(200)
            .await;
        assert_eq!(hidden.json["shows_reads"], false);
        assert_eq!(readers().await, ["ada"]);
        let missing = ada
            .get(format!("{room}/receipts"))
            .refused(ErrorCode::ValidationFailed)
            .await;
        assert_eq!(missing.violations("seq"), json!(["required"]));
    }
}

#[tokio::test]
async fn two_people_have_one_conversation_until_one_blocks_the_other() {
    for server in Server::each().await {
        let (ada, bob) = (server.register("ada").await, server.register("bob").await);
        let opened = ada
            .post("/v1/dms")
            .json(json!({ "user_ids": [bob.id] }))
            .await_status(201)
            .await
            .json;
        assert_eq!(opened["visibility"], "direct");
        let names: Vec<&Value> = opened["people"]
            .as_array()
            .unwrap()
            .iter()
            .map(|person| &person["username"])
            .collect();
        assert_eq!(names, ["ada", "bob"]);
        let both = json!({ "user_ids": [ada.id, bob.id] });
        let again = bob.post("/v1/dms").json(both).await_status(200).await.json;
        assert_eq!(again["id"], opened["id"]);
        let room = format!("/v1/rooms/{}", opened["id"].as_str().unwrap());
        bob.say(&room, "Hello").await;

        let block = format!("/v1/users/me/blocks/{}", bob.id);
        ada.put(&block).await_status(204).await;
        let blocks = ada.get("/v1/users/me/blocks").await_status(200).await.json;
        assert_eq!(blocks["blocks"][0]["user"]["username"], "bob");
        for person in [&ada, &bob] {
            let body = json!({ "body": "Hello?" });
            person
                .post(format!("{room}/messages"))
                .json(body)
                .refused(ErrorCode::Blocked)
                .await;
        }
        let wish = json!({ "user_ids": [ada.id] });
        bob.post("/v1/dms")
            .json(wish)
            .refused(ErrorCode::Blocked)
            .await;
        ada.delete(&block).await_status(204).await;
        bob.say(&room, "Hello again").await;

        let alone = ada.post("/v1/dms").json(json!({ "user_ids": [ada.id] }));
        let alone = alone.refused(ErrorCode::ValidationFailed).await;
        assert_eq!(alone.violations("user_ids"), json!(["too_short"]));
        let nobody = json!({ "user_ids": ["0198f6a2-7c1e-7000-8000-000000000001"] });
        ada.post("/v1/dms")
            .json(nobody)
            .refused(ErrorCode::UserNotFound)
            .await;
        let oneself = format!("/v1/users/me/blocks/{}", ada.id);
        ada.put(oneself).refused(ErrorCode::Conflict).await;
    }
}
