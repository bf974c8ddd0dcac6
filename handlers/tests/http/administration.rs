//! What server admins change: accounts, rooms, and who is a server admin.

use protocol::ErrorCode;
use serde_json::{Value, json};

use crate::server::{PASSWORD, Person, Server};

const STORE: fn(&mut shared::Settings) = |settings| settings.admins = vec!["root1".to_owned()];

async fn change(admin: &Person<'_>, user: &Person<'_>, wish: Value) -> Value {
    let path = format!("/v1/admin/users/{}", user.id);
    admin.patch(path).json(wish).await_status(200).await.json
}

#[tokio::test]
async fn who_is_suspended_is_out_at_once_and_until_they_are_let_in() {
    for server in Server::each_with(STORE).await {
        let (root, ada) = (server.register("root1").await, server.register("ada").await);
        let path = format!("/v1/admin/users/{}", ada.id);
        ada.patch(&path)
            .json(json!({ "suspended": true }))
            .refused(ErrorCode::Forbidden)
            .await;
        let wish = json!({ "suspended": true, "suspended_reason": "spam" });
        let told = change(&root, &ada, wish).await;
        assert_eq!(
            (&told["suspended_reason"], &told["sessions"], &told["email"]),
            (&json!("spam"), &json!(0), &json!("ada@example.com"))
        );
        ada.get("/v1/users/me")
            .refused(ErrorCode::Unauthenticated)
            .await;
        server
            .post("/v1/auth/refresh")
            .json(json!({ "refresh_token": ada.refresh_token }))
            .refused(ErrorCode::Unauthenticated)
            .await;
        let login = |password: &str| {
            server
                .post("/v1/auth/login")
                .json(json!({ "login": "ada", "password": password }))
        };
        login(PASSWORD).refused(ErrorCode::Suspended).await;
        login("another password")
            .refused(ErrorCode::InvalidCredentials)
            .await;
        let suspended = root
            .get("/v1/admin/users?suspended=true")
            .await_status(200)
            .await;
        assert_eq!(suspended.json["users"][0]["username"], "ada");

        change(&root, &ada, json!({ "suspended": false })).await;
        login(PASSWORD).await_status(200).await;
        let audit = root.get("/v1/admin/audit").await_status(200).await.json;
        let actions: Vec<_> = audit["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["action"].as_str().unwrap())
            .collect();
        assert!(actions.contains(&"user_suspend") && actions.contains(&"user_restore"));
    }
}

#[tokio::test]
async fn rights_are_given_and_end_at_once_and_somebody_always_has_them() {
    // Nobody is named by the settings.
    for server in Server::each().await {
        let (ada, bob) = (server.register("ada").await, server.register("bob").await);
        let carol = server.register("carol").await;
        ada.get("/v1/admin/users")
            .refused(ErrorCode::Forbidden)
            .await;
        let grant = protocol::admin::ChangeAccount {
            admin: Some(true),
            ..Default::default()
        };
        let first = shared::store::AccountChange {
            user: ada.id.parse().unwrap(),
            wish: &grant,
            admins: &[],
            at: server.app.clock.now(),
        };
        server.app.store.administer_account(&first).await.unwrap();
        // Their access token is from before.
        ada.get("/v1/admin/users").await_status(200).await;
        let path = |user: &Person<'_>| format!("/v1/admin/users/{}", user.id);
        for wish in [json!({ "admin": false }), json!({ "suspended": true })] {
            let answer = ada.patch(path(&ada)).json(wish).answer().await;
            assert!(
                matches!(
                    answer.code(),
                    Some(ErrorCode::LastAdmin | ErrorCode::Forbidden)
                ),
                "{}",
                answer.json
            );
        }
        change(&ada, &bob, json!({ "admin": true })).await;
        bob.get("/v1/admin/storage").await_status(200).await;
        // Two who take each other's rights at once leave one of them.
        let none = json!({ "admin": false });
        let (one, other) = tokio::join!(
            ada.patch(path(&bob)).json(none.clone()).answer(),
            bob.patch(path(&ada)).json(none.clone()).answer(),
        );
        let done = [one, other]
            .iter()
            .filter(|answer| answer.status == 200)
            .count();
        assert_eq!(done, 1, "somebody is left");
        let ada_may = ada.get("/v1/admin/rooms").answer().await.status == 200;
        let bob_may = bob.get("/v1/admin/rooms").answer().await.status == 200;
        assert!(ada_may != bob_may, "rights end at once");
        let left = if ada_may { &ada } else { &bob };
        let account = change(left, &carol, json!({ "display_name": "C" })).await;
        assert_eq!(account["display_name"], "C");
        let account = change(left, &carol, json!({ "display_name": null })).await;
        assert_eq!(account["display_name"], "carol");
        let admins = left
            .get("/v1/admin/users?admin=true")
            .await_status(200)
            .await;
        assert_eq!(admins.json["users"].as_array().unwrap().len(), 1);
        let found = left
            .get("/v1/admin/users?query=carol@exa")
            .await_status(200)
            .await;
        assert_eq!(found.json["users"][0]["id"], json!(carol.id));
    }
}

#[tokio::test]
async fn whom_the_settings_name_nobody_keeps_out() {
    for server in Server::each_with(STORE).await {
        let (root, ada) = (server.register("root1").await, server.register("ada").await);
        change(&root, &ada, json!({ "admin": true })).await;
        let path = format!("/v1/admin/users/{}", root.id);
        ada.patch(&path)
            .json(json!({ "suspended": true }))
            .refused(ErrorCode::Forbidden)
            .await;
        let account = change(&ada, &root, json!({ "admin": false })).await;
        assert_eq!(
            (&account["admin"], &account["admin_by_settings"]),
            (&json!(true), &json!(true))
        );
        // With somebody named the last of the others may go.
        change(&ada, &ada, json!({ "admin": false })).await;
        ada.get("/v1/admin/nodes")
            .refused(ErrorCode::Forbidden)
            .await;
        let page = root
            .get("/v1/admin/users?limit=1")
            .await_status(200)
            .await
            .json;
        let next = page["next_cursor"].as_str().unwrap();
        let next = root
            .get(format!("/v1/admin/users?limit=1&cursor={next}"))
            .await_status(200)
            .await
            .json;
        assert_eq!(
            (&page["users"][0]["username"], &next["users"][0]["username"]),
            (&json!("ada"), &json!("root1"))
        );
    }
}

#[tokio::test]
async fn a_room_without_an_owner_is_given_to_somebody() {
    for server in Server::each_with(STORE).await {
        let (root, ada) = (server.register("root1").await, server.register("ada").await);
        let (bob, eve) = (server.register("bob").await, server.register("eve").await);
        let room = ada
            .room(json!({ "name": "Tea", "visibility": "secret" }))
            .await;
        let id = room.trim_start_matches("/v1/rooms/").to_owned();
        let list = "/v1/admin/rooms?ownerless=true";
        assert_eq!(
            root.get(list).await_status(200).await.json["rooms"],
            json!([])
        );
        change(&root, &ada, json!({ "suspended": true })).await;
        let told = root.get(list).await_status(200).await.json;
        assert_eq!(
            (
                &told["rooms"][0]["room"]["id"],
                &told["rooms"][0]["owner"]["username"]
            ),
            (&json!(id), &json!("ada"))
        );
        let path = format!("/v1/admin/rooms/{id}");
        bob.patch(&path)
            .json(json!({ "owner": bob.id }))
            .refused(ErrorCode::Forbidden)
            .await;
        root.patch(&path)
            .json(json!({ "owner": ada.id }))
            .refused(ErrorCode::UserNotFound)
            .await;
        let given = root
            .patch(&path)
            .json(json!({ "owner": bob.id }))
            .await_status(200)
            .await
            .json;
        assert_eq!(
            (
                &given["owner"]["username"],
                &given["ownerless"],
                &given["room"]["members"]
            ),
            (&json!("bob"), &json!(false), &json!(2))
        );
        // They have it as any owner has.
        bob.patch(&room)
            .json(json!({ "archived": true }))
            .await_status(200)
            .await;
        let opened = root
            .patch(&path)
            .json(json!({ "archived": false }))
            .await_status(200)
            .await;
        assert_eq!(opened.json["room"].get("archived_at"), None);
        let members = bob
            .get(format!("{room}/members"))
            .await_status(200)
            .await
            .json;
        let roles: Vec<_> = members["members"]
            .as_array()
            .unwrap()
            .iter()
            .map(|member| (member["user"]["username"].as_str(), member["role"].as_str()))
            .collect();
        assert_eq!(
            roles,
            [(Some("bob"), Some("owner")), (Some("ada"), Some("admin"))]
        );
        let events = bob
            .get(format!("{room}/events?after=0"))
            .await_status(200)
            .await
            .json;
        let kinds: Vec<_> = events["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["kind"].as_str().unwrap())
            .collect();
        assert_eq!(
            kinds,
            ["join", "join", "role", "role", "archive", "archive"]
        );

        let direct = bob
            .post("/v1/dms")
            .json(json!({ "user_ids": [eve.id] }))
            .await_status(201)
            .await;
        let direct = format!("/v1/admin/rooms/{}", direct.json["id"].as_str().unwrap());
        root.patch(&direct)
            .json(json!({ "owner": bob.id }))
            .refused(ErrorCode::Conflict)
            .await;
        root.delete(&direct).refused(ErrorCode::Conflict).await;
        let storage = root.get("/v1/admin/storage").await_status(200).await.json;
        assert_eq!(
            (&storage["rooms"], &storage["users"]),
            (&json!(2), &json!(4))
        );
        assert!(storage["database_bytes"].as_u64().unwrap() > 4_096);
        assert_eq!(storage["largest"][0]["room"], json!(id));
    }
}

#[tokio::test]
async fn a_password_that_was_taken_away_is_replaced_by_the_link_that_was_handed_over() {
    const NEW: &str = "another one, from 1844";
    for server in Server::each_with(STORE).await {
        let (root, ada) = (server.register("root1").await, server.register("ada").await);
        let path = |user: &Person<'_>| format!("/v1/admin/users/{}/reset", user.id);
        ada.post(path(&ada)).refused(ErrorCode::Forbidden).await;
        let first = root.post(path(&ada)).await_status(200).await.json;
        let link = root.post(path(&ada)).await_status(200).await.json;
        ada.get("/v1/users/me")
            .refused(ErrorCode::Unauthenticated)
            .await;
        let login = |password: &str| {
            server
                .post("/v1/auth/login")
                .json(json!({ "login": "ada", "password": password }))
        };
        login(PASSWORD).refused(ErrorCode::InvalidCredentials).await;
        let confirm = |link: &Value| {
            server
                .post("/v1/auth/reset/confirm")
                .json(json!({ "token": link["token"], "new": NEW }))
        };
        confirm(&first).refused(ErrorCode::LinkNotFound).await;
        confirm(&link).await_status(204).await;
        confirm(&link).refused(ErrorCode::LinkNotFound).await;
        let signed_in = login(NEW).await_status(200).await.json;
        assert_eq!(
            signed_in["user"]["email_verified"],
            json!(false),
            "no mail has shown anything"
        );
        let url = link["url"].as_str().unwrap();
        assert!(url.ends_with(&format!("/#/reset/{}", link["token"].as_str().unwrap())));

        change(&root, &ada, json!({ "admin": true })).await;
        let ada = Person::of(&server, &signed_in);
        ada.post(path(&root)).refused(ErrorCode::Forbidden).await;
        let audit = root
            .get("/v1/admin/audit?action=user_reset")
            .await_status(200)
            .await
            .json;
        assert_eq!(audit["entries"].as_array().unwrap().len(), 2);
        assert!(!audit.to_string().contains(link["token"].as_str().unwrap()));
    }
}
