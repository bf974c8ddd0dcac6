//! Handlers and a coordinator as processes of their own, on one PostgreSQL and one Redis.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow};
use chatx_e2e::{Ended, Http, PATIENCE, Person, Socket, unique};
use protocol::{RoomId, Seq, events::EventKind};
use serde_json::json;
use testkit::{Chatx, Ground};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

/// One of each.
struct Fleet {
    handlers: Chatx,
    coordinator: Chatx,
    ground: Ground,
}

impl Fleet {
    async fn start() -> Result<Self> {
        let ground = Ground::with_redis().await?;
        Ok(Self {
            coordinator: ground.coordinator("a").start().await?,
            handlers: ground.handlers().start().await?,
            ground,
        })
    }

    fn http(&self) -> Http {
        Http::new(self.handlers.address())
    }

    /// A socket at the place that the handlers name.
    async fn socket(&self, person: &Person) -> Result<Socket> {
        let invited = person
            .http
            .post("/v1/socket", json!({}))
            .await?
            .expect(201)?;
        let (url, ticket) = (
            invited["url"].as_str().context("a url")?,
            invited["ticket"].as_str().context("a ticket")?,
        );
        assert!(url.starts_with(&self.coordinator.socket_url()), "{url}");
        Socket::open(chatx_e2e::request(&format!("{url}?ticket={ticket}"))?).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_over_http_reaches_sockets_of_another_process() -> Result<()> {
    let fleet = Fleet::start().await?;
    let http = fleet.http();
    let ada = Person::register(&http, "ada").await?;
    let eve = Person::register(&http, "eve").await?;
    let room = ada.create_room().await?;
    let mut socket = fleet.socket(&ada).await?;
    let head = socket.subscribe(room, None).await?.head;
    // Each of these is done by the handlers; the coordinator learns of it.
    eve.join(room).await?;
    let path = format!("/v1/rooms/{room}/messages");
    let sent = eve
        .http
        .post(&path, json!({"body": "over HTTP", "client_id": "1"}))
        .await?
        .expect(201)?;
    let again = eve
        .http
        .post(&path, json!({"body": "over HTTP", "client_id": "1"}))
        .await?
        .expect(200)?;
    assert_eq!(
        (&again["duplicate"], &again["seq"]),
        (&json!(true), &sent["seq"])
    );
    let message = format!("{path}/{}", sent["seq"]);
    eve.http
        .patch(&message, json!({"body": "edited"}))
        .await?
        .expect(200)?;
    eve.http.delete(&message).await?.expect(204)?;
    for (place, kind) in (head.0 + 1..).zip(["join", "message", "edit", "delete"]) {
        let event = socket.event().await?;
        assert_eq!(
            (event.seq, event.kind.as_str(), event.user.id),
            (Seq(place), kind, eve.id)
        );
    }
    // And the other way: what a socket sends is read over HTTP.
    let ack = socket
        .send(room, "2", "over a socket")
        .await?
        .map_err(|error| anyhow!("{error:?}"))?;
    let history = eve.history(room).await?;
    let last = history.last().context("a history")?;
    assert_eq!(
        (last.seq, last.content.body.as_str()),
        (ack.seq, "over a socket")
    );

    let lost = Http::new(fleet.handlers.address()).get("/metrics").await?;
    assert_eq!(lost.status, 404, "metrics are not for clients");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_process_serves_its_half_only() -> Result<()> {
    let fleet = Fleet::start().await?;
    let http = fleet.http();
    let ada = Person::register(&http, "ada").await?;
    let at_handlers = chatx_e2e::request(&format!("{}/v1/socket", fleet.handlers.socket_url()))?;
    let status = Socket::status(at_handlers).await?;
    assert!([404, 405].contains(&status), "{status}");
    let at_coordinator = ada.at(&Http::new(fleet.coordinator.address()));
    assert_eq!(at_coordinator.http.get("/v1/rooms").await?.status, 404);
    assert_eq!(at_coordinator.http.get("/readyz").await?.status, 200);
    assert_eq!(
        at_coordinator
            .http
            .post("/internal/hint", json!({}))
            .await?
            .status,
        404
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_news_is_answered_before_the_process_goes() -> Result<()> {
    let mut fleet = Fleet::start().await?;
    let ada = Person::register(&fleet.http(), "ada").await?;
    let room = ada.create_room().await?;
    let ask = async |wait_s: u32| {
        let path = format!("/v1/rooms/{room}/events?after=1&wait_s={wait_s}");
        ada.http.get(&path).await?.expect(200)
    };
    let going = async {
        // Who asks later and waits less is answered: the other one waits.
        ask(1).await?;
        fleet.handlers.terminate().await
    };
    let (answer, status) = tokio::join!(ask(30), going);
    assert_eq!(answer?, json!({"events": [], "head": 1}));
    assert!(status?.success());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_revoked_by_the_handlers_loses_its_socket_at_the_coordinator() -> Result<()> {
    let fleet = Fleet::start().await?;
    let ada = Person::register(&fleet.http(), "ada").await?;
    let mut socket = fleet.socket(&ada).await?;
    ada.http
        .post("/v1/auth/logout", json!({}))
        .await?
        .expect(204)?;
    assert_eq!(socket.until_ended().await?, Ended::Closed(4401));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn with_every_coordinator_down_http_goes_on_and_there_are_no_ghosts() -> Result<()> {
    let mut fleet = Fleet::start().await?;
    let http = fleet.http();
    let ada = Person::register(&http, "ada").await?;
    let eve = Person::register(&http, "eve").await?;
    let room = ada.create_room().await?;
    eve.join(room).await?;
    let mut socket = fleet.socket(&ada).await?;
    let head = socket.subscribe(room, None).await?.head;
    until_presence(&eve, &ada, |state| state == "online").await?;

    fleet.coordinator.kill_9()?;
    assert_eq!(socket.until_ended().await?, Ended::Broken);
    let path = format!("/v1/rooms/{room}/messages");
    for turn in 0..3 {
        eve.http
            .post(&path, json!({"body": format!("while away {turn}")}))
            .await?
            .expect(201)?;
    }
    let history = ada.http.get(&path).await?.expect(200)?;
    assert_eq!(history["messages"].as_array().map(Vec::len), Some(3));
    let mark = json!({ "seq": history["head"] });
    let marked = ada
        .http
        .put(&format!("/v1/rooms/{room}/read"), mark)
        .await?;
    assert_eq!(marked.status, 204);
    let rooms = ada.http.get("/v1/users/me/rooms").await?.expect(200)?;
    assert_eq!(rooms["rooms"][0]["unread"], 0);
    until_presence(&eve, &ada, |state| state != "online").await?;

    fleet.coordinator.restart().await?;
    let mut socket = ada
        .at(&Http::new(fleet.coordinator.address()))
        .socket()
        .await?;
    let missed = socket.subscribe(room, Some(head.0)).await?;
    assert!(!missed.reset);
    let bodies: Vec<_> = missed
        .events
        .into_iter()
        .filter_map(|event| Some(event.into_message()?.content.body))
        .collect();
    assert_eq!(bodies, ["while away 0", "while away 1", "while away 2"]);
    until_presence(&eve, &ada, |state| state == "online").await
}

/// Asks until `watcher` sees `person` as `wanted` says.
async fn until_presence(
    watcher: &Person,
    person: &Person,
    wanted: impl Fn(&str) -> bool,
) -> Result<()> {
    let path = format!("/v1/users/{}", person.id);
    let seen = async {
        loop {
            let user = watcher.http.get(&path).await?.expect(200)?;
            if wanted(user["presence"].as_str().unwrap_or("offline")) {
                return anyhow::Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, seen)
        .await
        .context("their presence stays as it was")?
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_sends_go_on_and_nothing_stored_is_lost() -> Result<()> {
    const WRITERS: usize = 4;
    let mut fleet = Fleet::start().await?;
    let http = fleet.http();
    let owner = Person::register(&http, "owner").await?;
    let room = owner.create_room().await?;
    let mut reader = fleet.socket(&owner).await?;
    reader.subscribe(room, None).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let person = Person::register(&http, "writer").await?;
        person.join(room).await?;
        let socket = fleet.socket(&person).await?;
        writers.spawn(write(socket, room, Arc::clone(&stop)));
    }
    let mut delivered = Vec::new();
    let mut expect = async |count: usize| {
        for _ in 0..count {
            let event = reader.event().await?;
            if matches!(event.kind, EventKind::Message(_)) {
                delivered.push(event.seq);
            }
        }
        anyhow::Ok(())
    };
    expect(100).await?;
    fleet.ground.redis().kill()?;
    expect(200).await?;
    // What needs Redis only to be fast is still done.
    let late = Person::register(&http, "late").await?;
    late.join(room).await?;
    let with_bearer = late.at(&Http::new(fleet.coordinator.address()));
    let mut late_socket = with_bearer.socket().await?;
    late_socket.subscribe(room, None).await?;
    late.http
        .post("/v1/auth/logout", json!({}))
        .await?
        .expect(204)?;
    assert_eq!(late_socket.until_ended().await?, Ended::Closed(4401));
    fleet.ground.redis().start_again().await?;
    expect(200).await?;
    stop.store(true, Ordering::Relaxed);

    let mut acked = Vec::new();
    while let Some(written) = writers.join_next().await {
        acked.extend(written??);
    }
    acked.sort();
    let history = owner.history(room).await?;
    let stored: Vec<_> = history.iter().map(|message| message.seq).collect();
    assert_eq!(
        stored, acked,
        "each ack is one stored message, and nothing else is stored"
    );
    assert!(stored.starts_with(&delivered), "deliveries are the history");
    Ok(())
}

/// Sends one message after the other until `stop`; none may be refused.
async fn write(mut socket: Socket, room: RoomId, stop: Arc<AtomicBool>) -> Result<Vec<Seq>> {
    let mut acked = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let ack = socket.send(room, &unique("m"), "on and on").await?;
        acked.push(ack.map_err(|error| anyhow!("{error:?}"))?.seq);
        // A person's pace, or nearly: this is about Redis, not about load.
        sleep(Duration::from_millis(5)).await;
    }
    Ok(acked)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_is_held_to_one_rate_by_two_processes() -> Result<()> {
    let ground = Ground::with_redis().await?;
    let limited = || ground.handlers().set("CHATX_RATE_LIMITS", "on");
    let (first, second) = (limited().start().await?, limited().start().await?);
    let mut answers = Vec::new();
    for turn in 0..12 {
        let chatx = if turn % 2 == 0 { &first } else { &second };
        let body = json!({"login": "nobody", "password": "wrong password"});
        answers.push(
            Http::new(chatx.address())
                .post("/v1/auth/login", body)
                .await?
                .status,
        );
    }
    assert_eq!(
        answers.iter().filter(|status| **status == 401).count(),
        5,
        "{answers:?}"
    );
    assert_eq!(
        answers.iter().filter(|status| **status == 429).count(),
        7,
        "{answers:?}"
    );
    Ok(())
}
