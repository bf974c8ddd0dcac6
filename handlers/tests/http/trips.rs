//! How many statements a request makes of a real PostgreSQL, counted on the way to it. Each is a round trip;
//! who adds one changes the number here, and says why.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::{
    bots::{bot, token, with},
    server::Server,
};

/// What is asked, with a body that may name the latest message, and how many statements it is worth.
type Request = (Method, String, fn(u64) -> Option<Value>, usize);

#[tokio::test]
async fn a_request_makes_no_more_statements_than_it_must() {
    let database = testkit::Database::fresh().await.unwrap();
    let counter = Counter::start(&database.url()).await;
    let server = Server::on_postgres(counter.url.clone(), database).await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let eve = server.register("eve").await;
    let room = ada.room(json!({ "name": "Tea" })).await;
    bob.join(&room).await;
    let messages = format!("{room}/messages");
    for body in ["tea", "more tea", "see https://example.com"] {
        ada.say(&room, body).await;
    }
    let at = |seq: u64| format!("{messages}/{seq}");
    ada.post(format!("{room}/invites")).await_status(201).await;
    for path in [
        format!("{room}/bans/{}", eve.id),
        format!("{}/pin", at(3)),
        format!("/v1/users/me/blocks/{}", eve.id),
    ] {
        let done = ada.put(path).json(json!({})).answer().await;
        assert!(done.status.is_success(), "{}", done.json);
    }
    bob.put(format!("{room}/read"))
        .json(json!({ "seq": 5 }))
        .await_status(204)
        .await;
    let (helper, _) = bot(&ada, "helper").await;
    let (_, secret) = token(&ada, &helper, &["rooms:read"]).await;
    let costs = async || {
        let before = counter.statements();
        with(&server, &secret, Method::GET, "/v1/users/me")
            .await_status(200)
            .await;
        counter.statements() - before
    };
    assert_eq!(costs().await, 2, "whose token it is, and what is asked for");
    let mut later = usize::MAX;
    for _ in 0..6 {
        later = later.min(costs().await);
    }
    assert_eq!(later, 1, "whose token it is, is remembered");
    let mut wrong = Vec::new();
    for (method, path, body, expected) in requests(&room, &bob.id, &helper) {
        // The first asks teach the connections the statement, and once in a second somebody asks who is
        // still logged in.
        let mut fewest = usize::MAX;
        for _ in 0..6 {
            let last = ada.say(&room, "one more").await;
            let ask = ada.ask(method.clone(), path.clone());
            let ask = match body(last) {
                Some(body) => ask.json(body),
                None => ask,
            };
            let before = counter.statements();
            let answer = ask.answer().await;
            assert!(
                answer.status.is_success(),
                "{method} {path} {}",
                answer.json
            );
            fewest = fewest.min(counter.statements() - before);
        }
        if fewest != expected {
            wrong.push(format!("{method} {path}: {fewest}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The requests in a room of a few messages, where `bob` has read.
fn requests(room: &str, bob: &str, helper: &str) -> Vec<Request> {
    let messages = format!("{room}/messages");
    let at = |seq: u64| format!("{messages}/{seq}");
    let id = room.trim_start_matches("/v1/rooms/");
    let get = |path: String, statements| -> Request { (Method::GET, path, |_| None, statements) };
    vec![
        get("/v1/users/me".to_owned(), 1),
        get(format!("/v1/users/{bob}"), 1),
        get("/v1/users?query=bo".to_owned(), 1),
        get("/v1/users/me/blocks".to_owned(), 1),
        get("/v1/auth/sessions".to_owned(), 1),
        get("/v1/auth/providers".to_owned(), 0),
        get("/v1/users/me/identities".to_owned(), 1),
        get("/v1/rooms".to_owned(), 1),
        get(room.to_owned(), 1),
        get(format!("{room}/members"), 1),
        get(format!("{room}/bans"), 1),
        get(format!("{room}/invites"), 1),
        get(format!("{room}/pins"), 1),
        get("/v1/users/me/rooms/deleted".to_owned(), 1),
        get(format!("{room}/receipts?seq=3"), 1),
        get(messages.clone(), 1),
        get(format!("{messages}?before=4"), 1),
        get(format!("{messages}?after=2"), 1),
        get(format!("{messages}?thread=3"), 1),
        get(at(3), 1),
        get(format!("{room}/events?after=1"), 1),
        get("/v1/bots".to_owned(), 1),
        get("/v1/webhooks".to_owned(), 1),
        get(helper.to_owned(), 1),
        // Whose the bot is, or whether the caller may ask; and what is asked for.
        get(format!("{helper}/tokens"), 2),
        get(format!("{room}/hooks"), 2),
        // Whether the caller may see to them, and the reports.
        get(format!("{room}/reports"), 2),
        // Those before, and as many after as there is room for.
        get(format!("{messages}?around=4&limit=2"), 2),
        // The message, and its earlier texts.
        get(format!("{}/history", at(3)), 2),
        // The rooms, and the latest message of each.
        get("/v1/users/me/rooms".to_owned(), 2),
        // The rooms, what is found in them, and the messages.
        get("/v1/search?q=tea".to_owned(), 3),
        get("/v1/search?q=coffee".to_owned(), 2),
        get(format!("/v1/search?q=tea&room={id}"), 3),
        // Who asks, where to look, what is found, and the messages.
        get(format!("{messages}?q=tea"), 4),
        (
            Method::POST,
            messages.clone(),
            |_| Some(json!({ "body": "again" })),
            // The message, and that its sender has read up to it.
            2,
        ),
        (
            Method::PUT,
            format!("{room}/read"),
            |last| Some(json!({ "seq": last })),
            // One's own, which is read already: so whether the caller is in the room.
            2,
        ),
    ]
}

/// A way to PostgreSQL on which the statements are counted.
struct Counter {
    url: String,
    statements: Arc<AtomicUsize>,
}

impl Counter {
    async fn start(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (scheme, rest) = url.split_once("://").unwrap();
        let (authority, path) = rest.split_once('/').unwrap();
        let (user, address) = authority.split_once('@').unwrap();
        let statements = Arc::new(AtomicUsize::new(0));
        let (counted, address) = (Arc::clone(&statements), address.to_owned());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&address).await.unwrap();
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                tokio::spawn(count(from_client, to_server, Arc::clone(&counted)));
                tokio::spawn(pass(from_server, to_client));
            }
        });
        Self {
            url: format!("{scheme}://{user}@127.0.0.1:{port}/{path}"),
            statements,
        }
    }

    fn statements(&self) -> usize {
        self.statements.load(Ordering::SeqCst)
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    // It ends when either side does.
    let _ = copy(&mut from, &mut to).await;
}

/// Passes a client's messages on and counts those that make the server do something: `Execute` and `Query`.
async fn count(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    statements: Arc<AtomicUsize>,
) -> std::io::Result<()> {
    const START: u32 = 196_608;
    let mut has_started = false;
    loop {
        let kind = if has_started {
            from.read_u8().await?
        } else {
            0
        };
        let length = from.read_u32().await?;
        let mut body = vec![0; usize::try_from(length).unwrap_or(4) - 4];
        from.read_exact(&mut body).await?;
        if matches!(kind, b'E' | b'Q') {
            statements.fetch_add(1, Ordering::SeqCst);
        }
        let mut message = Vec::with_capacity(body.len() + 5);
        message.extend(has_started.then_some(kind));
        message.extend(length.to_be_bytes());
        message.extend(&body);
        to.write_all(&message).await?;
        has_started |= body.starts_with(&START.to_be_bytes());
    }
}
