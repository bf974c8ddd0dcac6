//! Accounts and sessions.

use std::time::Duration;

use http::Method;
use protocol::ErrorCode;
use serde_json::{Value, json};

use crate::server::{PASSWORD, Person, Server, registration};

fn login(name: &str, password: &str) -> Value {
    json!({ "login": name, "password": password, "device": "a test" })
}

#[tokio::test]
async fn an_account_is_made_and_entered_on_each_engine() {
    for server in Server::each().await {
        let answer = server
            .post("/v1/auth/register")
            .json(registration("Ada"))
            .await_status(201)
            .await;
        assert_eq!(answer.json["user"]["username"], "ada");
        assert_eq!(answer.json["token_type"], "Bearer");
        assert_eq!(answer.json["expires_in"], 900);
        for name in ["ADA", "ada@EXAMPLE.com"] {
            let answer = server
                .post("/v1/auth/login")
                .json(login(name, PASSWORD))
                .await_status(200)
                .await;
            let ada = Person::of(&server, &answer.json);
            let me = ada.get("/v1/users/me").await_status(200).await;
            assert_eq!(me.json["email"], "ada@example.com");
        }
    }
}

#[tokio::test]
async fn a_name_that_differs_by_case_is_taken() {
    for server in Server::each().await {
        server.register("ada").await;
        let mut again = registration("ADA");
        again["email"] = json!("other@example.com");
        server
            .post("/v1/auth/register")
            .json(again)
            .refused(ErrorCode::UsernameTaken)
            .await;
        let mut again = registration("other");
        again["email"] = json!("ADA@example.com");
        server
            .post("/v1/auth/register")
            .json(again)
            .refused(ErrorCode::EmailTaken)
            .await;
    }
}

#[tokio::test]
async fn every_wrong_field_of_a_registration_is_named() {
    let server = Server::start().await;
    let wrong =
        json!({ "username": "a b", "email": "nowhere", "password": "short", "display_name": "" });
    let answer = server
        .post("/v1/auth/register")
        .json(wrong)
        .refused(ErrorCode::ValidationFailed)
        .await;
    assert_eq!(answer.violations("username"), json!(["invalid"]));
    assert_eq!(answer.violations("email"), json!(["invalid"]));
    assert_eq!(answer.violations("password"), json!(["too_short"]));
    assert_eq!(answer.violations("display_name"), json!(["too_short"]));

    let mut common = registration("ada");
    common["password"] = json!("1234567890");
    let answer = server
        .post("/v1/auth/register")
        .json(common)
        .refused(ErrorCode::ValidationFailed)
        .await;
    assert_eq!(answer.violations("password"), json!(["too_common"]));
    let answer = server.post("/v1/auth/register").json(registration("admin"));
    let answer = answer.refused(ErrorCode::ValidationFailed).await;
    assert_eq!(answer.violations("username"), json!(["reserved"]));
}

#[tokio::test]
async fn an_unknown_user_is_refused_like_a_wrong_password() {
    let server = Server::start().await;
    server.register("ada").await;
    let known = server
        .post("/v1/auth/login")
        .json(login("ada", "another password"));
    let known = known.refused(ErrorCode::InvalidCredentials).await;
    for nobody in ["grace", "grace@example.com", "no such name!"] {
        let unknown = server
            .post("/v1/auth/login")
            .json(login(nobody, "another password"));
        let unknown = unknown.refused(ErrorCode::InvalidCredentials).await;
        assert_eq!(
            unknown.json["error"]["message"],
            known.json["error"]["message"]
        );
    }
}

fn refresh(token: &str) -> Value {
    json!({ "refresh_token": token })
}

#[tokio::test]
async fn a_refresh_token_is_used_up_and_its_reuse_ends_the_session() {
    for server in Server::each().await {
        let ada = server.register("ada").await;
        let ask = || {
            server
                .post("/v1/auth/refresh")
                .json(refresh(&ada.refresh_token))
        };
        let first = ask().await_status(200).await;
        assert_ne!(first.json["refresh_token"], ada.refresh_token.as_str());
        server.advance(Duration::from_secs(10));
        let again = ask().await_status(200).await;
        assert_eq!(again.json["refresh_token"], first.json["refresh_token"]);
        assert_eq!(again.json["access_token"], first.json["access_token"]);

        server.advance(Duration::from_secs(10));
        ask().refused(ErrorCode::Unauthenticated).await;
        let renewed = Person::of(&server, &first.json);
        renewed
            .get("/v1/users/me")
            .refused(ErrorCode::Unauthenticated)
            .await;
        let next = server
            .post("/v1/auth/refresh")
            .json(refresh(&renewed.refresh_token));
        next.refused(ErrorCode::Unauthenticated).await;
    }
}

#[tokio::test]
async fn an_access_token_lives_its_time_to_the_second() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    server.advance(Duration::from_secs(898));
    ada.get("/v1/users/me").await_status(200).await;
    server.advance(Duration::from_secs(3));
    let refused = ada
        .get("/v1/users/me")
        .refused(ErrorCode::Unauthenticated)
        .await;
    assert_eq!(refused.header("www-authenticate"), "Bearer");
}

#[tokio::test]
async fn a_logout_ends_the_session_at_once() {
    for server in Server::each().await {
        let ada = server.register("ada").await;
        ada.post("/v1/auth/logout").await_status(204).await;
        ada.get("/v1/users/me")
            .refused(ErrorCode::Unauthenticated)
            .await;
        let renew = server
            .post("/v1/auth/refresh")
            .json(refresh(&ada.refresh_token));
        renew.refused(ErrorCode::Unauthenticated).await;
    }
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let server = Server::start().await;
    let here = server.register("ada").await;
    let enter = async || {
        let answer = server
            .post("/v1/auth/login")
            .json(login("ada", PASSWORD))
            .await_status(200)
            .await;
        Person::of(&server, &answer.json)
    };
    let (there, elsewhere) = (enter().await, enter().await);

    let listed = here.get("/v1/auth/sessions").await_status(200).await;
    let sessions = listed.json["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 3);
    assert_eq!(
        sessions
            .iter()
            .filter(|session| session["current"] == true)
            .count(),
        1
    );
    let named = there.get("/v1/auth/sessions").await_status(200).await;
    let own = named.json["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|session| session["current"] == true);
    let own = own.unwrap();
    assert_eq!(
        (own["device"].as_str(), own["ip"].as_str()),
        (Some("a test"), Some("127.0.0.1"))
    );

    let path = format!("/v1/auth/sessions/{}", own["id"].as_str().unwrap());
    server
        .register("grace")
        .await
        .delete(&path)
        .refused(ErrorCode::SessionNotFound)
        .await;
    here.delete(&path).await_status(204).await;
    there
        .get("/v1/users/me")
        .refused(ErrorCode::Unauthenticated)
        .await;
    here.delete("/v1/auth/sessions").await_status(204).await;
    elsewhere
        .get("/v1/users/me")
        .refused(ErrorCode::Unauthenticated)
        .await;
    here.get("/v1/users/me").await_status(200).await;
}

#[tokio::test]
async fn a_new_password_ends_every_other_session() {
    let server = Server::start().await;
    let here = server.register("ada").await;
    let answer = server
        .post("/v1/auth/login")
        .json(login("ada", PASSWORD))
        .await_status(200)
        .await;
    let there = Person::of(&server, &answer.json);
    let change = |current: &str, new: &str| {
        here.post("/v1/auth/password")
            .json(json!({ "current": current, "new": new }))
    };
    change("not this one", "another harbour 77")
        .refused(ErrorCode::InvalidCredentials)
        .await;
    change(PASSWORD, "qwertyuiop")
        .refused(ErrorCode::ValidationFailed)
        .await;
    there.get("/v1/users/me").await_status(200).await;
    change(PASSWORD, "another harbour 77")
        .await_status(204)
        .await;
    there
        .get("/v1/users/me")
        .refused(ErrorCode::Unauthenticated)
        .await;
    here.get("/v1/users/me").await_status(200).await;
    server
        .post("/v1/auth/login")
        .json(login("ada", PASSWORD))
        .refused(ErrorCode::InvalidCredentials)
        .await;
    server
        .post("/v1/auth/login")
        .json(login("ada", "another harbour 77"))
        .await_status(200)
        .await;
}

#[tokio::test]
async fn a_profile_is_changed_and_seen_by_others() {
    let server = Server::start().await;
    let (ada, grace) = (server.register("ada").await, server.register("grace").await);
    let change = json!({ "display_name": "Ada L.", "bio": "Notes", "status": "writing" });
    let changed = ada
        .patch("/v1/users/me")
        .json(change)
        .await_status(200)
        .await;
    assert_eq!(changed.json["display_name"], "Ada L.");
    let seen = grace
        .get(format!("/v1/users/{}", ada.id))
        .await_status(200)
        .await;
    assert_eq!(seen.json["bio"], "Notes");
    assert_eq!(seen.json["email"], Value::Null);
    let found = grace
        .get("/v1/users?query=ADA&limit=5")
        .await_status(200)
        .await;
    assert_eq!(found.json["users"][0]["id"], ada.id.as_str());
    ada.patch("/v1/users/me")
        .json(json!({ "display_name": null }))
        .await_status(200)
        .await;
    let seen = grace
        .get(format!("/v1/users/{}", ada.id))
        .await_status(200)
        .await;
    assert_eq!(seen.json["display_name"], "ada");
    let nobody = "/v1/users/0198f6a2-7c1e-7000-8000-000000000001";
    grace.get(nobody).refused(ErrorCode::UserNotFound).await;
}

#[tokio::test]
async fn what_was_done_is_in_the_audit_log_for_admins_only() {
    let server = Server::start_with(|settings| settings.admins = vec!["root1".to_owned()]).await;
    let (admin, ada) = (server.register("root1").await, server.register("ada").await);
    let later = || server.advance(Duration::from_millis(1));
    later();
    server
        .post("/v1/auth/login")
        .json(login("ada", "wrong password"))
        .refused(ErrorCode::InvalidCredentials)
        .await;
    server
        .post("/v1/auth/login")
        .json(login("ada", PASSWORD))
        .await_status(200)
        .await;
    later();
    server
        .post("/v1/auth/refresh")
        .json(refresh(&ada.refresh_token))
        .await_status(200)
        .await;
    later();
    ada.patch("/v1/users/me")
        .json(json!({ "bio": "x" }))
        .await_status(200)
        .await;
    later();
    let change = json!({ "current": PASSWORD, "new": "another harbour 77" });
    ada.post("/v1/auth/password")
        .json(change)
        .await_status(204)
        .await;
    later();
    ada.ask(Method::POST, "/v1/auth/logout")
        .header("x-request-id", "my-logout-1")
        .await_status(204)
        .await;

    server
        .register("grace")
        .await
        .get("/v1/admin/audit")
        .refused(ErrorCode::Forbidden)
        .await;
    let page = admin
        .get(format!("/v1/admin/audit?actor={}", ada.id))
        .await_status(200)
        .await;
    let actions: Vec<_> = page.json["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["action"])
        .collect();
    assert_eq!(
        actions,
        [
            "logout",
            "password_change",
            "profile_change",
            "token_refresh",
            "login_success",
            "register"
        ]
    );
    assert_eq!(page.json["entries"][0]["request_id"], "my-logout-1");
    let failures = admin
        .get("/v1/admin/audit?action=login_failure")
        .await_status(200)
        .await;
    assert_eq!(failures.json["entries"][0]["target"], ada.id.as_str());
    let first = admin.get("/v1/admin/audit?limit=2").await_status(200).await;
    let cursor = first.json["next_cursor"].as_str().unwrap();
    let second = admin
        .get(format!("/v1/admin/audit?limit=2&cursor={cursor}"))
        .await_status(200)
        .await;
    assert_ne!(
        first.json["entries"][1]["id"],
        second.json["entries"][0]["id"]
    );
}
