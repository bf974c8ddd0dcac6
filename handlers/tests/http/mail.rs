//! What is proved by mail: whose an address is, and that a forgotten password may be replaced. The mail goes into a real
//! directory, and to a real SMTP server.

use std::{fs, path::Path, time::Duration};

use http::Method;
use protocol::ErrorCode;
use serde_json::json;
use shared::{
    Settings,
    mail::{Post, send_due},
    trust::Trust,
};
use testkit::Ca;

use crate::{
    server::{PASSWORD, Person, Server, registration},
    smtp::SmtpServer,
};

const DAY: Duration = Duration::from_secs(86_401);
const NEW_PASSWORD: &str = "the second password";

fn into(directory: &Path) -> impl Fn(&mut Settings) {
    let mail = format!("dir:{}", directory.display());
    move |settings| settings.mail = Some(mail.clone().into())
}

/// What was mailed since the last time, as `(to, text)`.
pub(crate) async fn mailed(server: &Server, directory: &Path) -> Vec<(String, String)> {
    let post = Post::new(&server.app.settings, &server.app.trust)
        .unwrap()
        .unwrap();
    send_due(&server.app, &post).await.unwrap();
    let mut mails = Vec::new();
    for file in fs::read_dir(directory).into_iter().flatten() {
        let path = file.unwrap().path();
        let text = fs::read_to_string(&path).unwrap().replace("=\r\n", "");
        fs::remove_file(&path).unwrap();
        let to = text.lines().find_map(|line| line.strip_prefix("To: "));
        mails.push((to.unwrap().to_owned(), text.clone()));
    }
    mails.sort();
    mails
}

/// The token of the link to `page` in a mail.
pub(crate) fn token(text: &str, page: &str) -> String {
    let (_, rest) = text.split_once(&format!("/#/{page}/")).unwrap();
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"-_".contains(c));
    rest[..end.unwrap()].to_owned()
}

async fn log_in<'a>(server: &'a Server, login: &str, password: &str) -> Person<'a> {
    let body = json!({ "login": login, "password": password });
    let ask = server.post("/v1/auth/login").json(body);
    Person::of(server, &ask.await_status(200).await.json)
}

#[tokio::test]
async fn an_address_is_verified_by_its_mail_once_and_anew_when_it_changes() {
    let directory = tempfile::tempdir().unwrap();
    for server in Server::each_with(into(directory.path())).await {
        let ada = server.register("ada").await;
        let me = || async { ada.get("/v1/users/me").await_status(200).await.json };
        assert_eq!(me().await["email_verified"], false);
        assert_eq!(me().await["has_password"], true);
        let mails = mailed(&server, directory.path()).await;
        assert_eq!(mails.len(), 1);
        assert_eq!(mails[0].0, "ada@example.com");
        assert!(mails[0].1.contains("http://127.0.0.1:8080/#/verify/"));
        let first = token(&mails[0].1, "verify");
        let verify = |token: &str| {
            server
                .post("/v1/auth/verify")
                .json(json!({ "token": token }))
        };
        verify("nothing").refused(ErrorCode::LinkNotFound).await;
        // What verifies an address replaces no password.
        let reset = json!({ "token": first, "new": NEW_PASSWORD });
        let reset = server.post("/v1/auth/reset/confirm").json(reset);
        reset.refused(ErrorCode::LinkNotFound).await;
        verify(&first).await_status(204).await;
        verify(&first).refused(ErrorCode::LinkNotFound).await;
        assert_eq!(me().await["email_verified"], true);
        let resend = || ada.post("/v1/auth/verify/resend");
        resend().refused(ErrorCode::Conflict).await;

        let change = |email: &str, password: &str| {
            let body = json!({ "email": email, "password": password });
            ada.patch("/v1/users/me").json(body)
        };
        let without = ada
            .patch("/v1/users/me")
            .json(json!({ "email": "ada@new.example" }));
        let without = without.refused(ErrorCode::ValidationFailed).await;
        assert_eq!(without.violations("password"), json!(["required"]));
        let wrong = change("ada@new.example", "not the password");
        wrong.refused(ErrorCode::InvalidCredentials).await;
        server.register("bob").await;
        let taken = change("bob@example.com", PASSWORD);
        taken.refused(ErrorCode::EmailTaken).await;
        assert_eq!(me().await["email"], "ada@example.com");
        mailed(&server, directory.path()).await;
        let changed = change("Ada@New.example", PASSWORD).await_status(200).await;
        assert_eq!(changed.json["email"], "ada@new.example");
        assert_eq!(changed.json["email_verified"], false);
        let mails = mailed(&server, directory.path()).await;
        let to: Vec<_> = mails.iter().map(|(to, _)| to.as_str()).collect();
        assert_eq!(to, ["ada@example.com", "ada@new.example"]);
        let second = token(&mails[1].1, "verify");

        // A link of an address that the account no longer has is worth nothing.
        change("ada@third.example", PASSWORD)
            .await_status(200)
            .await;
        verify(&second).refused(ErrorCode::LinkNotFound).await;
        let mails = mailed(&server, directory.path()).await;
        assert_eq!(mails.len(), 1, "the former address was not verified");
        resend().await_status(202).await;
        let again = mailed(&server, directory.path()).await;
        assert_eq!(again.len(), 1);
        server.advance(DAY);
        let late = token(&again[0].1, "verify");
        verify(&late).refused(ErrorCode::LinkNotFound).await;
    }
}

#[tokio::test]
async fn a_reset_ends_every_session_and_its_link_works_once_and_for_an_hour() {
    let directory = tempfile::tempdir().unwrap();
    for server in Server::each_with(into(directory.path())).await {
        let ada = server.register("ada").await;
        let elsewhere = log_in(&server, "ada", PASSWORD).await;
        mailed(&server, directory.path()).await;
        let ask = |login: &str| {
            server
                .post("/v1/auth/reset")
                .json(json!({ "login": login }))
        };
        let confirm = |token: &str, new: &str| {
            let body = json!({ "token": token, "new": new });
            server.post("/v1/auth/reset/confirm").json(body)
        };
        ask("ada").await_status(202).await;
        ask("ADA@example.com").await_status(202).await;
        let mails = mailed(&server, directory.path()).await;
        assert_eq!(mails.len(), 2);
        let (link, other) = (token(&mails[0].1, "reset"), token(&mails[1].1, "reset"));
        let weak = confirm(&link, "1234567890");
        let weak = weak.refused(ErrorCode::ValidationFailed).await;
        assert_eq!(weak.violations("new"), json!(["too_common"]));
        confirm(&link, NEW_PASSWORD).await_status(204).await;
        for used in [&link, &other] {
            let again = confirm(used, "a third password");
            again.refused(ErrorCode::LinkNotFound).await;
        }
        for session in [&ada, &elsewhere] {
            let ask = session.get("/v1/users/me");
            ask.refused(ErrorCode::Unauthenticated).await;
            let body = json!({ "refresh_token": session.refresh_token });
            let refresh = server.post("/v1/auth/refresh").json(body);
            refresh.refused(ErrorCode::Unauthenticated).await;
        }
        let old = json!({ "login": "ada", "password": PASSWORD });
        let old = server.post("/v1/auth/login").json(old);
        old.refused(ErrorCode::InvalidCredentials).await;
        let ada = log_in(&server, "ada", NEW_PASSWORD).await;
        let me = ada.get("/v1/users/me").await_status(200).await;
        assert_eq!(me.json["email_verified"], true, "the mail arrived");

        ask("ada").await_status(202).await;
        let mails = mailed(&server, directory.path()).await;
        server.advance(Duration::from_secs(3_601));
        let late = confirm(&token(&mails[0].1, "reset"), "a third password");
        late.refused(ErrorCode::LinkNotFound).await;
    }
}

#[tokio::test]
async fn nobody_learns_from_a_reset_who_has_an_account() {
    let directory = tempfile::tempdir().unwrap();
    for server in Server::each_with(into(directory.path())).await {
        server.register("ada").await;
        mailed(&server, directory.path()).await;
        for login in ["ada", "grace", "grace@example.com", "no such name!"] {
            let ask = server
                .post("/v1/auth/reset")
                .json(json!({ "login": login }));
            let answer = ask.await_status(202).await;
            assert_eq!(answer.json, json!(null));
            // The same is stored for each: what is asked for is looked up by who sends the mail.
            let now = server.app.clock.now();
            let kept = server.app.store.take_mails(now, now, 9).await.unwrap();
            assert_eq!(kept.len(), 1, "{login}");
            let mails = mailed(&server, directory.path()).await;
            assert_eq!(mails.len(), usize::from(login == "ada"), "{login}");
            assert!(!server.app.store.has_due_mail(now).await.unwrap());
        }
    }
}

#[tokio::test]
async fn mail_that_cannot_be_sent_is_tried_again_and_given_up_after_a_day() {
    let directory = tempfile::tempdir().unwrap();
    let blocked = directory.path().join("a file");
    fs::write(&blocked, "").unwrap();
    for server in Server::each_with(into(&blocked)).await {
        let app = &server.app;
        let broken = Post::new(&app.settings, &app.trust).unwrap().unwrap();
        let mut settings = (*app.settings).clone();
        into(directory.path())(&mut settings);
        let working = Post::new(&settings, &app.trust).unwrap().unwrap();
        server.register("ada").await;
        assert_eq!(send_due(app, &broken).await.unwrap(), 0);
        assert_eq!(send_due(app, &working).await.unwrap(), 0, "it waits");
        server.advance(Duration::from_secs(15));
        assert_eq!(send_due(app, &working).await.unwrap(), 1);
        assert_eq!(send_due(app, &working).await.unwrap(), 0, "it is gone");

        // Who takes a mail and dies leaves it to others.
        server.register("bob").await;
        let now = app.clock.now();
        let lease = now.after(Duration::from_secs(120));
        assert_eq!(app.store.take_mails(now, lease, 9).await.unwrap().len(), 1);
        assert_eq!(send_due(app, &working).await.unwrap(), 0);
        server.advance(Duration::from_secs(120));
        assert_eq!(send_due(app, &working).await.unwrap(), 1);

        server.register("eve").await;
        server.advance(DAY);
        assert_eq!(send_due(app, &broken).await.unwrap(), 0);
        server.advance(DAY);
        assert_eq!(send_due(app, &working).await.unwrap(), 0, "it was given up");
    }
}

#[tokio::test]
async fn an_smtp_server_is_given_the_mail_and_believed_when_it_refuses_one_for_good() {
    let smtp = SmtpServer::start().await;
    let url = smtp.url();
    let server = Server::start_with(|settings| {
        settings.mail = Some(url.into());
        settings.mail_from = "Tea House <tea@chat.example>".to_owned();
    })
    .await;
    let post = Post::new(&server.app.settings, &server.app.trust)
        .unwrap()
        .unwrap();
    let ada = server.register("ada").await;
    assert_eq!(send_due(&server.app, &post).await.unwrap(), 1);
    let mails = smtp.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].from, "tea@chat.example");
    assert_eq!(mails[0].to, "ada@example.com");
    let text = mails[0].text.replace("=\r\n", "");
    assert!(
        text.contains("From: \"Tea House\" <tea@chat.example>"),
        "{text}"
    );
    assert!(text.contains("multipart/alternative"), "{text}");
    let body = json!({ "token": token(&text, "verify") });
    let verify = server.post("/v1/auth/verify").json(body);
    verify.await_status(204).await;
    let me = ada.get("/v1/users/me").await_status(200).await;
    assert_eq!(me.json["email_verified"], true);

    let mut refused = registration("nobody1");
    refused["email"] = json!("refused@example.com");
    server
        .ask(Method::POST, "/v1/auth/register")
        .json(refused)
        .await_status(201)
        .await;
    assert_eq!(send_due(&server.app, &post).await.unwrap(), 0);
    server.advance(Duration::from_secs(3_600));
    assert!(
        !server
            .app
            .store
            .has_due_mail(server.app.clock.now())
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn over_tls_an_smtp_server_is_believed_whose_ca_is() {
    let smtp = SmtpServer::start().await;
    let (ca, foreign) = (Ca::new().unwrap(), Ca::new().unwrap());
    let door = ca.door(smtp.address, "127.0.0.1").await.unwrap();
    let url = format!("smtps://127.0.0.1:{}", door.port());
    let server = Server::start_with(|settings| settings.mail = Some(url.into())).await;
    server.register("ada").await;
    let mut settings = (*server.app.settings).clone();
    for (ca_file, sent) in [(None, 0), (Some(foreign.file()), 0), (Some(ca.file()), 1)] {
        settings.tls_ca_file = ca_file;
        let trust = Trust::new(&settings).unwrap();
        let post = Post::new(&settings, &trust).unwrap().unwrap();
        assert_eq!(send_due(&server.app, &post).await.unwrap(), sent);
        assert_eq!(smtp.mails().len(), sent);
        // What was not sent is tried again.
        server.advance(Duration::from_secs(60));
    }
}
