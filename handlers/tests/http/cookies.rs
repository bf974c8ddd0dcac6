//! Sessions in cookies, and what other sites cannot do with them.

use http::Method;
use protocol::ErrorCode;
use serde_json::{Value, json};

use crate::server::{Answer, Ask, PASSWORD, Server, registration};

const OWN: &str = "http://127.0.0.1:8080";

/// A browser with a session in cookies.
struct Browser<'a> {
    server: &'a Server,
    cookies: String,
    csrf: String,
}

impl<'a> Browser<'a> {
    async fn register(server: &'a Server) -> Self {
        let ask = server
            .post("/v1/auth/register?cookie=true")
            .json(registration("ada"));
        let answer = ask.header("origin", OWN).await_status(201).await;
        let cookies = sent_back(&answer);
        let csrf = server
            .get("/v1/auth/csrf")
            .header("cookie", &cookies)
            .await_status(200)
            .await;
        Self {
            server,
            cookies,
            csrf: csrf.json["csrf_token"].as_str().unwrap().to_owned(),
        }
    }

    fn ask(&self, method: Method, path: &str, csrf: Option<&str>, origin: Option<&str>) -> Ask<'a> {
        let mut ask = self
            .server
            .ask(method, path)
            .header("cookie", &self.cookies);
        if let Some(csrf) = csrf {
            ask = ask.header("x-csrf-token", csrf);
        }
        if let Some(origin) = origin {
            ask = ask.header("origin", origin);
        }
        ask.header("host", "127.0.0.1:8080")
    }
}

/// The `Cookie` header that a browser makes of the answer.
fn sent_back(answer: &Answer) -> String {
    let pair = |name: &str| answer.cookie(name).split(';').next().unwrap().to_owned();
    format!("{}; {}", pair("chatx_access"), pair("chatx_refresh"))
}

#[tokio::test]
async fn tokens_are_in_cookies_and_not_in_the_body() {
    let server = Server::start().await;
    let ask = server
        .post("/v1/auth/register?cookie=true")
        .json(registration("ada"));
    let answer = ask.await_status(201).await;
    assert_eq!(answer.json["access_token"], Value::Null);
    assert_eq!(answer.json["refresh_token"], Value::Null);
    assert_eq!(answer.json["expires_in"], 900);
    for (name, path, age) in [
        ("chatx_access", "Path=/", 900),
        ("chatx_refresh", "Path=/v1/auth", 2_592_000),
    ] {
        let cookie = answer.cookie(name);
        let attributes: Vec<&str> = cookie.split("; ").skip(1).collect();
        let age = format!("Max-Age={age}");
        assert_eq!(
            attributes,
            [path, &age, "HttpOnly", "Secure", "SameSite=Lax"],
            "{cookie}"
        );
    }
    let login = json!({ "login": "ada", "password": PASSWORD });
    let answer = server
        .post("/v1/auth/login?cookie=perhaps")
        .json(login)
        .refused(ErrorCode::ValidationFailed)
        .await;
    assert_eq!(answer.violations("cookie"), json!(["invalid"]));
}

#[tokio::test]
async fn a_change_with_a_cookie_shows_its_token_and_comes_from_our_page() {
    let server = Server::start_with(|settings| {
        settings.origins = vec!["https://app.example.com".to_owned()];
    })
    .await;
    let browser = Browser::register(&server).await;
    let other = server.register("grace").await;
    let foreign_csrf = other.get("/v1/auth/csrf").await_status(200).await;
    let foreign_csrf = foreign_csrf.json["csrf_token"].as_str().unwrap();
    let own_csrf = browser.csrf.as_str();
    let table = [
        (Some(own_csrf), Some(OWN), true),
        (Some(own_csrf), Some("https://app.example.com"), true),
        (Some(own_csrf), Some("https://evil.example.com"), false),
        (Some(own_csrf), Some("http://127.0.0.1:8081"), false),
        (Some(own_csrf), Some("null"), false),
        (Some(own_csrf), None, false),
        (Some(foreign_csrf), Some(OWN), false),
        (Some("nonsense"), Some(OWN), false),
        (None, Some(OWN), false),
    ];
    for (csrf, origin, allowed) in table {
        let change = browser
            .ask(Method::PATCH, "/v1/users/me", csrf, origin)
            .json(json!({ "bio": "x" }));
        let answer = change.answer().await;
        let code = (!allowed).then_some(ErrorCode::Csrf);
        assert_eq!(answer.code(), code, "{csrf:?} {origin:?} {}", answer.json);
        browser
            .ask(Method::GET, "/v1/users/me", csrf, origin)
            .await_status(200)
            .await;
    }
    other
        .patch("/v1/users/me")
        .json(json!({ "bio": "x" }))
        .await_status(200)
        .await;
}

#[tokio::test]
async fn a_bearer_token_counts_before_a_cookie() {
    let server = Server::start().await;
    let browser = Browser::register(&server).await;
    let grace = server.register("grace").await;
    let me = grace
        .get("/v1/users/me")
        .header("cookie", &browser.cookies)
        .await_status(200)
        .await;
    assert_eq!(me.json["username"], "grace");
    let bad = browser
        .ask(Method::GET, "/v1/users/me", None, None)
        .header("authorization", "Bearer x");
    bad.refused(ErrorCode::Unauthenticated).await;
}

#[tokio::test]
async fn no_other_site_logs_its_visitors_in() {
    let server = Server::start().await;
    server.register("ada").await;
    let login = || {
        server
            .post("/v1/auth/login?cookie=true")
            .json(json!({ "login": "ada", "password": PASSWORD }))
    };
    login()
        .header("origin", "https://evil.example.com")
        .refused(ErrorCode::Csrf)
        .await;
    login().header("origin", OWN).await_status(200).await;
}

#[tokio::test]
async fn a_page_renews_and_ends_its_session_by_cookie() {
    let server = Server::start().await;
    let browser = Browser::register(&server).await;
    let path = "/v1/auth/refresh?cookie=true";
    browser
        .ask(Method::POST, path, None, Some(OWN))
        .refused(ErrorCode::Csrf)
        .await;
    let renewed = browser
        .ask(Method::POST, path, Some(&browser.csrf), Some(OWN))
        .json(json!({}));
    let renewed = renewed.await_status(200).await;
    assert_eq!(renewed.json["access_token"], Value::Null);
    let browser = Browser {
        cookies: sent_back(&renewed),
        ..browser
    };
    browser
        .ask(Method::GET, "/v1/users/me", None, None)
        .await_status(200)
        .await;

    // With the access token gone, the refresh token still tells which session's csrf token is asked for.
    let refresh_only = browser.cookies.split_once("; ").unwrap().1;
    let csrf = server
        .get("/v1/auth/csrf")
        .header("cookie", refresh_only)
        .await_status(200)
        .await;
    assert_eq!(csrf.json["csrf_token"], browser.csrf.as_str());

    let csrf = Some(browser.csrf.as_str());
    let ended = browser
        .ask(Method::POST, "/v1/auth/logout", csrf, Some(OWN))
        .await_status(204)
        .await;
    assert!(ended.cookie("chatx_access").contains("Max-Age=0"));
    assert!(ended.cookie("chatx_refresh").contains("Max-Age=0"));
    browser
        .ask(Method::GET, "/v1/users/me", None, None)
        .refused(ErrorCode::Unauthenticated)
        .await;
}
