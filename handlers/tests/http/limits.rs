//! How often somebody may ask, and whom a request is counted for.

use protocol::ErrorCode;
use serde_json::json;
use shared::settings::Network;

use crate::server::{PASSWORD, Server, registration};

#[tokio::test]
async fn sixty_wrong_logins_meet_a_limit() {
    let server = Server::start_with(|settings| settings.rates.on = true).await;
    server.register("ada").await;
    let mut refused = 0;
    for address in 0..60_u8 {
        let wrong = json!({ "login": "ada", "password": "not this one" });
        let answer = server
            .post("/v1/auth/login")
            .json(wrong)
            .from([198, 51, 100, address])
            .answer()
            .await;
        match answer.code() {
            Some(ErrorCode::InvalidCredentials) => {}
            Some(ErrorCode::RateLimited) => {
                refused += 1;
                assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
                assert_eq!(answer.header("ratelimit-limit"), "5");
                assert_eq!(answer.header("ratelimit-remaining"), "0");
                assert!(answer.header("ratelimit-reset").parse::<u64>().unwrap() > 0);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(refused, 55, "each from another address, but on one account");
    let right = json!({ "login": "ADA@example.com", "password": PASSWORD });
    let by_mail = server
        .post("/v1/auth/login")
        .json(right)
        .from([203, 0, 113, 1]);
    by_mail.refused(ErrorCode::RateLimited).await;
}

#[tokio::test]
async fn an_address_that_tries_many_accounts_meets_a_limit() {
    let server = Server::start_with(|settings| settings.rates.on = true).await;
    let attempt = async |number: u8, address: [u8; 4]| {
        let wrong = json!({ "login": format!("user{number}"), "password": "not this one" });
        server
            .post("/v1/auth/login")
            .json(wrong)
            .from(address)
            .answer()
            .await
            .code()
    };
    for number in 0..5 {
        assert_eq!(
            attempt(number, [198, 51, 100, 1]).await,
            Some(ErrorCode::InvalidCredentials)
        );
    }
    assert_eq!(
        attempt(5, [198, 51, 100, 1]).await,
        Some(ErrorCode::RateLimited)
    );
    assert_eq!(
        attempt(6, [198, 51, 100, 2]).await,
        Some(ErrorCode::InvalidCredentials)
    );
}

#[tokio::test]
async fn an_address_makes_few_accounts_and_forwarded_ones_count_only_from_proxies() {
    let proxy = Network {
        address: [10, 0, 0, 0].into(),
        prefix_bits: 8,
    };
    let server = Server::start_with(|settings| {
        settings.rates.on = true;
        settings.trusted_proxies = vec![proxy];
    })
    .await;
    let register = async |name: &str, peer: [u8; 4], forwarded: &str| {
        let ask = server
            .post("/v1/auth/register")
            .json(registration(name))
            .from(peer);
        ask.header("x-forwarded-for", forwarded)
            .answer()
            .await
            .status
            .as_u16()
    };
    for (name, forwarded) in [
        ("ada1", "1.1.1.1"),
        ("ada2", "2.2.2.2"),
        ("ada3", "3.3.3.3"),
    ] {
        assert_eq!(register(name, [203, 0, 113, 9], forwarded).await, 201);
    }
    assert_eq!(
        register("ada4", [203, 0, 113, 9], "4.4.4.4").await,
        429,
        "a stranger's header counts for nothing"
    );
    assert_eq!(
        register("ada5", [10, 0, 0, 1], "203.0.113.9").await,
        429,
        "the same address behind the proxy"
    );
    assert_eq!(register("ada6", [10, 0, 0, 1], "203.0.113.8").await, 201);
}

#[tokio::test]
async fn a_user_is_told_how_much_they_may_still_ask() {
    let server = Server::start_with(|settings| settings.rates.on = true).await;
    let ada = server.register("ada").await;
    let first = ada.get("/v1/users/me").await_status(200).await;
    assert_eq!(
        (
            first.header("ratelimit-limit"),
            first.header("ratelimit-remaining")
        ),
        ("100", "99")
    );
    for _ in 0..99 {
        ada.get("/v1/users/me").await_status(200).await;
    }
    let refused = ada
        .get("/v1/users/me")
        .refused(ErrorCode::RateLimited)
        .await;
    assert_eq!(refused.header("retry-after"), "1");
    server
        .register("grace")
        .await
        .get("/v1/users/me")
        .await_status(200)
        .await;
    server.advance(std::time::Duration::from_millis(200));
    ada.get("/v1/users/me").await_status(200).await;
}

#[tokio::test]
async fn who_sends_without_a_pause_meets_a_limit() {
    let server = Server::start_with(|settings| settings.rates.on = true).await;
    let ada = server.register("ada").await;
    let room = ada.room(json!({ "name": "Tea" })).await;
    for number in 0..20 {
        ada.say(&room, &format!("number {number}")).await;
    }
    let more = ada
        .post(format!("{room}/messages"))
        .json(json!({ "body": "one more" }));
    let refused = more.refused(ErrorCode::RateLimited).await;
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.header("ratelimit-remaining"), "0");
    let listed = ada.get(format!("{room}/messages")).await_status(200).await;
    assert_eq!(listed.json["messages"].as_array().unwrap().len(), 20);
    server.advance(std::time::Duration::from_millis(200));
    ada.say(&room, "one more").await;
}
