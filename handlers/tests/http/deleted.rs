//! Deleting rooms, bringing them back, and what is left when nobody can any more.

use std::time::Duration;

use protocol::ErrorCode;
use serde_json::json;
use shared::erasing;

use crate::server::Server;

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn a_deleted_room_comes_back_as_it_was_within_seven_days() {
    for server in Server::each().await {
        let (ada, bob) = (server.register("ada").await, server.register("bob").await);
        let room = ada.room(json!({ "name": "Tea", "topic": "leaves" })).await;
        bob.join(&room).await;
        let seq = bob.say(&room, "green or black?").await;
        let before = ada.get(&room).await_status(200).await.json;
        let restore = format!("{room}/restore");
        ada.post(&restore).refused(ErrorCode::RoomNotFound).await;
        ada.delete(&room).await_status(204).await;
        bob.get(&room).refused(ErrorCode::RoomNotFound).await;
        let mine = bob.get("/v1/users/me/rooms").await_status(200).await;
        assert_eq!(mine.json["rooms"], json!([]));

        // The name is kept, and only who has the room learns why.
        let named = json!({ "name": "tea" });
        bob.post("/v1/rooms")
            .json(named.clone())
            .refused(ErrorCode::NameTaken)
            .await;
        ada.post("/v1/rooms")
            .json(named.clone())
            .refused(ErrorCode::NameKept)
            .await;
        let other = ada.room(json!({ "name": "Coffee" })).await;
        ada.patch(&other)
            .json(named)
            .refused(ErrorCode::NameKept)
            .await;

        let list = "/v1/users/me/rooms/deleted";
        assert_eq!(
            bob.get(list).await_status(200).await.json["rooms"],
            json!([])
        );
        let deleted = ada.get(list).await_status(200).await.json;
        assert_eq!(deleted["rooms"][0]["room"]["name"], "Tea");
        bob.post(&restore).refused(ErrorCode::RoomNotFound).await;
        erasing::erase(&server.app.store, &server.app.clock)
            .await
            .unwrap();
        // Everybody's access token has ended by then.
        server.advance(DAY * 6);
        let ada = server.log_in("ada").await;
        let bob = server.log_in("bob").await;
        assert_eq!(
            erasing::erase(&server.app.store, &server.app.clock)
                .await
                .unwrap(),
            0
        );
        ada.post(&restore).await_status(200).await;
        assert_eq!(ada.get(&room).await_status(200).await.json, before);
        let message = bob
            .get(format!("{room}/messages/{seq}"))
            .await_status(200)
            .await;
        assert_eq!(message.json["body"], "green or black?");
        assert_eq!(
            ada.get(list).await_status(200).await.json["rooms"],
            json!([])
        );
        bob.say(&room, "and we go on").await;
    }
}

#[tokio::test]
async fn after_that_it_is_erased_and_its_name_is_free() {
    for server in Server::each_with(|settings| settings.admins = vec!["root1".to_owned()]).await {
        let (ada, bob) = (server.register("ada").await, server.register("bob").await);
        let room = ada.room(json!({ "name": "Tea" })).await;
        bob.join(&room).await;
        for number in 0..200 {
            let seq = bob.say(&room, &format!("cup number {number}, @ada")).await;
            if number % 50 == 0 {
                let message = format!("{room}/messages/{seq}");
                ada.put(format!("{message}/reactions/%F0%9F%8D%B5"))
                    .await_status(204)
                    .await;
                ada.put(format!("{message}/pin")).await_status(204).await;
                ada.post(format!("{message}/report"))
                    .json(json!({ "reason": "spam" }))
                    .await_status(201)
                    .await;
            }
        }
        shared::indexing::index(&server.app.store).await.unwrap();
        ada.delete(&room).await_status(204).await;
        server.advance(DAY * 7 + Duration::from_secs(1));
        let ada = server.log_in("ada").await;
        ada.post(format!("{room}/restore"))
            .refused(ErrorCode::RoomNotFound)
            .await;
        // Two nodes come to it at once.
        let (store, clock) = (&server.app.store, &server.app.clock);
        let (one, other) = tokio::join!(erasing::erase(store, clock), erasing::erase(store, clock));
        assert!(one.unwrap() + other.unwrap() >= 1);
        assert_eq!(erasing::erase(store, clock).await.unwrap(), 0);
        ada.room(json!({ "name": "Tea" })).await;
        ada.post(format!("{room}/restore"))
            .refused(ErrorCode::RoomNotFound)
            .await;
        let root = server.register("root1").await;
        let reports = root.get("/v1/admin/reports").await_status(200).await.json;
        assert_eq!(reports["reports"], json!([]));
        let storage = root.get("/v1/admin/storage").await_status(200).await.json;
        assert_eq!(
            (
                &storage["deleted_rooms"],
                &storage["events"],
                &storage["messages"]
            ),
            (&json!(0), &json!(1), &json!(0)),
            "only the new room is there"
        );
    }
}

#[tokio::test]
async fn what_a_server_admin_deleted_its_owner_does_not_restore() {
    for server in Server::each_with(|settings| settings.admins = vec!["root1".to_owned()]).await {
        let (ada, root) = (server.register("ada").await, server.register("root1").await);
        let room = ada.room(json!({ "name": "Tea" })).await;
        let admin = room.replace("/v1/", "/v1/admin/");
        ada.delete(&admin).refused(ErrorCode::Forbidden).await;
        root.delete(&admin).await_status(204).await;
        ada.post(format!("{room}/restore"))
            .refused(ErrorCode::RoomNotFound)
            .await;
        let list = ada
            .get("/v1/users/me/rooms/deleted")
            .await_status(200)
            .await;
        assert_eq!(list.json["rooms"], json!([]));
        let deleted = root
            .get("/v1/admin/rooms?deleted=true")
            .await_status(200)
            .await
            .json;
        assert_eq!(deleted["rooms"][0]["room"]["name"], "Tea");
        assert!(deleted["rooms"][0]["restorable_until"].is_string());
        root.patch(&admin)
            .json(json!({ "deleted": false }))
            .await_status(200)
            .await;
        ada.get(&room).await_status(200).await;
        let wrong = root
            .patch(&admin)
            .json(json!({ "deleted": true }))
            .answer()
            .await;
        assert_eq!(wrong.violations("deleted"), json!(["invalid"]));
    }
}
