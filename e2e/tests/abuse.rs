//! Guessing, flooding and prying.

use anyhow::{Context as _, Result};
use chatx_e2e::{Ended, Http, Person, unique, unlimited};
use protocol::{ErrorCode, frame::ServerFrame};
use serde_json::json;
use testkit::Chatx;

#[tokio::test(flavor = "multi_thread")]
async fn sixty_wrong_logins_meet_a_wall() -> Result<()> {
    let chatx = Chatx::serve().start().await?;
    let http = Http::new(chatx.address());
    let person = Person::register(&http, "ada").await?;
    let mut limited = 0;
    for attempt in 0..60 {
        let body =
            json!({"login": person.username, "password": format!("wrong password {attempt}")});
        let answer = http.post("/v1/auth/login", body).await?;
        match answer.status {
            401 => assert_eq!((answer.code(), limited), ("invalid_credentials", 0)),
            429 => {
                limited += 1;
                assert_eq!(answer.code(), "rate_limited");
                let seconds = answer.headers.get("retry-after").context("it says when")?;
                assert!(seconds.to_str()?.parse::<u64>()? > 0);
            }
            other => panic!("{other}: {}", answer.body),
        }
    }
    assert!(limited >= 54, "only {limited} of 60 were limited");
    // A wall for the guesser is none for whoever is in already.
    person.http.get("/v1/users/me").await?.expect(200)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn three_thousand_unpaced_sends_meet_a_limit() -> Result<()> {
    let chatx = Chatx::serve().start().await?;
    let http = Http::new(chatx.address());
    let person = Person::register(&http, "ada").await?;
    let room = person.create_room().await?;
    let mut socket = person.socket().await?;
    let (mut acked, mut limited) = (0_usize, 0);
    let mut ended = None;
    for turn in 0..3_000 {
        let frame = json!({"type": "send", "id": turn.to_string(), "room": room, "client_id": turn.to_string(), "body": "spam"});
        if socket.say(&frame).await.is_err() {
            break;
        }
    }
    // The pong comes after everything else was answered, unless the flood was too much.
    let _ = socket.say(&json!({"type": "ping"})).await;
    while limited + acked < 3_000 {
        match socket.next().await? {
            Ok(ServerFrame::Ack(_)) => acked += 1,
            Ok(ServerFrame::Error(error)) if error.code == ErrorCode::RateLimited => {
                assert!(error.retry_after_ms.is_some_and(|ms| ms > 0), "{error:?}");
                limited += 1;
            }
            Ok(ServerFrame::Error(error)) => panic!("{error:?}"),
            Ok(_) => {}
            Err(how) => {
                ended = Some(how);
                break;
            }
        }
    }
    assert!(limited > 0, "{acked} acked, {ended:?}");
    assert!(acked < 1_000, "{acked} of 3,000 went through");
    assert!(
        matches!(ended, None | Some(Ended::Closed(4429))),
        "{ended:?}"
    );
    let stored = person.history(room).await?.len();
    assert!(stored >= acked, "{acked} acked, {stored} stored");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_body_password_or_token_is_ever_logged() -> Result<()> {
    let chatx = unlimited().set("CHATX_LOG", "trace").start().await?;
    let http = Http::new(chatx.address());
    let ada = Person::register(&http, "ada").await?;
    let eve = Person::register(&http, "eve").await?;
    let secret = |what: &str| format!("{what} {}", unique("never-in-a-log-"));
    let [
        wrong,
        room_password,
        wrong_room_password,
        new_password,
        over_socket,
        over_http,
        edited,
    ] = [
        "wrong",
        "room",
        "wrong-room",
        "new",
        "socket",
        "http",
        "edited",
    ]
    .map(secret);

    http.post(
        "/v1/auth/login",
        json!({"login": ada.username, "password": wrong}),
    )
    .await?
    .expect(401)?;
    http.post(
        "/v1/auth/register",
        json!({"username": "x", "email": "x", "password": wrong}),
    )
    .await?
    .expect(422)?;
    let room = json!({"name": unique("room "), "visibility": "private", "password": room_password});
    let room = ada.create_room_as(room).await?;
    let door = format!("/v1/rooms/{room}/members");
    eve.http
        .post(&door, json!({"password": wrong_room_password}))
        .await?
        .expect(403)?;
    eve.http
        .post(&door, json!({"password": room_password}))
        .await?
        .expect(201)?;
    let invited = eve.http.post("/v1/socket", json!({})).await?.expect(201)?;
    let ticket = invited["ticket"].as_str().context("a ticket")?.to_owned();
    let url = format!(
        "{}?ticket={ticket}",
        invited["url"].as_str().context("a url")?
    );
    let mut socket = chatx_e2e::Socket::open(chatx_e2e::request(&url)?).await?;
    socket.subscribe(room, None).await?;
    let ack = socket
        .send(room, "1", &over_socket)
        .await?
        .map_err(|error| anyhow::anyhow!("{error:?}"))?;
    socket
        .ask(&json!({"type": "edit", "room": room, "seq": ack.seq, "body": edited}))
        .await?;
    socket
        .say(&json!({"type": "send", "room": room, "body": over_socket, "reply_to": {}}))
        .await?;
    eve.http
        .post(
            &format!("/v1/rooms/{room}/messages"),
            json!({"body": over_http}),
        )
        .await?
        .expect(201)?;
    eve.http
        .get(&format!("/v1/rooms/{room}/messages"))
        .await?
        .expect(200)?;
    let change = json!({"current": eve.password, "new": new_password});
    eve.http
        .post("/v1/auth/password", change)
        .await?
        .expect(204)?;
    http.post(
        "/v1/auth/refresh",
        json!({"refresh_token": eve.refresh_token}),
    )
    .await?
    .expect(200)?;
    socket.close().await?;

    let log = chatx.log();
    assert!(
        log.contains(&room.to_string()),
        "the log does not tell of rooms at all:\n{log}"
    );
    let secrets = [
        wrong,
        room_password,
        wrong_room_password,
        new_password,
        over_socket,
        over_http,
        edited,
        ticket,
    ];
    let tokens = [&ada, &eve].map(|person| person.http.token().unwrap_or_default().to_owned());
    let others = [
        ada.password.to_owned(),
        ada.refresh_token,
        eve.refresh_token,
    ];
    for secret in secrets.iter().chain(&tokens).chain(&others) {
        let line = log.lines().find(|line| line.contains(secret.as_str()));
        assert!(line.is_none(), "`{secret}` is in the log: {line:?}");
    }
    Ok(())
}
