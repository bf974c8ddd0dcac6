//! Hooks: what tools post is said in the room, once, by a bot of the hook's own.

use protocol::ErrorCode;
use serde_json::{Value, json};

use crate::server::{Person, Server};

async fn hook(owner: &Person<'_>, room: &str, name: &str) -> (Value, String) {
    let made = owner
        .post(format!("{room}/hooks"))
        .json(json!({ "name": name }))
        .await_status(201)
        .await
        .json;
    let url = made["url"].as_str().unwrap();
    let path = url
        .strip_prefix("http://127.0.0.1:8080")
        .unwrap()
        .to_owned();
    (made, path)
}

#[tokio::test]
async fn what_is_posted_is_said_by_the_hook_and_only_once() {
    for server in Server::each().await {
        let (ada, bob) = (server.register("ada").await, server.register("bob").await);
        let room = ada.room(json!({ "name": "Builds" })).await;
        bob.join(&room).await;
        let (made, url) = hook(&ada, &room, "Build server").await;

        let said = server
            .post(&url)
            .json(json!({ "body": "Build 7 is green" }))
            .await_status(201)
            .await
            .json;
        assert_eq!(said["user"], made["user"]);
        assert_eq!(said["user"]["display_name"], "Build server");
        let seen = bob
            .get(format!(
                "/v1/users/{}",
                made["user"]["id"].as_str().unwrap()
            ))
            .await_status(200)
            .await;
        assert_eq!(seen.json["bot"], true);

        // As tools send that were made for others, with fields that mean nothing here.
        let slack = json!({ "text": "Build 8 is red", "username": "ci", "icon_emoji": ":x:", "attachments": [] });
        let post = || {
            server
                .post(&url)
                .header("idempotency-key", "build-8")
                .json(slack.clone())
        };
        let first = post().await_status(201).await.json;
        let again = post().await_status(200).await.json;
        assert_eq!(
            (&again["seq"], &again["duplicate"]),
            (&first["seq"], &json!(true))
        );
        let read = bob
            .get(format!("{room}/messages"))
            .await_status(200)
            .await
            .json;
        let bodies: Vec<_> = read["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|message| message["body"].as_str().unwrap())
            .collect();
        assert_eq!(bodies, ["Build 7 is green", "Build 8 is red"]);

        let refused = server
            .post(&url)
            .json(json!({}))
            .refused(ErrorCode::ValidationFailed)
            .await;
        assert_eq!(refused.violations("body"), json!(["required"]));
        server
            .post("/v1/hooks/nonsense")
            .json(json!({ "body": "x" }))
            .refused(ErrorCode::HookNotFound)
            .await;
    }
}

#[tokio::test]
async fn hooks_are_for_who_arranges_the_room_and_end_at_once() {
    for server in Server::each().await {
        let (ada, bob) = (server.register("ada").await, server.register("bob").await);
        let room = ada.room(json!({ "name": "Builds" })).await;
        bob.join(&room).await;
        bob.post(format!("{room}/hooks"))
            .json(json!({ "name": "Mine" }))
            .refused(ErrorCode::Forbidden)
            .await;
        bob.get(format!("{room}/hooks"))
            .refused(ErrorCode::Forbidden)
            .await;
        let members = bob
            .get(format!("{room}/members"))
            .await_status(200)
            .await
            .json;
        assert_eq!(
            members["members"].as_array().unwrap().len(),
            2,
            "nobody came in by the refused one"
        );

        let (made, url) = hook(&ada, &room, "Build server").await;
        let listed = ada
            .get(format!("{room}/hooks"))
            .await_status(200)
            .await
            .json;
        assert_eq!(listed["hooks"][0]["id"], made["id"]);
        assert!(!listed.to_string().contains(&url), "shown once");
        let path = format!("{room}/hooks/{}", made["id"].as_str().unwrap());
        bob.delete(&path).refused(ErrorCode::Forbidden).await;
        ada.delete(&path).await_status(204).await;
        ada.delete(&path).refused(ErrorCode::HookNotFound).await;
        server
            .post(&url)
            .json(json!({ "body": "still here?" }))
            .refused(ErrorCode::HookNotFound)
            .await;
        let log = ada
            .get(format!("{room}/events?after=0"))
            .await_status(200)
            .await
            .json;
        let last = log["events"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(
            (&last["kind"], &last["user"]),
            (&json!("leave"), &made["user"])
        );

        // A hook is a member: who kicks it silences it.
        let (made, url) = hook(&ada, &room, "Another").await;
        let bot = made["user"]["id"].as_str().unwrap();
        ada.delete(format!("{room}/members/{bot}"))
            .await_status(204)
            .await;
        server
            .post(&url)
            .json(json!({ "body": "let me in" }))
            .refused(ErrorCode::NotAMember)
            .await;
        ada.delete(format!("{room}/hooks/{}", made["id"].as_str().unwrap()))
            .await_status(204)
            .await;
    }
}

#[tokio::test]
async fn a_hook_is_held_to_the_rate_of_sending() {
    let server = Server::start_with(|settings| settings.rates.on = true).await;
    let ada = server.register("ada").await;
    let room = ada.room(json!({ "name": "Builds" })).await;
    let (_, url) = hook(&ada, &room, "Noisy").await;
    for _ in 0..20 {
        server
            .post(&url)
            .json(json!({ "body": "again" }))
            .await_status(201)
            .await;
    }
    server
        .post(&url)
        .json(json!({ "body": "again" }))
        .refused(ErrorCode::RateLimited)
        .await;
}
