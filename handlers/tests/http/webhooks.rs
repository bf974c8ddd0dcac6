//! Webhooks as people arrange them. What they deliver is tested with whole servers.

use std::time::Duration;

use protocol::ErrorCode;
use serde_json::{Value, json};

use crate::server::{Person, Server};

fn id(room: &str) -> &str {
    room.trim_start_matches("/v1/rooms/")
}

async fn webhook(owner: &Person<'_>, wish: Value) -> (String, Value) {
    let made = owner
        .post("/v1/webhooks")
        .json(wish)
        .await_status(201)
        .await
        .json;
    (
        format!("/v1/webhooks/{}", made["id"].as_str().unwrap()),
        made,
    )
}

#[tokio::test]
async fn a_webhook_is_made_by_who_arranges_all_of_its_rooms() {
    for server in Server::each_with(|settings| settings.admins = vec!["root1".to_owned()]).await {
        let (ada, bob) = (server.register("ada").await, server.register("bob").await);
        let tea = ada.room(json!({ "name": "Tea" })).await;
        let own = bob.room(json!({ "name": "Bob's own" })).await;
        bob.join(&tea).await;
        let url = "https://example.com/in?key=1";
        let wish = |rooms: &[&str]| {
            let rooms: Vec<_> = rooms.iter().map(|room| id(room)).collect();
            json!({ "url": url, "rooms": rooms })
        };
        bob.post("/v1/webhooks")
            .json(wish(&[&own, &tea]))
            .refused(ErrorCode::Forbidden)
            .await;
        ada.post("/v1/webhooks")
            .json(wish(&[&tea, &own]))
            .refused(ErrorCode::NotAMember)
            .await;
        assert_eq!(
            bob.get("/v1/webhooks").await_status(200).await.json,
            json!({ "webhooks": [] })
        );

        let (path, made) = webhook(&ada, wish(&[&tea])).await;
        let secret = made["secret"].as_str().unwrap();
        assert!(secret.len() >= 43, "256 bits");
        assert_eq!(made["state"], "active");
        assert_eq!(
            made["rooms"],
            json!([{ "room": id(&tea), "seq": 2, "head": 2 }])
        );
        let seen = ada.get(&path).await_status(200).await.json;
        assert_eq!(
            (&seen["url"], &seen["enabled"]),
            (&json!(url), &json!(true))
        );
        assert!(!seen.to_string().contains(secret), "shown once");
        bob.get(&path).refused(ErrorCode::WebhookNotFound).await;
        bob.delete(&path).refused(ErrorCode::WebhookNotFound).await;

        // Another admin of the room sees that there is one, not what they may not know.
        let in_tea = format!("/v1/webhooks?room={}", id(&tea));
        bob.get(&in_tea).refused(ErrorCode::Forbidden).await;
        ada.patch(format!("{tea}/members/{}", bob.id))
            .json(json!({ "role": "admin" }))
            .await_status(200)
            .await;
        let listed = bob.get(&in_tea).await_status(200).await.json;
        assert_eq!(listed["webhooks"][0]["url"], "https://example.com");

        let admin = server.register("root1").await;
        admin.get(&path).await_status(200).await;
        ada.delete(&path).await_status(204).await;
        ada.get(&path).refused(ErrorCode::WebhookNotFound).await;
    }
}

#[tokio::test]
async fn a_webhook_is_changed_and_replayed_by_who_made_it() {
    for server in Server::each().await {
        let ada = server.register("ada").await;
        let (tea, cake) = (
            ada.room(json!({ "name": "Tea" })).await,
            ada.room(json!({ "name": "Cake" })).await,
        );
        ada.say(&tea, "one").await;
        let wish =
            json!({ "url": "https://example.com", "rooms": [id(&tea)], "kinds": ["message"] });
        let (path, made) = webhook(&ada, wish).await;
        assert_eq!(made["kinds"], json!(["message"]));
        assert_eq!(made["rooms"][0]["seq"], 2);

        let replay = json!({ "room": id(&tea), "after": 0 });
        let moved = ada
            .post(format!("{path}/replay"))
            .json(replay)
            .await_status(200)
            .await
            .json;
        assert_eq!(
            moved["rooms"],
            json!([{ "room": id(&tea), "seq": 0, "head": 2 }])
        );
        let beyond = json!({ "room": id(&tea), "after": 99 });
        let moved = ada
            .post(format!("{path}/replay"))
            .json(beyond)
            .await_status(200)
            .await
            .json;
        assert_eq!(
            moved["rooms"][0]["seq"], 2,
            "nothing is passed over that is still to come"
        );
        ada.post(format!("{path}/replay"))
            .json(json!({ "room": id(&cake), "after": 0 }))
            .refused(ErrorCode::RoomNotFound)
            .await;

        let changed = ada
            .patch(&path)
            .json(json!({ "rooms": [id(&cake)], "kinds": null, "enabled": false }))
            .await_status(200)
            .await
            .json;
        assert_eq!(
            changed["rooms"],
            json!([{ "room": id(&cake), "seq": 1, "head": 1 }])
        );
        assert_eq!(
            (&changed["kinds"], &changed["state"]),
            (&json!([]), &json!("disabled"))
        );
        assert!(changed["disabled_at"].is_string());
        let enabled = ada
            .patch(&path)
            .json(json!({ "enabled": true }))
            .await_status(200)
            .await
            .json;
        assert_eq!(enabled["state"], "active");
        assert_eq!(enabled.get("disabled_at"), None);

        server.advance(Duration::from_millis(1));
        let (second, _) = webhook(
            &ada,
            json!({ "url": "http://example.org/", "rooms": [id(&tea)] }),
        )
        .await;
        let listed = ada.get("/v1/webhooks").await_status(200).await.json;
        let paths: Vec<_> = listed["webhooks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|webhook| format!("/v1/webhooks/{}", webhook["id"].as_str().unwrap()))
            .collect();
        assert_eq!(paths, [second, path]);
    }
}

#[tokio::test]
async fn a_webhook_leads_to_the_open_internet() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let tea = ada.room(json!({ "name": "Tea" })).await;
    let rooms = json!([id(&tea)]);
    for url in [
        "http://127.0.0.1:8080/",
        "http://[::1]/",
        "http://169.254.169.254/latest/meta-data",
        "http://10.1.2.3/",
        "https://[::ffff:192.168.0.1]/",
        "ftp://example.com/",
        "https://ada:secret@example.com/",
    ] {
        let refused = ada
            .post("/v1/webhooks")
            .json(json!({ "url": url, "rooms": rooms }))
            .refused(ErrorCode::ValidationFailed)
            .await;
        assert_eq!(refused.violations("url"), json!(["invalid"]), "{url}");
    }
    for (wrong, field) in [
        (json!({ "rooms": rooms }), "url"),
        (
            json!({ "url": "https://example.com", "rooms": [] }),
            "rooms",
        ),
        (
            json!({ "url": "https://example.com", "rooms": rooms, "secret": "short" }),
            "secret",
        ),
        (
            json!({ "url": "https://example.com", "rooms": rooms, "kinds": ["No Kind"] }),
            "kinds",
        ),
    ] {
        let refused = ada
            .post("/v1/webhooks")
            .json(wrong)
            .refused(ErrorCode::ValidationFailed)
            .await;
        assert!(refused.violations(field).is_array(), "{field}");
    }
}
