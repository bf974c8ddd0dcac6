//! The program as whoever runs it sees it: its settings, its files, its end.

use std::{fs, os::unix::fs::PermissionsExt as _};

use anyhow::{Context as _, Result};
use chatx_e2e::{Ended, Http, Person, on_each_engine, unlimited};
use protocol::frame::ServerFrame;
use serde_json::json;
use testkit::{Chatx, Database};
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread")]
async fn bad_settings_are_named_all_at_once() -> Result<()> {
    let setup = Chatx::serve()
        .set("CHATX_DATABASE_URL", "sqlite:x")
        .set("CHATX_DRAIN_S", "soon")
        .set("REDIS_URL", "http://secret-host")
        .set("CHATX_LIMIT_BODY_MAX_CHARS", "0");
    let (status, said) = setup.run_to_its_end().await?;
    assert_eq!(status.code(), Some(2), "{said}");
    for expected in [
        "did you mean DATABASE_URL?",
        "CHATX_DRAIN_S",
        "REDIS_URL",
        "CHATX_LIMIT_BODY_MAX_CHARS",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert!(!said.contains("secret-host"), "{said}");
    let (status, said) = Chatx::role("coordinator").run_to_its_end().await?;
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(
        said.contains("DATABASE_URL") && said.contains("CHATX_CLUSTER_SECRET"),
        "{said}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_connections_to_the_database_than_allowed() -> Result<()> {
    const AT_ONCE: usize = 64;
    for allowed in [1, 3] {
        let database = Database::fresh().await?;
        let chatx = unlimited()
            .set("DATABASE_URL", database.url())
            .set("CHATX_DATABASE_CONNECTIONS", allowed.to_string())
            .start()
            .await?;
        let person = Person::register(&Http::new(chatx.address()), "ada").await?;
        let room = person.create_room().await?;
        let mut asked = JoinSet::new();
        for number in 0..AT_ONCE {
            let http = person.http.clone();
            asked.spawn(async move {
                let path = format!("/v1/rooms/{room}/messages");
                let body = json!({"client_id": number.to_string(), "body": "one of many"});
                http.post(&path, body).await?.expect(201)?;
                http.get(&path).await?.expect(200)
            });
        }
        let mut most = 0;
        while let Some(answer) = asked.join_next().await {
            answer??;
            most = database.sessions().await?.max(most);
        }
        assert_eq!(person.history(room).await?.len(), AT_ONCE);
        assert_eq!(most, allowed);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_data_directory_is_for_one_process() -> Result<()> {
    let chatx = unlimited().start().await?;
    let directory = chatx.data_directory();
    let second = unlimited().set("CHATX_DATA_DIR", directory.display().to_string());
    let (status, said) = second.run_to_its_end().await?;
    assert!(!status.success());
    assert!(said.contains("in use by another process"), "{said}");
    let elsewhere = unlimited().set(
        "DATABASE_URL",
        format!("sqlite:{}", directory.join("chatx.db").display()),
    );
    let (status, said) = elsewhere.run_to_its_end().await?;
    assert!(!status.success());
    assert!(said.contains("in use by another process"), "{said}");
    for entry in fs::read_dir(&directory)? {
        let mode = entry?.metadata()?.permissions().mode();
        assert_eq!(mode & 0o077, 0, "others may read it");
    }
    assert_eq!(
        fs::metadata(&directory)?.permissions().mode() & 0o777,
        0o700
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_says_goodbye_and_loses_nothing() -> Result<()> {
    on_each_engine(async |chatx| {
        let http = Http::new(chatx.address());
        let person = Person::register(&http, "ada").await?;
        let room = person.create_room().await?;
        let mut socket = person.socket().await?;
        socket.subscribe(room, None).await?;
        for turn in 0..50 {
            let frame = json!({"type": "send", "room": room, "client_id": turn.to_string(), "body": "last words"});
            socket.say(&frame).await?;
        }
        socket.until(|frame| matches!(frame, ServerFrame::Ack(_)).then_some(())).await?;
        chatx.signal("TERM")?;
        let (mut acked, mut said_goodbye) = (1, false);
        let ended = loop {
            match socket.next().await? {
                Ok(ServerFrame::Ack(_)) => acked += 1,
                Ok(ServerFrame::Goaway(_)) => said_goodbye = true,
                Ok(_) => {}
                Err(ended) => break ended,
            }
        };
        assert_eq!(ended, Ended::Closed(1001));
        assert!(said_goodbye);
        let status = chatx.until_ended().await?;
        assert_eq!(status.code(), Some(0), "{status}");
        chatx.restart().await?;
        let stored = person.history(room).await?.len();
        assert!(stored >= acked, "{acked} acked, {stored} stored");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_its_reference_and_its_figures_are_served_beside_the_api() -> Result<()> {
    let chatx = unlimited().start().await?;
    let http = Http::new(chatx.address());
    for (path, holds) in [
        ("/", "<!doctype html>"),
        ("/docs/", "<!doctype html>"),
        ("/v1/openapi.json", ""),
        ("/v1/asyncapi.json", ""),
        ("/.well-known/jwks.json", ""),
        ("/livez", ""),
        ("/readyz", ""),
    ] {
        let answer = http.get(path).await?;
        assert_eq!(answer.status, 200, "{path}");
        let text = answer.body.as_str().unwrap_or_default().to_lowercase();
        assert!(text.contains(holds), "{path}");
    }
    let metrics = http.get("/metrics").await?.expect(200)?;
    let metrics = metrics.as_str().context("text")?;
    assert!(
        metrics.contains("# TYPE http_requests_total counter"),
        "{metrics}"
    );
    let (status, said) = Chatx::role("healthcheck")
        .set("CHATX_LISTEN", chatx.address())
        .run_to_its_end()
        .await?;
    assert!(status.success(), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_that_was_asked_for_outlives_the_process() -> Result<()> {
    let mut chatx = unlimited().set("CHATX_MAIL", "off").start().await?;
    let ada = Person::register(&Http::new(chatx.address()), "ada").await?;
    chatx.kill_9()?;
    let directory = chatx.data_directory().join("mail");
    assert!(!directory.exists());
    chatx.set("CHATX_MAIL", "dir:mail");
    chatx.restart().await?;
    let mails = || -> Vec<_> {
        let files = fs::read_dir(&directory).into_iter().flatten().flatten();
        files
            .map(|file| file.path())
            .filter(|path| path.extension().is_some_and(|end| end == "eml"))
            .collect()
    };
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    while mails().is_empty() {
        anyhow::ensure!(tokio::time::Instant::now() < deadline, "no mail came");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let [mail] = mails()
        .try_into()
        .unwrap_or_else(|_| panic!("more than one mail"));
    let mode = fs::metadata(&mail)?.permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = fs::read_to_string(&mail)?;
    assert!(text.contains(&ada.username), "{text}");
    Ok(())
}
