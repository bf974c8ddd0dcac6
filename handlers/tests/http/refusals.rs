//! Refusals: every one has the same body, whoever refuses.

use protocol::ErrorCode;
use serde_json::json;

use crate::server::{Server, registration};

#[tokio::test]
async fn what_is_not_served_is_refused_like_everything_else() {
    let server = Server::start().await;
    for path in ["/nothing", "/v1/nothing", "/v1/rooms/x/y/z"] {
        server.get(path).refused(ErrorCode::NotFound).await;
    }
    let refused = server
        .ask(http::Method::DELETE, "/v1/auth/login")
        .refused(ErrorCode::MethodNotAllowed)
        .await;
    assert_eq!(refused.header("allow"), "POST");
    assert_eq!(refused.json["error"]["fields"], json!(null));
}

#[tokio::test]
async fn a_body_is_json_of_a_bounded_size() {
    let server = Server::start().await;
    let ask = || server.post("/v1/auth/register");
    ask()
        .body("text/plain", "{}")
        .refused(ErrorCode::UnsupportedMediaType)
        .await;
    ask()
        .body("application/x-www-form-urlencoded", "username=ada")
        .refused(ErrorCode::UnsupportedMediaType)
        .await;
    for broken in ["{", "[]", "null", "\"text\"", "{}{}", "\u{0}"] {
        ask()
            .body("application/json", broken)
            .refused(ErrorCode::Malformed)
            .await;
    }
    let large = format!("{{\"username\":\"{}\"}}", "a".repeat(256 * 1_024));
    ask()
        .body("application/json", large)
        .refused(ErrorCode::TooLarge)
        .await;
    ask()
        .body(
            "application/json; charset=utf-8",
            registration("ada").to_string(),
        )
        .await_status(201)
        .await;
}

#[tokio::test]
async fn unknown_fields_are_refused() {
    let server = Server::start().await;
    let mut body = registration("ada");
    body["admin"] = json!(true);
    let answer = server
        .post("/v1/auth/register")
        .json(body)
        .refused(ErrorCode::ValidationFailed)
        .await;
    assert_eq!(answer.violations("admin"), json!(["unknown"]));
    let ada = server.register("ada").await;
    let answer = ada
        .get("/v1/rooms?colour=red")
        .refused(ErrorCode::ValidationFailed)
        .await;
    assert_eq!(answer.violations("colour"), json!(["unknown"]));
    let answer = ada
        .get("/v1/rooms?limit=1&limit=2")
        .refused(ErrorCode::ValidationFailed)
        .await;
    assert_eq!(answer.violations("limit"), json!(["conflicting"]));
}

#[tokio::test]
async fn a_malformed_id_is_a_wrong_field() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let answer = ada
        .get("/v1/rooms/tea")
        .refused(ErrorCode::ValidationFailed)
        .await;
    assert_eq!(answer.violations("room"), json!(["invalid"]));
    let answer = ada
        .get("/v1/users/%ff")
        .refused(ErrorCode::ValidationFailed)
        .await;
    assert_eq!(answer.violations("user"), json!(["invalid"]));
    let path = "/v1/rooms/0198f6a2-7c1e-7000-8000-000000000001/messages/first";
    let answer = ada.get(path).refused(ErrorCode::ValidationFailed).await;
    assert_eq!(answer.violations("seq"), json!(["invalid"]));
}

#[tokio::test]
async fn what_the_store_cannot_hold_never_reaches_it() {
    // Cursors as the lists give them out, of names with a zero in them.
    let (after_room, after_member) = (
        "eyJjb3VudCI6MCwiaWQiOiIwMTk4ZjZhMi03YzFlLTcwMDAtODAwMC0wMDAwMDAwMDAwMDEiLCJrZXkiOiJhXHUwMDAwIn0",
        "eyJyYW5rIjowLCJ1c2VybmFtZSI6ImFcdTAwMDAifQ",
    );
    for server in Server::each().await {
        let ada = server.register("ada").await;
        let room = ada
            .room(json!({ "name": "Den", "visibility": "secret" }))
            .await;
        for (field, path) in [
            ("query", "/v1/rooms?query=a%00b".to_owned()),
            ("query", "/v1/users?query=a%00b".to_owned()),
            ("cursor", format!("/v1/rooms?cursor={after_room}")),
            ("cursor", format!("{room}/members?cursor={after_member}")),
        ] {
            let answer = ada.get(&path).refused(ErrorCode::ValidationFailed).await;
            assert_ne!(answer.violations(field), json!(null), "{path}");
        }
        let answer = ada
            .ask(http::Method::DELETE, format!("{room}/invites/a%00b"))
            .refused(ErrorCode::ValidationFailed)
            .await;
        assert_eq!(answer.violations("code"), json!(["invalid"]));
        let grace = server.register("grace").await;
        let answer = grace
            .post(format!("{room}/members"))
            .json(json!({ "invite": "a\u{0}b" }))
            .refused(ErrorCode::ValidationFailed)
            .await;
        assert_eq!(answer.violations("invite"), json!(["invalid"]));
    }
}

#[tokio::test]
async fn who_has_no_good_token_is_refused() {
    let server = Server::start().await;
    server.register("ada").await;
    server
        .get("/v1/users/me")
        .refused(ErrorCode::Unauthenticated)
        .await;
    for authorization in [
        "Bearer",
        "Bearer ",
        "Bearer x.y.z",
        "Basic YTpi",
        "bearer \u{e9}",
    ] {
        server
            .get("/v1/users/me")
            .header("authorization", authorization)
            .refused(ErrorCode::Unauthenticated)
            .await;
    }
}

#[tokio::test]
async fn a_request_keeps_the_id_that_it_came_with() {
    let server = Server::start().await;
    let answer = server
        .get("/livez")
        .header("x-request-id", "trace-17")
        .await_status(200)
        .await;
    assert_eq!(answer.header("x-request-id"), "trace-17");
    for unfit in ["", "two words", "a\tb", &"x".repeat(65)] {
        let answer = server
            .get("/livez")
            .header("x-request-id", unfit)
            .await_status(200)
            .await;
        assert_eq!(answer.header("x-request-id").len(), 36, "{unfit:?}");
    }
}

#[tokio::test]
async fn answers_are_kept_from_being_misused() {
    let server = Server::start().await;
    let answer = server.get("/livez").await_status(200).await;
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert!(
        answer
            .header("content-security-policy")
            .contains("frame-ancestors 'none'")
    );
}

#[tokio::test]
async fn pages_of_allowed_origins_may_ask_and_others_may_not() {
    let server = Server::start_with(|settings| {
        settings.origins = vec!["https://app.example.com".to_owned()];
    })
    .await;
    let preflight = |origin: &str| {
        server
            .ask(http::Method::OPTIONS, "/v1/users/me")
            .header("origin", origin)
            .header("access-control-request-method", "PATCH")
            .header(
                "access-control-request-headers",
                "authorization,content-type",
            )
    };
    let allowed = preflight("https://app.example.com").await_status(200).await;
    assert_eq!(
        allowed.header("access-control-allow-origin"),
        "https://app.example.com"
    );
    assert_eq!(allowed.header("access-control-allow-credentials"), "true");
    let foreign = preflight("https://evil.example.com")
        .await_status(200)
        .await;
    assert_eq!(foreign.header("access-control-allow-origin"), "");
    let refused = server
        .get("/v1/users/me")
        .header("origin", "https://app.example.com")
        .answer()
        .await;
    assert_eq!(
        refused.header("access-control-allow-origin"),
        "https://app.example.com"
    );
}

#[tokio::test]
async fn a_server_without_its_store_says_so() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    server.get("/readyz").await_status(200).await;
    server.app.store.close().await;
    for ask in [
        server.get("/readyz"),
        ada.get("/v1/users/me"),
        ada.get("/v1/rooms"),
    ] {
        let refused = ask.refused(ErrorCode::Unavailable).await;
        assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
    }
    server.get("/livez").await_status(200).await;
}
