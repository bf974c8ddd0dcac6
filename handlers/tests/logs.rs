//! What is logged, and what never is. A process of its own: tracing remembers for all threads who listens.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[expect(dead_code, reason = "it serves the other tests too")]
#[path = "http/server.rs"]
mod server;

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use protocol::ErrorCode;
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use server::{PASSWORD, Server};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// One thread, so that the log of this thread is the whole log.
#[tokio::test]
async fn every_request_is_logged_and_no_secret_is() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(lines.clone());
    let _logging = tracing::subscriber::set_default(subscriber.json().finish());

    let server = Server::start().await;
    let ada = server.register("ada").await;
    let wrong = json!({ "login": "ada", "password": "tried-and-wrong" });
    server
        .post("/v1/auth/login")
        .json(wrong)
        .refused(ErrorCode::InvalidCredentials)
        .await;
    let fields = json!({ "name": "Tea", "visibility": "private", "password": "milk-and-sugar" });
    let room = ada.room(fields).await;
    ada.say(&room, "nobody else should read this line").await;
    let grace = server.register("grace").await;
    let attempt = grace
        .post(format!("{room}/members"))
        .json(json!({ "password": "lemon-instead" }));
    attempt.refused(ErrorCode::WrongPassword).await;
    let refresh = json!({ "refresh_token": ada.refresh_token });
    server
        .post("/v1/auth/refresh")
        .json(refresh)
        .await_status(200)
        .await;
    let ticket = ada.post("/v1/socket").await_status(201).await;

    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let answered = log.lines().filter(|line| line.contains("request answered"));
    assert_eq!(answered.count(), 8, "{log}");
    assert!(log.contains(&ada.id), "whose request it was");
    assert!(
        log.contains("/v1/rooms/{room}/messages"),
        "routes are logged as the table has them"
    );
    let secrets = [
        PASSWORD,
        "tried-and-wrong",
        "milk-and-sugar",
        "lemon-instead",
        "nobody else should read this line",
        &ada.access_token,
        &ada.refresh_token,
        ticket.json["ticket"].as_str().unwrap(),
        "argon2id",
    ];
    for secret in secrets {
        assert!(!log.contains(secret), "{secret}");
    }
}
