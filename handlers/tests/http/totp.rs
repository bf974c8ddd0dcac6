//! Codes at login, from turning them on to losing the authenticator.

use std::time::Duration;

use protocol::ErrorCode;
use serde_json::{Value, json};

use crate::server::{PASSWORD, Person, Server};

const STEP: Duration = Duration::from_secs(30);

/// What an authenticator shows: RFC 6238 once more, from the secret as people type it, by another library than the server's.
pub(crate) fn code(server: &Server, secret: &str) -> String {
    let bits = secret.chars().flat_map(|c| {
        let value = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(c).unwrap();
        (0..5).rev().map(move |place| value >> place & 1 == 1)
    });
    let bits: Vec<bool> = bits.collect();
    let byte = |bits: &[bool]| {
        bits.iter()
            .fold(0_u8, |byte, bit| byte << 1 | u8::from(*bit))
    };
    let key: Vec<u8> = bits.chunks_exact(8).map(byte).collect();
    let step = server.app.clock.now().unix_ms() / 30_000;
    let mut mac = <hmac::Hmac<sha1::Sha1> as hmac::KeyInit>::new_from_slice(&key).unwrap();
    hmac::Mac::update(&mut mac, &step.to_be_bytes());
    let hash = hmac::Mac::finalize(mac).into_bytes();
    let start = usize::from(hash[19] & 15);
    let number = u32::from_be_bytes(hash[start..start + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

/// Makes the logins of somebody ask for codes.
pub(crate) async fn turn_on(server: &Server, person: &Person<'_>) -> String {
    let begun = person
        .post("/v1/users/me/totp")
        .json(json!({ "password": PASSWORD }));
    let begun = begun.await_status(201).await;
    let secret = begun.json["secret"].as_str().unwrap();
    let body = json!({ "code": code(server, secret) });
    let confirm = person.post("/v1/users/me/totp/confirm").json(body);
    confirm.await_status(200).await;
    secret.to_owned()
}

fn login(totp: Option<&str>) -> Value {
    let mut body = json!({ "login": "ada", "password": PASSWORD });
    if let Some(totp) = totp {
        body["totp"] = json!(totp);
    }
    body
}

#[tokio::test]
async fn codes_are_asked_for_and_good_once() {
    for server in Server::each().await {
        let ada = server.register("ada").await;
        let enter = |totp: Option<&str>| server.post("/v1/auth/login").json(login(totp));
        let begin = |password: &str| {
            let body = json!({ "password": password });
            ada.post("/v1/users/me/totp").json(body)
        };
        begin("wrong").refused(ErrorCode::InvalidCredentials).await;
        let new = begin(PASSWORD).await_status(201).await.json;
        let secret = new["secret"].as_str().unwrap().to_owned();
        assert!(
            new["url"]
                .as_str()
                .unwrap()
                .starts_with("otpauth://totp/ChatX:ada?secret=")
        );
        // Nothing asks for codes before one was shown.
        enter(None).await_status(200).await;
        let confirm = |code: &str| {
            let body = json!({ "code": code });
            ada.post("/v1/users/me/totp/confirm").json(body)
        };
        let present = code(&server, &secret);
        let wrong = format!("{:06}", (present.parse::<u32>().unwrap() + 1) % 1_000_000);
        confirm(&wrong).refused(ErrorCode::WrongTotp).await;
        let told = confirm(&present).await_status(200).await.json;
        let recovery: Vec<String> = serde_json::from_value(told["recovery_codes"].clone()).unwrap();
        assert_eq!(recovery.len(), 10);
        begin(PASSWORD).refused(ErrorCode::Conflict).await;
        let me = ada.get("/v1/users/me").await_status(200).await;
        assert_eq!(me.json["totp"], true);

        enter(None).refused(ErrorCode::TotpRequired).await;
        enter(Some(&wrong)).refused(ErrorCode::WrongTotp).await;
        // The code that turned them on was used by that.
        enter(Some(&present)).refused(ErrorCode::WrongTotp).await;
        server.advance(STEP);
        let next = code(&server, &secret);
        let entered = enter(Some(&next)).await_status(200).await;
        let again = Person::of(&server, &entered.json);
        enter(Some(&next)).refused(ErrorCode::WrongTotp).await;
        // A wrong password is answered before any code is looked at.
        let body = json!({ "login": "ada", "password": "another password", "totp": recovery[0] });
        let ask = server.post("/v1/auth/login").json(body);
        ask.refused(ErrorCode::InvalidCredentials).await;
        enter(Some(&recovery[0])).await_status(200).await;
        let used = enter(Some(&recovery[0].to_uppercase()));
        used.refused(ErrorCode::WrongTotp).await;
        enter(Some(&recovery[1].replace('-', " ")))
            .await_status(200)
            .await;

        server.advance(STEP);
        let body = json!({ "totp": code(&server, &secret) });
        let renew = || again.post("/v1/users/me/totp/codes").json(body.clone());
        let told = renew().await_status(200).await.json;
        renew().refused(ErrorCode::WrongTotp).await;
        enter(Some(&recovery[2]))
            .refused(ErrorCode::WrongTotp)
            .await;
        let fresh = told["recovery_codes"][0].as_str().unwrap();
        let end = |totp: &str| {
            let body = json!({ "totp": totp });
            again.delete("/v1/users/me/totp").json(body)
        };
        end(&recovery[3]).refused(ErrorCode::WrongTotp).await;
        end(fresh).await_status(204).await;
        end(fresh).refused(ErrorCode::Conflict).await;
        enter(None).await_status(200).await;
    }
}

#[tokio::test]
async fn of_many_who_show_one_code_at_once_one_comes_in() {
    for server in Server::each().await {
        let ada = server.register("ada").await;
        let secret = turn_on(&server, &ada).await;
        server.advance(STEP);
        let body = login(Some(&code(&server, &secret)));
        let enter = || server.post("/v1/auth/login").json(body.clone()).answer();
        let answers = tokio::join!(enter(), enter(), enter(), enter());
        let statuses =
            [answers.0, answers.1, answers.2, answers.3].map(|answer| answer.status.as_u16());
        assert_eq!(
            statuses.iter().filter(|status| **status == 200).count(),
            1,
            "{statuses:?}"
        );
        assert_eq!(
            statuses.iter().filter(|status| **status == 401).count(),
            3,
            "{statuses:?}"
        );
    }
}
