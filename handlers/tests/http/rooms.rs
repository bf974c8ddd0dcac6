//! Rooms, and who gets in.

use protocol::ErrorCode;
use serde_json::json;

use crate::server::Server;

#[tokio::test]
async fn a_private_room_opens_to_its_password_and_to_nothing_else() {
    for server in Server::each().await {
        let (ada, grace) = (server.register("ada").await, server.register("grace").await);
        let fields = json!({ "name": "Tea", "visibility": "private", "password": "milk and sugar", "topic": "leaves" });
        let room = ada.room(fields).await;
        let members = format!("{room}/members");

        for wrong in ["lemon", "MILK AND SUGAR", "", "x"] {
            let attempt = grace.post(&members).json(json!({ "password": wrong }));
            attempt.refused(ErrorCode::WrongPassword).await;
        }
        grace.post(&members).refused(ErrorCode::NotAMember).await;
        grace
            .get(format!("{room}/messages"))
            .refused(ErrorCode::NotAMember)
            .await;
        grace.get(&room).refused(ErrorCode::NotAMember).await;
        let listed = grace.get("/v1/rooms").await_status(200).await;
        let sign = json!({ "id": ada.get(&room).answer().await.json["id"], "name": "Tea", "topic": "leaves",
            "visibility": "private", "has_password": true, "members": 1 });
        assert_eq!(listed.json["rooms"], json!([sign]));
        let unchanged = ada.get(&room).await_status(200).await;
        assert_eq!(
            (&unchanged.json["members"], &unchanged.json["head"]),
            (&json!(1), &json!(1))
        );

        let joined = grace
            .post(&members)
            .json(json!({ "password": "milk and sugar" }))
            .await_status(201)
            .await;
        assert_eq!(
            (&joined.json["role"], &joined.json["user"]["id"]),
            (&json!("member"), &json!(grace.id))
        );
        grace.post(&members).await_status(200).await;
        let listed = grace.get(&members).await_status(200).await;
        assert_eq!(listed.json["members"].as_array().unwrap().len(), 2);
        assert_eq!(listed.json["members"][0]["role"], "owner");
    }
}

#[tokio::test]
async fn a_name_differing_by_case_is_taken() {
    for server in Server::each().await {
        let ada = server.register("ada").await;
        ada.room(json!({ "name": "Straße" })).await;
        let again = json!({ "name": "STRASSE", "visibility": "private", "password": "secret" });
        ada.post("/v1/rooms")
            .json(again)
            .refused(ErrorCode::NameTaken)
            .await;
        ada.room(json!({ "name": "STRASSE", "visibility": "secret" }))
            .await;
        let other = ada.room(json!({ "name": "Other" })).await;
        ada.patch(&other)
            .json(json!({ "name": "straße" }))
            .refused(ErrorCode::NameTaken)
            .await;
    }
}

#[tokio::test]
async fn a_deleted_room_stays_deleted() {
    for server in Server::each().await {
        let (ada, grace) = (server.register("ada").await, server.register("grace").await);
        let room = ada.room(json!({ "name": "Tea" })).await;
        grace.join(&room).await;
        grace.delete(&room).refused(ErrorCode::Forbidden).await;
        ada.delete(&room).await_status(204).await;
        for person in [&ada, &grace] {
            person.get(&room).refused(ErrorCode::RoomNotFound).await;
            person
                .get(format!("{room}/messages"))
                .refused(ErrorCode::RoomNotFound)
                .await;
            person
                .post(format!("{room}/members"))
                .refused(ErrorCode::RoomNotFound)
                .await;
            let message = person
                .post(format!("{room}/messages"))
                .json(json!({ "body": "still here?" }));
            message.refused(ErrorCode::RoomNotFound).await;
            let mine = person.get("/v1/users/me/rooms").await_status(200).await;
            assert_eq!(mine.json["rooms"], json!([]));
        }
        let listed = ada.get("/v1/rooms").await_status(200).await;
        assert_eq!(listed.json["rooms"], json!([]));
    }
}

#[tokio::test]
async fn a_secret_room_is_nowhere_without_an_invite() {
    let server = Server::start().await;
    let (ada, grace) = (server.register("ada").await, server.register("grace").await);
    let room = ada
        .room(json!({ "name": "Hidden", "visibility": "secret" }))
        .await;
    for path in [
        room.clone(),
        format!("{room}/messages"),
        format!("{room}/members"),
        format!("{room}/events"),
    ] {
        grace.get(path).refused(ErrorCode::RoomNotFound).await;
    }
    grace
        .post(format!("{room}/members"))
        .refused(ErrorCode::RoomNotFound)
        .await;
    let invite = ada
        .post(format!("{room}/invites"))
        .json(json!({ "max_uses": 1 }))
        .await_status(201)
        .await;
    let code = invite.json["code"].as_str().unwrap();
    grace
        .post(format!("{room}/members"))
        .json(json!({ "invite": code }))
        .await_status(201)
        .await;
    let late = server.register("late").await;
    let attempt = late
        .post(format!("{room}/members"))
        .json(json!({ "invite": code }))
        .answer()
        .await;
    assert_eq!(attempt.status, 404, "{}", attempt.json);
    let fresh = ada.post(format!("{room}/invites")).await_status(201).await;
    let fresh = fresh.json["code"].as_str().unwrap();
    let listed = ada.get(format!("{room}/invites")).await_status(200).await;
    assert!(
        listed.json["invites"]
            .as_array()
            .unwrap()
            .iter()
            .any(|invite| invite["code"] == fresh)
    );
    ada.delete(format!("{room}/invites/{fresh}"))
        .await_status(204)
        .await;
    ada.delete(format!("{room}/invites/{fresh}"))
        .refused(ErrorCode::InviteNotFound)
        .await;
    let attempt = late
        .post(format!("{room}/members"))
        .json(json!({ "invite": fresh }))
        .answer()
        .await;
    assert_eq!(attempt.status, 404);
}

#[tokio::test]
async fn rooms_are_found_by_name_in_pages() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    for name in ["Tea one", "Tea two", "Tea three", "Coffee"] {
        ada.room(json!({ "name": name })).await;
    }
    ada.room(json!({ "name": "Tea secret", "visibility": "secret" }))
        .await;
    let mut names = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = ada
            .get(format!("/v1/rooms?query=TEA&limit=2{cursor}"))
            .await_status(200)
            .await;
        let rooms = page.json["rooms"].as_array().unwrap().clone();
        assert!(rooms.len() <= 2);
        names.extend(
            rooms
                .iter()
                .map(|room| room["name"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page.json["next_cursor"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(names, ["Tea one", "Tea three", "Tea two"]);
    let answer = ada
        .get("/v1/rooms?cursor=nonsense")
        .refused(ErrorCode::ValidationFailed)
        .await;
    assert_eq!(answer.violations("cursor"), json!(["invalid"]));
}

#[tokio::test]
async fn roles_decide_who_may_do_what() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let (grace, alan) = (
        server.register("grace").await,
        server.register("alan").await,
    );
    let room = ada.room(json!({ "name": "Tea" })).await;
    grace.join(&room).await;
    alan.join(&room).await;
    let member = |id: &str| format!("{room}/members/{id}");

    grace
        .patch(&room)
        .json(json!({ "topic": "mine" }))
        .refused(ErrorCode::Forbidden)
        .await;
    grace
        .delete(member(&alan.id))
        .refused(ErrorCode::Forbidden)
        .await;
    grace
        .patch(member(&alan.id))
        .json(json!({}))
        .refused(ErrorCode::ValidationFailed)
        .await;
    let promoted = ada
        .patch(member(&grace.id))
        .json(json!({ "role": "moderator" }))
        .await_status(200)
        .await;
    assert_eq!(promoted.json["role"], "moderator");
    grace
        .delete(member(&ada.id))
        .refused(ErrorCode::Forbidden)
        .await;

    let until = "2999-01-01T00:00:00.000Z";
    grace
        .patch(member(&alan.id))
        .json(json!({ "muted_until": until }))
        .await_status(200)
        .await;
    alan.post(format!("{room}/messages"))
        .json(json!({ "body": "hm" }))
        .refused(ErrorCode::Muted)
        .await;
    grace
        .patch(member(&alan.id))
        .json(json!({ "muted_until": null }))
        .await_status(200)
        .await;
    alan.say(&room, "thanks").await;
    grace.delete(member(&alan.id)).await_status(204).await;
    alan.post(format!("{room}/messages"))
        .json(json!({ "body": "hm" }))
        .refused(ErrorCode::NotAMember)
        .await;
    alan.join(&room).await;

    let ban = format!("{room}/bans/{}", alan.id);
    grace
        .put(&ban)
        .json(json!({ "reason": "spam" }))
        .await_status(204)
        .await;
    alan.post(format!("{room}/members"))
        .refused(ErrorCode::Banned)
        .await;
    let bans = grace.get(format!("{room}/bans")).await_status(200).await;
    assert_eq!(bans.json["bans"][0]["reason"], "spam");
    grace.delete(&ban).await_status(204).await;
    grace.delete(&ban).refused(ErrorCode::BanNotFound).await;
    alan.join(&room).await;

    ada.delete(format!("{room}/members/me"))
        .refused(ErrorCode::LastOwner)
        .await;
    ada.patch(member(&grace.id))
        .json(json!({ "role": "owner" }))
        .await_status(200)
        .await;
    ada.delete(format!("{room}/members/me"))
        .await_status(204)
        .await;
    let seen = grace.get(&room).await_status(200).await;
    assert_eq!(seen.json["owner_id"], grace.id.as_str());
}

#[tokio::test]
async fn a_full_room_takes_nobody() {
    let server = Server::start().await;
    let (ada, grace) = (server.register("ada").await, server.register("grace").await);
    let room = ada.room(json!({ "name": "Small", "max_members": 1 })).await;
    grace
        .post(format!("{room}/members"))
        .refused(ErrorCode::RoomFull)
        .await;
    ada.patch(&room)
        .json(json!({ "max_members": 2 }))
        .await_status(200)
        .await;
    grace.join(&room).await;
}

#[tokio::test]
async fn a_changed_room_is_seen_by_all() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada
        .room(json!({ "name": "Tea", "visibility": "private", "password": "milk" }))
        .await;
    let change = json!({ "topic": "leaves", "password": null, "slow_mode_s": 5 });
    let changed = ada.patch(&room).json(change).await_status(200).await;
    assert_eq!(changed.json["topic"], "leaves");
    assert_eq!(changed.json["has_password"], false);
    assert_eq!(changed.json["slow_mode_s"], 5);
    let events = ada.get(format!("{room}/events")).await_status(200).await;
    assert!(
        events.json["events"]
            .as_array()
            .unwrap()
            .iter()
            .any(|event| event["changes"]["topic"] == "leaves")
    );
    ada.patch(&room)
        .json(json!({ "archived": true }))
        .await_status(200)
        .await;
    ada.post(format!("{room}/messages"))
        .json(json!({ "body": "x" }))
        .refused(ErrorCode::Archived)
        .await;
}
