//! Searching over HTTP: what is answered, and how often somebody may ask.

use std::time::Duration;

use protocol::ErrorCode;
use serde_json::{Value, json};

use crate::server::Server;

#[tokio::test]
async fn a_search_answers_messages_rooms_and_snippets() {
    for server in Server::each().await {
        let ada = server.register("ada").await;
        let grace = server.register("grace").await;
        let room = ada.room(json!({ "name": "Tea" })).await;
        let messages = format!("{room}/messages");
        for body in ["Green tea", "Coffee", "More\ntea, see https://example.com"] {
            let message = json!({ "body": body });
            ada.post(&messages).json(message).await_status(201).await;
            server.advance(Duration::from_millis(1));
        }
        let found = ada.get("/v1/search?q=TEA&limit=1").await_status(200).await;
        let hit = &found.json["hits"][0];
        assert_eq!(hit["snippet"], "More tea, see https://example.com");
        assert_eq!(hit["room"]["name"], "Tea");
        assert_eq!(hit["message"]["seq"], 4);
        let cursor = found.json["next_cursor"].as_str().unwrap();
        let rest = ada.get(format!("/v1/search?q=TEA&limit=1&cursor={cursor}"));
        let rest = rest.await_status(200).await;
        assert_eq!(rest.json["hits"][0]["message"]["body"], "Green tea");
        assert_eq!(rest.json["next_cursor"], Value::Null);

        let linked = ada.get("/v1/search?q=tea&has=link").await_status(200).await;
        assert_eq!(linked.json["hits"].as_array().unwrap().len(), 1);
        let history = ada.get(format!("{messages}?q=tea&before=4"));
        let history = history.await_status(200).await;
        assert_eq!(history.json["messages"][0]["body"], "Green tea");
        assert_eq!(history.json["has_more"], false);

        let foreign = grace.get("/v1/search?q=tea").await_status(200).await;
        assert_eq!(foreign.json["hits"], json!([]));
        let id = room.trim_start_matches("/v1/rooms/");
        let named = grace.get(format!("/v1/search?q=tea&room={id}"));
        named.refused(ErrorCode::NotAMember).await;
        server
            .get("/v1/search?q=tea")
            .refused(ErrorCode::Unauthenticated)
            .await;
    }
}

#[tokio::test]
async fn every_wrong_field_of_a_search_is_named() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let wrong = ada.get("/v1/search?q=%21&sender=x&since=x&has=x&limit=0&room=x");
    let wrong = wrong.refused(ErrorCode::ValidationFailed).await;
    assert_eq!(wrong.violations("q"), json!(["too_short"]));
    for field in ["sender", "since", "has", "room"] {
        assert_eq!(wrong.violations(field), json!(["invalid"]), "{field}");
    }
    assert_eq!(wrong.violations("limit"), json!(["out_of_range"]));
    let nothing = ada
        .get("/v1/search")
        .refused(ErrorCode::ValidationFailed)
        .await;
    assert_eq!(nothing.violations("q"), json!(["required"]));
}

#[tokio::test]
async fn searches_meet_a_limit_of_their_own() {
    let server = Server::start_with(|settings| settings.rates.on = true).await;
    let ada = server.register("ada").await;
    let room = ada.room(json!({ "name": "Tea" })).await;
    for _ in 0..10 {
        ada.get("/v1/search?q=tea").await_status(200).await;
        ada.get(format!("{room}/messages?q=tea"))
            .await_status(200)
            .await;
    }
    let refused = ada
        .get("/v1/search?q=tea")
        .refused(ErrorCode::RateLimited)
        .await;
    assert_eq!(refused.header("ratelimit-limit"), "20");
    assert_eq!(refused.header("ratelimit-remaining"), "0");
    ada.get(format!("{room}/messages")).await_status(200).await;
}
