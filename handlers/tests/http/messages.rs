//! Messages: sent once, read back, changed, marked as read, waited for.

use std::time::Duration;

use protocol::ErrorCode;
use serde_json::{Value, json};

use crate::server::Server;

#[tokio::test]
async fn a_message_is_stored_once_under_its_name() {
    for server in Server::each().await {
        let ada = server.register("ada").await;
        let room = ada.room(json!({ "name": "Tea" })).await;
        let path = format!("{room}/messages");
        let message = json!({ "body": "Good morning", "client_id": "m-1" });
        let first = ada
            .post(&path)
            .json(message.clone())
            .await_status(201)
            .await;
        assert_eq!(first.json["duplicate"], Value::Null);
        assert_eq!(
            (first.json["body"].as_str(), first.json["seq"].as_u64()),
            (Some("Good morning"), Some(2))
        );
        let again = ada.post(&path).json(message).await_status(200).await;
        assert_eq!(
            (&again.json["duplicate"], &again.json["id"]),
            (&json!(true), &first.json["id"])
        );

        let named = || {
            ada.post(&path)
                .json(json!({ "body": "By header" }))
                .header("idempotency-key", "m-2")
        };
        assert_eq!(named().await_status(201).await.json["seq"], 3);
        assert_eq!(named().await_status(200).await.json["seq"], 3);
        let both = ada
            .post(&path)
            .json(json!({ "body": "x", "client_id": "m-3" }));
        both.header("idempotency-key", "m-4")
            .refused(ErrorCode::ValidationFailed)
            .await;

        let listed = ada.get(&path).await_status(200).await;
        let bodies: Vec<_> = listed.json["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|message| &message["body"])
            .collect();
        assert_eq!(bodies, ["Good morning", "By header"]);
        assert_eq!(listed.json["head"], 3);
    }
}

#[tokio::test]
async fn text_cannot_forge_another_line() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.room(json!({ "name": "Tea" })).await;
    let path = format!("{room}/messages");
    for (body, violation) in [
        ("\u{1b}[2K\rgrace: I agree".to_owned(), "control_characters"),
        ("a\u{0}b".to_owned(), "control_characters"),
        (" \n ".to_owned(), "too_short"),
        ("x".repeat(8_001), "too_long"),
    ] {
        let answer = ada
            .post(&path)
            .json(json!({ "body": body }))
            .refused(ErrorCode::ValidationFailed)
            .await;
        assert_eq!(answer.violations("body"), json!([violation]));
    }
    let lines = ada
        .post(&path)
        .json(json!({ "body": "one\r\ngrace: two" }))
        .await_status(201)
        .await;
    assert_eq!(
        (
            lines.json["body"].as_str(),
            lines.json["user"]["username"].as_str()
        ),
        (Some("one\ngrace: two"), Some("ada")),
        "who wrote it is told beside the text"
    );
}

#[tokio::test]
async fn a_message_is_edited_by_its_author_and_deleted_for_good() {
    for server in Server::each().await {
        let (ada, grace) = (server.register("ada").await, server.register("grace").await);
        let room = ada.room(json!({ "name": "Tea" })).await;
        grace.join(&room).await;
        let message = format!("{room}/messages/{}", grace.say(&room, "first words").await);
        ada.patch(&message)
            .json(json!({ "body": "mine" }))
            .refused(ErrorCode::Forbidden)
            .await;
        let edited = grace
            .patch(&message)
            .json(json!({ "body": "second words" }))
            .await_status(200)
            .await;
        assert_eq!(edited.json["body"], "second words");
        assert!(edited.json["edited_at"].is_string());
        assert_eq!(
            ada.get(&message).await_status(200).await.json["body"],
            "second words"
        );
        ada.delete(&message).await_status(204).await;
        let gone = grace.get(&message).await_status(200).await;
        assert_eq!(gone.json["body"], "");
        assert!(gone.json["deleted_at"].is_string());
        let log = grace
            .get(format!("{room}/events"))
            .await_status(200)
            .await
            .json
            .to_string();
        assert!(
            !log.contains("first words") && !log.contains("second words"),
            "{log}"
        );
        grace
            .get(format!("{room}/messages/9999"))
            .refused(ErrorCode::MessageNotFound)
            .await;
        grace
            .get(format!("{room}/messages/1"))
            .refused(ErrorCode::MessageNotFound)
            .await;
    }
}

#[tokio::test]
async fn history_is_read_in_both_directions() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.room(json!({ "name": "Tea" })).await;
    for number in 2..=9 {
        assert_eq!(ada.say(&room, &format!("number {number}")).await, number);
    }
    let seqs = async |query: &str| {
        let answer = ada
            .get(format!("{room}/messages?{query}"))
            .await_status(200)
            .await;
        let messages = answer.json["messages"].as_array().unwrap().clone();
        let seqs: Vec<u64> = messages
            .iter()
            .map(|message| message["seq"].as_u64().unwrap())
            .collect();
        (seqs, answer.json["has_more"].as_bool().unwrap())
    };
    assert_eq!(seqs("limit=3").await, (vec![7, 8, 9], true));
    assert_eq!(seqs("before=5&limit=2").await, (vec![3, 4], true));
    assert_eq!(seqs("after=7&limit=5").await, (vec![8, 9], false));
    assert_eq!(seqs("after=18446744073709551615").await, (vec![], false));
    let (around, _) = seqs("around=5&limit=3").await;
    assert!(around.contains(&5) && around.len() == 3, "{around:?}");
    let refused = ada
        .get(format!("{room}/messages?before=1&after=2"))
        .refused(ErrorCode::ValidationFailed)
        .await;
    assert_eq!(refused.violations("before"), json!(["conflicting"]));
}

#[tokio::test]
async fn a_read_mark_only_moves_forward() {
    for server in Server::each().await {
        let (ada, grace) = (server.register("ada").await, server.register("grace").await);
        let room = ada.room(json!({ "name": "Tea" })).await;
        grace.join(&room).await;
        for body in ["one", "two", "three"] {
            ada.say(&room, body).await;
        }
        let mine = async || {
            grace.get("/v1/users/me/rooms").await_status(200).await.json["rooms"][0].clone()
        };
        assert_eq!(mine().await["unread"], 3);
        let own = ada.get("/v1/users/me/rooms").await_status(200).await;
        assert_eq!(own.json["rooms"][0]["unread"], 0, "who writes has read it");
        for (seq, unread) in [(4, 1), (3, 1), (999, 0)] {
            grace
                .put(format!("{room}/read"))
                .json(json!({ "seq": seq }))
                .await_status(204)
                .await;
            assert_eq!(mine().await["unread"], unread, "{seq}");
        }
        assert_eq!(mine().await["last_message"]["body"], "three");
        let stranger = server.register("alan").await;
        stranger
            .put(format!("{room}/read"))
            .json(json!({ "seq": 1 }))
            .refused(ErrorCode::NotAMember)
            .await;
    }
}

#[tokio::test]
async fn a_waiting_reader_is_answered_when_something_happens() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.room(json!({ "name": "Tea" })).await;
    let nothing = ada
        .get(format!("{room}/events?after=1"))
        .await_status(200)
        .await;
    assert_eq!(nothing.json, json!({ "events": [], "head": 1 }));
    let waiting = ada
        .get(format!("{room}/events?after=1&wait_s=30"))
        .await_status(200);
    let (answer, seq) = tokio::join!(waiting, ada.say(&room, "at last"));
    assert_eq!(answer.json["events"][0]["seq"], seq);
    assert_eq!(answer.json["events"][0]["body"], "at last");
    ada.get(format!("{room}/events?wait_s=31"))
        .refused(ErrorCode::ValidationFailed)
        .await;
}

#[tokio::test]
async fn a_waiting_reader_is_answered_when_the_process_goes() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.room(json!({ "name": "Tea" })).await;
    let closing = server.app.closing.clone();
    let ask = || {
        ada.get(format!("{room}/events?after=1&wait_s=30"))
            .await_status(200)
    };
    let going = async {
        tokio::task::yield_now().await;
        closing.cancel();
    };
    let waiting = async { tokio::join!(ask(), going).0 };
    // Less than what it asked to wait for, and nothing that comes later is waited for.
    let bound = Duration::from_secs(20);
    for answer in [
        tokio::time::timeout(bound, waiting).await,
        tokio::time::timeout(bound, ask()).await,
    ] {
        assert_eq!(answer.unwrap().json, json!({ "events": [], "head": 1 }));
    }
}

#[tokio::test]
async fn a_socket_is_offered_where_it_is_served() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let offered = ada.post("/v1/socket").await_status(201).await;
    assert_eq!(offered.json["url"], "ws://127.0.0.1:8080/v1/socket");
    assert_eq!(
        (&offered.json["expires_in"], &offered.json["protocol"]),
        (&json!(30), &json!("chatx.v1"))
    );
    let ticket = offered.json["ticket"].as_str().unwrap();
    assert_eq!(server.app.redeem(ticket).await.unwrap().name, "ada");
    assert!(server.app.redeem(ticket).await.is_err(), "it works once");
    let by_another_name = ada
        .post("/v1/socket")
        .header("host", "localhost:8080")
        .header("origin", "http://localhost:8080");
    let by_another_name = by_another_name.await_status(201).await;
    assert_eq!(by_another_name.json["url"], "ws://localhost:8080/v1/socket");
    let foreign = ada
        .post("/v1/socket")
        .header("host", "localhost:8080")
        .header("origin", "http://evil.example.com");
    assert_eq!(
        foreign.await_status(201).await.json["url"],
        "ws://127.0.0.1:8080/v1/socket"
    );
}

#[tokio::test]
async fn where_no_sockets_are_served_nobody_is_sent() {
    let server = Server::start().await.without_sockets();
    server.get("/v1/socket").refused(ErrorCode::NotFound).await;
    // And no coordinator lives.
    server
        .register("ada")
        .await
        .post("/v1/socket")
        .refused(ErrorCode::Unavailable)
        .await;
}
