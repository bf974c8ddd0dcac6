//! Logging in by the word of others: a real provider, and one that says what nobody should believe.

use std::time::Duration;

use protocol::ErrorCode;
use serde_json::{Value, json};
use shared::settings::{Provider, Settings};
use testkit::OidcProvider;

use crate::{
    provider::{CLIENT, Issuer, Key, parameter},
    server::{Answer, PASSWORD, Person, Server},
};

const PAGE: &str = "/?x=1#/room/7";

/// What a page does to send its visitor away, and what the browser has then.
struct Visit {
    url: String,
    cookie: String,
}

async fn leave(server: &Server, provider: &str) -> Visit {
    let path =
        format!("/v1/auth/oidc/{provider}?return_to=%2F%3Fx%3D1%23%2Froom%2F7&device=A+browser");
    let away = server.get(path).await_status(303).await;
    Visit::of(away.header("location"), &away)
}

impl Visit {
    fn of(url: &str, answer: &Answer) -> Self {
        let cookie = answer.cookie("chatx_visit");
        for word in [
            "HttpOnly",
            "SameSite=Lax",
            "Path=/v1/auth/oidc",
            "Max-Age=600",
            "Secure",
        ] {
            assert!(cookie.contains(word), "{cookie}");
        }
        Self {
            url: url.to_owned(),
            cookie: cookie.split(';').next().unwrap().to_owned(),
        }
    }

    async fn come_back(&self, server: &Server, provider: &str, query: &str) -> Answer {
        let path = format!("/v1/auth/oidc/{provider}/callback?{query}");
        let ask = server.get(path).header("cookie", &self.cookie);
        let back = ask.await_status(303).await;
        // Nobody comes back twice.
        assert!(back.cookie("chatx_visit").starts_with("chatx_visit=; "));
        back
    }

    /// By the form of a real provider.
    async fn vouched(&self, server: &Server, provider: &OidcProvider, subject: &str) -> Answer {
        let back = provider.vouch(&self.url, subject).await.unwrap();
        let (way_back, query) = back.split_once('?').unwrap();
        let expected = "http://127.0.0.1:8080/v1/auth/oidc/mock/callback";
        assert_eq!(way_back, expected);
        self.come_back(server, "mock", query).await
    }

    /// By an ID token that the test made.
    async fn told(&self, server: &Server, issuer: &Issuer, id_token: String) -> Answer {
        let code = issuer.grant(&self.url, id_token);
        let (state, code) = (parameter(&self.url, "state"), code.replace(' ', "+"));
        let query = format!("state={state}&code={code}&session_state=x");
        self.come_back(server, "forge", &query).await
    }
}

/// Where the page is, and what it is told.
fn told(word: &str, value: &str) -> String {
    let (path, fragment) = PAGE.split_once('#').unwrap();
    format!("{path}&{word}={value}#{fragment}")
}

fn assert_refused(answer: &Answer, code: &str) {
    assert_eq!(answer.header("location"), told("sign_in_refused", code));
    let cookies = answer.headers.get_all("set-cookie").iter().count();
    assert_eq!(cookies, 1, "there is a session");
}

/// Who is logged in by the cookies of an answer.
async fn who(server: &Server, answer: &Answer) -> Value {
    assert!(
        answer.header("location").contains("signed_in="),
        "{}",
        answer.header("location")
    );
    let access = answer.cookie("chatx_access");
    let ask = server.get("/v1/users/me");
    let ask = ask.header("cookie", access.split(';').next().unwrap());
    ask.await_status(200).await.json
}

/// The same, with a token to go on with.
async fn person<'a>(server: &'a Server, answer: &Answer) -> Person<'a> {
    let user = who(server, answer).await;
    let cookie = |name: &str| {
        let cookie = answer.cookie(name);
        let value = cookie.split(';').next().unwrap();
        json!(value.split_once('=').unwrap().1)
    };
    let signed_in = json!({ "user": user, "access_token": cookie("chatx_access"),
        "refresh_token": cookie("chatx_refresh") });
    Person::of(server, &signed_in)
}

fn of_mock(provider: &OidcProvider) -> Provider {
    Provider {
        id: "mock".to_owned(),
        issuer: provider.url(),
        client_id: "chat".to_owned(),
        client_secret: Some("any".into()),
        name: "The mock".to_owned(),
        scopes: "openid profile email".to_owned(),
        trusted_network: false,
    }
}

async fn with_mock() -> (OidcProvider, [Server; 2]) {
    let provider = OidcProvider::start().await.unwrap();
    let known = of_mock(&provider);
    let servers = Server::each_with(|settings| settings.providers = vec![known.clone()]).await;
    (provider, servers)
}

async fn with_issuer(change: impl Fn(&mut Settings)) -> (Issuer, [Server; 2]) {
    let issuer = Issuer::start().await;
    let servers = Server::each_with(|settings| {
        settings.providers = vec![issuer.settings("forge")];
        change(settings);
    })
    .await;
    (issuer, servers)
}

/// What a good provider says of Ada who came by `visit`.
fn claims(server: &Server, issuer: &Issuer, visit: &Visit) -> Value {
    let now_s = server.app.clock.now().unix_s();
    json!({ "iss": issuer.url, "aud": CLIENT, "sub": "ada of the issuer", "iat": now_s, "exp": now_s + 300,
        "nonce": parameter(&visit.url, "nonce"), "email": "ada@example.com", "email_verified": true })
}

/// Shows that the address of somebody who registered here is theirs, as the link of a mail does.
async fn verify(server: &Server, username: &str) {
    let login = protocol::accounts::LoginName::Username(
        protocol::text::Username::parse(username, &protocol::Limits::default()).unwrap(),
    );
    let recipient = server
        .app
        .store
        .recipient_of(&login)
        .await
        .unwrap()
        .unwrap();
    let hash = shared::token::bearer::bearer_hash("of a mail");
    let until = server.app.clock.now().after(Duration::from_secs(60));
    let purpose = shared::store::MailedFor::Verify;
    let kept = server
        .app
        .store
        .keep_mailed_token(&hash, &recipient, purpose, until);
    kept.await.unwrap();
    let body = json!({ "token": "of a mail" });
    server
        .post("/v1/auth/verify")
        .json(body)
        .await_status(204)
        .await;
}

#[tokio::test]
async fn a_real_provider_brings_somebody_new_and_knows_them_again() {
    let (provider, servers) = with_mock().await;
    let ada = r#"{"email":"Ada@Example.com","email_verified":true,"name":"Ada Lovelace","preferred_username":"ada"}"#;
    provider.knows("1815", ada).await.unwrap();
    for server in servers {
        let listed = server.get("/v1/auth/providers").await_status(200).await;
        assert_eq!(
            listed.json,
            json!({ "providers": [{ "id": "mock", "name": "The mock" }] })
        );
        server.register("ada2").await;
        let first = leave(&server, "mock")
            .await
            .vouched(&server, &provider, "1815")
            .await;
        assert_eq!(first.header("location"), told("signed_in", "mock"));
        let me = who(&server, &first).await;
        let seen = [
            "username",
            "display_name",
            "email",
            "email_verified",
            "has_password",
        ];
        assert_eq!(
            seen.map(|field| me[field].clone()),
            [
                json!("ada"),
                json!("Ada Lovelace"),
                json!("ada@example.com"),
                json!(true),
                json!(false)
            ]
        );
        let again = leave(&server, "mock")
            .await
            .vouched(&server, &provider, "1815")
            .await;
        assert_eq!(who(&server, &again).await["id"], me["id"]);
        let ada = person(&server, &again).await;
        let sessions = ada.get("/v1/auth/sessions").await_status(200).await.json;
        assert_eq!(sessions["sessions"][0]["device"], "A browser");
        let identities = ada
            .get("/v1/users/me/identities")
            .await_status(200)
            .await
            .json;
        let [identity] = identities["identities"].as_array().unwrap().as_slice() else {
            panic!("{identities}");
        };
        assert_eq!(identity["provider"]["name"], "The mock");
        assert_eq!(identity["label"], "Ada@Example.com");

        // Of two with one name there, the second is called otherwise here: `ada2` is somebody already.
        let body = r#"{"email":"ada@example.net","preferred_username":"ada"}"#;
        provider.knows("other", body).await.unwrap();
        let other = leave(&server, "mock")
            .await
            .vouched(&server, &provider, "other")
            .await;
        let other = who(&server, &other).await;
        assert_eq!(
            (&other["username"], &other["email_verified"]),
            (&json!("ada3"), &json!(false))
        );

        let visit = leave(&server, "mock").await;
        let back = provider.deny(&visit.url).await.unwrap();
        let (_, query) = back.split_once('?').unwrap();
        // This one does not say of which visit its no is, so it is none.
        assert_refused(&visit.come_back(&server, "mock", query).await, "forbidden");
    }
}

#[tokio::test]
async fn an_account_is_theirs_whose_address_both_sides_have_verified() {
    let boss = |settings: &mut Settings| settings.admins = vec!["boss".to_owned()];
    let (issuer, servers) = with_issuer(boss).await;
    let key = issuer.key();
    for server in servers {
        let come = async |verified: bool| {
            let visit = leave(&server, "forge").await;
            let mut claims = claims(&server, &issuer, &visit);
            claims["email_verified"] = json!(verified);
            visit.told(&server, &issuer, key.sign(&claims)).await
        };
        let ada = server.register("ada").await;
        assert_refused(&come(false).await, "email_taken");
        assert_refused(&come(true).await, "email_taken");
        verify(&server, "ada").await;
        assert_refused(&come(false).await, "email_taken");
        let entered = come(true).await;
        assert_eq!(who(&server, &entered).await["id"], ada.id.as_str());
        // From then on it is the same person, whatever their address is.
        let entered = come(false).await;
        assert_eq!(who(&server, &entered).await["id"], ada.id.as_str());
        let boss = server.register("boss").await;
        let log = boss.get("/v1/admin/audit").await_status(200).await.json;
        let entries = log["entries"].as_array().unwrap();
        let count = |action: &str| {
            entries
                .iter()
                .filter(|entry| entry["action"] == action)
                .count()
        };
        let counts = ["login_success", "identity_link", "login_failure"].map(count);
        assert_eq!(counts, [2, 1, 3], "{log}");
        assert!(!log.to_string().contains("ada of the issuer"), "{log}");

        let path = format!("/v1/admin/users/{}", ada.id);
        let suspend = boss.patch(path).json(json!({ "suspended": true }));
        suspend.await_status(200).await;
        assert_refused(&come(true).await, "suspended");
    }
}

#[tokio::test]
async fn an_account_that_asks_for_codes_is_not_opened_by_an_address() {
    let (issuer, servers) = with_issuer(|_| {}).await;
    let key = issuer.key();
    for server in servers {
        let ada = server.register("ada").await;
        verify(&server, "ada").await;
        crate::totp::turn_on(&server, &ada).await;
        let visit = leave(&server, "forge").await;
        let token = key.sign(&claims(&server, &issuer, &visit));
        let entered = visit.told(&server, &issuer, token).await;
        assert_refused(&entered, "email_taken");
        // Who adds the provider by themselves trusts it with that.
        link(&server, &ada, &issuer, json!({ "password": PASSWORD })).await;
        let visit = leave(&server, "forge").await;
        let token = key.sign(&claims(&server, &issuer, &visit));
        let entered = visit.told(&server, &issuer, token).await;
        assert_eq!(who(&server, &entered).await["id"], ada.id.as_str());
    }
}

/// Adds Ada of the issuer to somebody's account.
async fn link(server: &Server, person: &Person<'_>, issuer: &Issuer, mut body: Value) -> Answer {
    body["provider"] = json!("forge");
    body["return_to"] = json!(PAGE);
    let ask = person.post("/v1/users/me/identities").json(body);
    let begun = ask.await_status(201).await;
    let visit = Visit::of(begun.json["url"].as_str().unwrap(), &begun);
    let token = issuer.key().sign(&claims(server, issuer, &visit));
    visit.told(server, issuer, token).await
}

#[tokio::test]
async fn an_identity_is_added_by_who_is_logged_in_and_taken_away_while_there_is_another_way() {
    let (issuer, servers) = with_issuer(|_| {}).await;
    for server in servers {
        let (ada, eve) = (server.register("ada").await, server.register("eve").await);
        let begin = |body: Value| ada.post("/v1/users/me/identities").json(body);
        let wish =
            |provider: &str, password: &str| json!({ "provider": provider, "password": password });
        begin(wish("nobody", PASSWORD))
            .refused(ErrorCode::ProviderNotFound)
            .await;
        begin(wish("forge", "wrong"))
            .refused(ErrorCode::InvalidCredentials)
            .await;
        begin(json!({ "provider": "forge" }))
            .refused(ErrorCode::InvalidCredentials)
            .await;
        let away = json!({ "provider": "forge", "return_to": "//evil.example" });
        let refused = begin(away).refused(ErrorCode::ValidationFailed).await;
        assert_eq!(refused.violations("return_to"), json!(["invalid"]));
        let own = || link(&server, &ada, &issuer, json!({ "password": PASSWORD }));
        for _ in 0..2 {
            let linked = own().await;
            assert_eq!(linked.header("location"), told("linked", "forge"));
        }
        let taken = link(&server, &eve, &issuer, json!({ "password": PASSWORD })).await;
        assert_refused(&taken, "identity_taken");
        let list = async |person: &Person<'_>| {
            let listed = person
                .get("/v1/users/me/identities")
                .await_status(200)
                .await;
            listed.json["identities"].as_array().unwrap().clone()
        };
        assert!(list(&eve).await.is_empty());
        let [identity] = list(&ada).await.try_into().unwrap();
        let path = format!(
            "/v1/users/me/identities/{}",
            identity["id"].as_str().unwrap()
        );
        eve.delete(&path).refused(ErrorCode::IdentityNotFound).await;
        // The password is left.
        ada.delete(&path).await_status(204).await;
        ada.delete(&path).refused(ErrorCode::IdentityNotFound).await;

        // Who logs out meanwhile adds nothing.
        let begun = begin(wish("forge", PASSWORD)).await_status(201).await;
        let visit = Visit::of(begun.json["url"].as_str().unwrap(), &begun);
        ada.post("/v1/auth/logout").await_status(204).await;
        let token = issuer.key().sign(&claims(&server, &issuer, &visit));
        let late = visit.told(&server, &issuer, token).await;
        assert_eq!(late.header("location"), "/?sign_in_refused=unauthenticated");
    }
}

#[tokio::test]
async fn who_has_no_password_does_what_others_need_one_for() {
    let (issuer, servers) = with_issuer(|_| {}).await;
    let key = issuer.key();
    for server in servers {
        let come = async || {
            let visit = leave(&server, "forge").await;
            let token = key.sign(&claims(&server, &issuer, &visit));
            let entered = visit.told(&server, &issuer, token).await;
            person(&server, &entered).await
        };
        let ada = come().await;
        let listed = ada.get("/v1/users/me/identities").await_status(200).await;
        let id = listed.json["identities"][0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let path = format!("/v1/users/me/identities/{id}");
        ada.delete(&path).refused(ErrorCode::LastWayIn).await;
        let change = |email: &str| {
            let body = json!({ "email": email });
            ada.patch("/v1/users/me").json(body)
        };
        let me = change("lovelace@example.com").await_status(200).await.json;
        assert_eq!(
            (&me["email"], &me["email_verified"]),
            (&json!("lovelace@example.com"), &json!(false))
        );
        ada.post("/v1/users/me/totp").await_status(201).await;
        // A session that was left open is not enough; to come again is.
        server.advance(Duration::from_secs(601));
        change("other@example.com")
            .refused(ErrorCode::InvalidCredentials)
            .await;
        ada.delete("/v1/users/me")
            .refused(ErrorCode::InvalidCredentials)
            .await;
        let wish = json!({ "provider": "forge" });
        let ask = ada.post("/v1/users/me/identities").json(wish.clone());
        ask.refused(ErrorCode::InvalidCredentials).await;
        let ada = come().await;
        ada.post("/v1/users/me/identities")
            .json(wish)
            .await_status(201)
            .await;

        // The mail for a forgotten password gives them one, and with it the provider may go.
        let login = protocol::accounts::LoginName::Username(
            protocol::text::Username::parse("ada", &protocol::Limits::default()).unwrap(),
        );
        let recipient = server
            .app
            .store
            .recipient_of(&login)
            .await
            .unwrap()
            .unwrap();
        let hash = shared::token::bearer::bearer_hash("of a mail");
        let until = server.app.clock.now().after(Duration::from_secs(60));
        let kept = server.app.store.keep_mailed_token(
            &hash,
            &recipient,
            shared::store::MailedFor::Reset,
            until,
        );
        kept.await.unwrap();
        let body = json!({ "token": "of a mail", "new": PASSWORD });
        server
            .post("/v1/auth/reset/confirm")
            .json(body)
            .await_status(204)
            .await;
        let ada = server.log_in("ada").await;
        ada.delete(&path).await_status(204).await;

        let ada = come().await;
        let me = ada.get("/v1/users/me").await_status(200).await.json;
        assert_eq!(me["username"], "ada2", "the address is another's by now");
        let export = ada.get("/v1/users/me/export").await_status(200).await;
        assert!(!export.bytes.is_empty());
        ada.delete("/v1/users/me").await_status(202).await;
        let me = who(&server, &{
            let visit = leave(&server, "forge").await;
            let token = key.sign(&claims(&server, &issuer, &visit));
            visit.told(&server, &issuer, token).await
        })
        .await;
        assert_ne!(
            me["id"],
            ada.id.as_str(),
            "who comes back after leaving is somebody new"
        );
    }
}

#[tokio::test]
async fn what_nobody_should_believe_is_refused() {
    let (issuer, servers) = with_issuer(|_| {}).await;
    let key = &issuer.key();
    for server in servers {
        let others = Key::new("first");
        let with = |claims: &Value, name: &str, value: Value| {
            let mut claims = claims.clone();
            claims[name] = value;
            claims
        };
        type Forge<'a> = Box<dyn Fn(&Value) -> String + 'a>;
        let sign = |name: &'static str, value: Value| -> Forge<'_> {
            Box::new(move |claims| key.sign(&with(claims, name, value.clone())))
        };
        let now_s = server.app.clock.now().unix_s();
        let forged: Vec<(&str, Forge<'_>)> = vec![
            ("nonce of another", sign("nonce", json!("another"))),
            ("no nonce", sign("nonce", Value::Null)),
            ("for another", sign("aud", json!("another"))),
            (
                "for us and another",
                sign("aud", json!([CLIENT, "another"])),
            ),
            ("asked for by another", sign("azp", json!("another"))),
            (
                "of another issuer",
                sign("iss", json!("https://id.example.com")),
            ),
            ("expired", sign("exp", json!(now_s - 61))),
            ("without an end", sign("exp", Value::Null)),
            ("of the future", sign("iat", json!(now_s + 3_600))),
            ("of nobody", sign("sub", json!(""))),
            (
                "by another key of that name",
                Box::new(|claims| others.sign(claims)),
            ),
            (
                "by an unknown key",
                Box::new(|claims| Key::new("second").sign(claims)),
            ),
            (
                "by the public key",
                Box::new(|claims| key.sign_with_public_key(claims)),
            ),
            ("by nobody", Box::new(|claims| key.do_not_sign(claims))),
            ("no token", Box::new(|_| "no.token.at all".to_owned())),
        ];
        for (what, forge) in forged {
            let visit = leave(&server, "forge").await;
            let token = forge(&claims(&server, &issuer, &visit));
            let back = visit.told(&server, &issuer, token).await;
            let location = back.header("location").to_owned();
            assert_eq!(location, told("sign_in_refused", "forbidden"), "{what}");
        }
        assert!(
            server
                .app
                .store
                .find_users(&everybody())
                .await
                .unwrap()
                .is_empty()
        );
    }
}

fn everybody() -> protocol::accounts::FindUsers {
    protocol::accounts::FindUsers {
        query: String::new(),
        limit: 10,
    }
}

#[tokio::test]
async fn only_the_browser_that_left_comes_back_and_in_time() {
    let (issuer, servers) = with_issuer(|_| {}).await;
    let key = issuer.key();
    for server in servers {
        let (own, others) = (leave(&server, "forge").await, leave(&server, "forge").await);
        let answer = |visit: &Visit| {
            let token = key.sign(&claims(&server, &issuer, visit));
            let code = issuer.grant(&visit.url, token).replace(' ', "+");
            format!("state={}&code={code}", parameter(&visit.url, "state"))
        };
        // The answer of another visit, none, and one of another issuer.
        assert_refused(
            &own.come_back(&server, "forge", &answer(&others)).await,
            "forbidden",
        );
        assert_refused(
            &own.come_back(&server, "forge", "code=x").await,
            "forbidden",
        );
        assert_refused(&own.come_back(&server, "forge", "").await, "forbidden");
        let mixed = format!("{}&iss=https%3A%2F%2Fid.example.com", answer(&own));
        assert_refused(&own.come_back(&server, "forge", &mixed).await, "forbidden");
        let invented = format!("state={}&code=invented", parameter(&own.url, "state"));
        assert_refused(
            &own.come_back(&server, "forge", &invented).await,
            "forbidden",
        );
        let denied = format!("state={}&error=access_denied", parameter(&own.url, "state"));
        assert_refused(&own.come_back(&server, "forge", &denied).await, "forbidden");

        // Without the cookie, and with one that nobody here wrote: where the page was is not known then.
        let strangers = [
            "chatx_visit=".to_owned(),
            format!("{}x", own.cookie),
            "a=b".to_owned(),
        ];
        for cookie in strangers {
            let stranger = Visit {
                url: own.url.clone(),
                cookie,
            };
            let back = stranger.come_back(&server, "forge", &answer(&own)).await;
            assert_eq!(back.header("location"), "/?sign_in_refused=forbidden");
        }
        // What was granted is good once, and for who has the verifier: the visit of that state.
        let query = answer(&own);
        who(&server, &own.come_back(&server, "forge", &query).await).await;
        assert_refused(&own.come_back(&server, "forge", &query).await, "forbidden");
        server.advance(Duration::from_secs(600));
        let late = others.come_back(&server, "forge", &answer(&others)).await;
        assert_eq!(late.header("location"), "/?sign_in_refused=forbidden");

        for path in ["nobody", "nobody/callback?state=a&code=b"] {
            let ask = server.get(format!("/v1/auth/oidc/{path}"));
            ask.refused(ErrorCode::ProviderNotFound).await;
        }
        let ask = server.get("/v1/auth/oidc/forge?return_to=https%3A%2F%2Fevil.example");
        ask.refused(ErrorCode::ValidationFailed).await;
    }
}

#[tokio::test]
async fn a_provider_may_change_its_keys_and_say_the_rest_elsewhere() {
    let (issuer, servers) = with_issuer(|_| {}).await;
    for server in servers {
        let come = async |key: &Key, change: &dyn Fn(&mut Value)| {
            let visit = leave(&server, "forge").await;
            let mut claims = claims(&server, &issuer, &visit);
            change(&mut claims);
            visit.told(&server, &issuer, key.sign(&claims)).await
        };
        let quiet = |claims: &mut Value| {
            let claims = claims.as_object_mut().unwrap();
            claims.remove("email");
            claims.remove("email_verified");
        };
        let elsewhere = json!({ "sub": "ada of the issuer", "email": "ada@example.com",
            "email_verified": "true", "preferred_username": "lovelace" });
        issuer.says_elsewhere(elsewhere.clone());
        let me = who(&server, &come(&issuer.key(), &quiet).await).await;
        let seen = ["username", "email", "email_verified"].map(|field| me[field].clone());
        assert_eq!(
            seen,
            [json!("lovelace"), json!("ada@example.com"), json!(true)]
        );
        // What is said of somebody else counts for nothing.
        issuer.says_elsewhere(elsewhere);
        let other = |claims: &mut Value| {
            quiet(claims);
            claims["sub"] = json!("somebody else");
        };
        let me = who(&server, &come(&issuer.key(), &other).await).await;
        assert_eq!(me["email"], "");
        assert!(
            me["username"].as_str().unwrap().starts_with("user-"),
            "{me}"
        );

        let asked = issuer.asked_for_keys();
        let next = Key::new(&format!("next {asked}"));
        issuer.turn_to(next.clone());
        // Its keys were asked for a moment ago; a while later they are asked for again.
        assert_refused(&come(&next, &|_| {}).await, "forbidden");
        assert_eq!(issuer.asked_for_keys(), asked);
        server.advance(Duration::from_secs(31));
        who(&server, &come(&next, &|_| {}).await).await;
        assert_eq!(issuer.asked_for_keys(), asked + 1);
        // Those of before are nobody's now.
        issuer.turn_to(Key::new("first"));
    }
}

#[tokio::test]
async fn a_provider_that_is_away_is_said_to_be() {
    let nowhere = Provider {
        issuer: format!("http://127.0.0.1:{}", testkit::free_port()),
        ..Issuer::start().await.settings("forge")
    };
    let change = |settings: &mut Settings| settings.providers = vec![nowhere.clone()];
    for server in Server::each_with(change).await {
        let path = "/v1/auth/oidc/forge?return_to=%2F%3Fx%3D1%23%2Froom%2F7";
        let away = server.get(path).await_status(303).await;
        assert_eq!(
            away.header("location"),
            told("sign_in_refused", "unavailable")
        );
        let ada = server.register("ada").await;
        let wish = json!({ "provider": "forge", "password": PASSWORD });
        let ask = ada.post("/v1/users/me/identities").json(wish);
        ask.refused(ErrorCode::Unavailable).await;
    }
}

#[tokio::test]
async fn the_document_of_another_issuer_is_not_believed() {
    let issuer = Issuer::start().await;
    let localhost = issuer.url.replace("127.0.0.1", "localhost");
    let other = Provider {
        issuer: localhost,
        ..issuer.settings("forge")
    };
    let server = Server::start_with(|settings| settings.providers = vec![other]).await;
    let away = server.get("/v1/auth/oidc/forge").await_status(303).await;
    assert_eq!(away.header("location"), "/?sign_in_refused=unavailable");
}

#[tokio::test]
async fn visits_and_returns_are_counted() {
    let (issuer, servers) = with_issuer(|settings| {
        settings.rates.on = true;
        settings.rates.login.burst = 2;
        settings.rates.http.burst = 6;
    })
    .await;
    let key = issuer.key();
    for server in servers {
        for expected in ["signed_in", "signed_in", "sign_in_refused"] {
            let visit = leave(&server, "forge").await;
            let token = key.sign(&claims(&server, &issuer, &visit));
            let back = visit.told(&server, &issuer, token).await;
            assert!(
                back.header("location").contains(expected),
                "{}",
                back.header("location")
            );
        }
        for _ in 0..3 {
            leave(&server, "forge").await;
        }
        let ask = server.get("/v1/auth/oidc/forge");
        ask.refused(ErrorCode::RateLimited).await;
    }
}
