//! Webhooks: whatever dies, nothing is lost, and everything comes in order.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use chatx_e2e::{Http, PATIENCE, Person, Received, Receiver, on_each_engine, unlimited};
use protocol::{EventId, RoomId, Seq};
use serde_json::{Value, json};
use testkit::{Ca, Chatx, ChatxSetup, Database};
use tokio::time::{sleep, timeout};

const SECRET: &str = "between-the-two-of-us";

fn local(setup: ChatxSetup) -> ChatxSetup {
    setup
        .set("CHATX_WEBHOOK_PRIVATE_TARGETS", "on")
        .set("CHATX_WEBHOOK_TIMEOUT_S", "5")
}

/// Makes a webhook of these rooms and answers its path.
async fn webhook(person: &Person, url: &str, rooms: &[RoomId], more: Value) -> Result<String> {
    let mut wish = json!({ "url": url, "rooms": rooms, "secret": SECRET });
    if let (Some(wish), Some(more)) = (wish.as_object_mut(), more.as_object()) {
        wish.extend(more.clone());
    }
    let made = person.http.post("/v1/webhooks", wish).await?.expect(201)?;
    Ok(format!(
        "/v1/webhooks/{}",
        made["id"].as_str().context("an id")?
    ))
}

async fn say(person: &Person, room: RoomId, text: &str) -> Result<Seq> {
    let body = json!({ "body": text });
    let sent = person
        .http
        .post(&format!("/v1/rooms/{room}/messages"), body)
        .await?;
    let sent = sent.expect(201)?;
    Ok(Seq(sent["seq"].as_u64().context("a seq")?))
}

/// The places of `room` that were taken.
fn taken(received: &[Received], room: RoomId) -> BTreeSet<Seq> {
    let taken = received.iter().filter(|post| post.was_taken);
    taken
        .filter(|post| post.delivery.room == room)
        .flat_map(|post| post.delivery.events.iter().map(|event| event.seq))
        .collect()
}

fn has_all(received: &[Received], room: RoomId, from: Seq, to: Seq) -> bool {
    let taken = taken(received, room);
    (from.0..=to.0).all(|seq| taken.contains(&Seq(seq)))
}

/// That each room's events came without a hole and in order, but for what came again from an earlier place on,
/// and that what came again was the same.
fn check_order(received: &[Received], room: RoomId) -> Result<()> {
    let mut ids: BTreeMap<Seq, EventId> = BTreeMap::new();
    for post in received.iter().filter(|post| post.delivery.room == room) {
        post.check(SECRET)?;
        let mut before: Option<Seq> = None;
        for event in &post.delivery.events {
            let id = *ids.entry(event.seq).or_insert(event.id);
            ensure!(id == event.id, "another event came at {}", event.seq.0);
            ensure!(
                before.is_none_or(|before| before.next() == event.seq),
                "a hole within a post"
            );
            ensure!(
                event.seq == post_start(&ids) || ids.contains_key(&event.seq.previous()),
                "{} came before what is before it",
                event.seq.0
            );
            before = Some(event.seq);
        }
    }
    Ok(())
}

fn post_start(ids: &BTreeMap<Seq, EventId>) -> Seq {
    ids.keys().next().copied().unwrap_or_default()
}

/// Waits until a webhook is as `is_so` says.
async fn until_state(person: &Person, path: &str, is_so: impl Fn(&Value) -> bool) -> Result<Value> {
    let mut seen = Value::Null;
    let seeing = async {
        loop {
            seen = person.http.get(path).await?.expect(200)?;
            if is_so(&seen) {
                return anyhow::Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    let waited = timeout(PATIENCE, seeing).await;
    waited.with_context(|| format!("not reached: {seen}"))??;
    Ok(seen)
}

async fn nothing_is_lost(chatx: &mut Chatx) -> Result<()> {
    let ada = Person::register(&Http::new(chatx.address()), "ada").await?;
    let (tea, cake) = (ada.create_room().await?, ada.create_room().await?);
    let mut receiver = Receiver::start().await?;
    webhook(&ada, &receiver.url(), &[tea, cake], json!({})).await?;
    let first = say(&ada, tea, "the first").await?;
    receiver
        .until(|received| has_all(received, tea, first, first))
        .await?;

    // The receiver is away for a while.
    receiver.kill();
    let mut last = first;
    for number in 0..120 {
        last = say(&ada, tea, &format!("while it is away {number}")).await?;
        if number % 10 == 0 {
            say(&ada, cake, "in the other room").await?;
        }
    }
    receiver.come_back().await?;
    receiver
        .until(|received| has_all(received, tea, first, last))
        .await?;

    // The sender dies in the middle: the answer does not reach it, or is not noted any more.
    receiver.answer(503);
    for number in 0..30 {
        last = say(&ada, tea, &format!("before it dies {number}")).await?;
    }
    let before = receiver.received().len();
    receiver.until(|received| received.len() > before).await?;
    receiver.answer(200);
    receiver
        .until(|received| {
            received.len() > before && received.last().is_some_and(|post| post.was_taken)
        })
        .await?;
    chatx.kill_9()?;
    chatx.restart().await?;
    let last = say(&ada, tea, "after it died").await?.max(last);
    let other = say(&ada, cake, "after it died").await?;
    receiver
        .until(|received| has_all(received, tea, first, last))
        .await?;
    receiver
        .until(|received| has_all(received, cake, Seq(2), other))
        .await?;
    let received = receiver.received();
    check_order(&received, tea)?;
    check_order(&received, cake)?;
    let largest = received.iter().map(|post| post.delivery.events.len()).max();
    ensure!(largest > Some(20), "many come in one post: {largest:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_receiver_is_away_or_the_sender_dies() -> Result<()> {
    let mut on_sqlite = local(unlimited()).start().await?;
    nothing_is_lost(&mut on_sqlite).await.context("on SQLite")?;
    drop(on_sqlite);
    let database = Database::fresh().await?;
    let setup = local(unlimited()).set("DATABASE_URL", database.url());
    let mut on_postgres = setup.start().await?;
    nothing_is_lost(&mut on_postgres)
        .await
        .context("on PostgreSQL")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_share_the_work_and_one_takes_over_from_the_other() -> Result<()> {
    let database = Database::fresh().await?;
    let secret = "a secret that the two processes share";
    let setup = || {
        local(unlimited())
            .set("DATABASE_URL", database.url())
            .set("CHATX_CLUSTER_SECRET", secret)
    };
    let (mut first, second) = (setup().start().await?, setup().start().await?);
    let ada = Person::register(&Http::new(first.address()), "ada").await?;
    let at_second = ada.at(&Http::new(second.address()));
    let room = ada.create_room().await?;
    let receiver = Receiver::start().await?;
    webhook(&ada, &receiver.url(), &[room], json!({})).await?;
    let mut last = Seq(2);
    for number in 0..60 {
        let who = if number % 2 == 0 { &ada } else { &at_second };
        last = say(who, room, &format!("from both {number}")).await?;
    }
    receiver
        .until(|received| has_all(received, room, Seq(2), last))
        .await?;
    let events: usize = receiver
        .received()
        .iter()
        .map(|post| post.delivery.events.len())
        .sum();
    let once = taken(&receiver.received(), room).len();
    // A machine that stands still for longer than a webhook is held may have one post doubled, no more.
    ensure!(
        events - once <= once / 3,
        "both deliver: {events} came, {once} of them new"
    );

    // The one that may have it at this moment dies.
    for number in 0..20 {
        last = say(&ada, room, &format!("before it dies {number}")).await?;
    }
    first.kill_9()?;
    last = say(&at_second, room, "from who is left").await?.max(last);
    receiver
        .until(|received| has_all(received, room, Seq(2), last))
        .await?;
    check_order(&receiver.received(), room)
}

async fn private_targets_are_refused(chatx: &mut Chatx) -> Result<()> {
    let ada = Person::register(&Http::new(chatx.address()), "ada").await?;
    let room = ada.create_room().await?;
    let receiver = Receiver::start().await?;
    let literal = json!({ "url": receiver.url(), "rooms": [room] });
    let refused = ada.http.post("/v1/webhooks", literal).await?;
    assert_eq!(refused.code(), "validation_failed");
    // A name says nothing by itself; where it leads to does.
    let path = webhook(&ada, &receiver.url_as("localhost"), &[room], json!({})).await?;
    say(&ada, room, "not for the machine's own ears").await?;
    let seen = until_state(&ada, &path, |seen| seen["state"] == "retrying").await?;
    let why = seen["last_error"].as_str().unwrap_or_default();
    ensure!(why.contains("private address"), "{why}");
    ensure!(seen["next_attempt_at"].is_string() && seen["failing_since"].is_string());
    ensure!(receiver.received().is_empty(), "nobody was asked");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_to_a_private_address_is_not_followed() -> Result<()> {
    on_each_engine(private_targets_are_refused).await
}

async fn what_fails_for_too_long_is_disabled(chatx: &mut Chatx) -> Result<()> {
    let ada = Person::register(&Http::new(chatx.address()), "ada").await?;
    let room = ada.create_room().await?;
    let receiver = Receiver::start().await?;
    // Answers that it is elsewhere, which is no answer.
    receiver.answer(302);
    let only = json!({ "kinds": ["message"] });
    let path = webhook(&ada, &receiver.url(), &[room], only).await?;
    let first = say(&ada, room, "does anybody hear this?").await?;
    let seen = until_state(&ada, &path, |seen| seen["state"] == "disabled").await?;
    ensure!(
        seen["enabled"] == false && seen["disabled_at"].is_string(),
        "{seen}"
    );
    let why = seen["last_error"].as_str().unwrap_or_default();
    ensure!(why.contains("302"), "{why}");
    ensure!(receiver.received().len() >= 2, "it was tried again before");

    receiver.answer(200);
    ada.http
        .put(
            &format!("/v1/rooms/{room}/messages/{}/pin", first.0),
            json!({}),
        )
        .await?
        .expect(204)?;
    let last = say(&ada, room, "and this?").await?;
    let before = receiver.received().len();
    ada.http
        .patch(&path, json!({ "enabled": true }))
        .await?
        .expect(200)?;
    let wanted = BTreeSet::from([first, last]);
    receiver
        .until(|received| taken(received, room) == wanted)
        .await?;
    let seen = until_state(&ada, &path, |seen| seen["rooms"][0]["seq"] == last.0).await?;
    ensure!(
        seen["state"] == "active" && seen.get("last_error").is_none(),
        "{seen}"
    );
    let ids = |received: &[Received]| -> Vec<EventId> {
        let events = received.iter().flat_map(|post| &post.delivery.events);
        events.map(|event| event.id).collect()
    };
    let once = ids(&receiver.received()[before..]);
    assert_eq!(once.len(), 2, "the pinning is of no wanted kind");

    // All of it once more, and the same.
    let before = receiver.received().len();
    let replay = json!({ "room": room, "after": 0 });
    ada.http
        .post(&format!("{path}/replay"), replay)
        .await?
        .expect(200)?;
    receiver
        .until(|received| ids(&received[before..]) == once)
        .await?;
    for post in receiver.received() {
        post.check(SECRET)?;
    }

    // Whoever is no longer admin of a room does not hear of it.
    let bob = Person::register(&Http::new(chatx.address()), "bob").await?;
    bob.join(room).await?;
    let member = format!("/v1/rooms/{room}/members/{}", bob.id);
    ada.http
        .patch(&member, json!({ "role": "owner" }))
        .await?
        .expect(200)?;
    let ada_there = format!("/v1/rooms/{room}/members/{}", ada.id);
    bob.http
        .patch(&ada_there, json!({ "role": "member" }))
        .await?
        .expect(200)?;
    let before = receiver.received().len();
    say(&bob, room, "between us").await?;
    let other = bob.create_room().await?;
    webhook(&bob, &receiver.url(), &[room, other], json!({})).await?;
    let seq = say(&bob, room, "and Bob's own").await?;
    receiver
        .until(|received| {
            received[before..]
                .iter()
                .any(|post| post.delivery.events.iter().any(|event| event.seq == seq))
        })
        .await?;
    let path_id = path.trim_start_matches("/v1/webhooks/");
    let heard = &receiver.received()[before..];
    ensure!(
        heard
            .iter()
            .all(|post| post.delivery.webhook.to_string() != path_id)
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_fails_is_disabled_and_goes_on_where_it_stood() -> Result<()> {
    let setup = || local(unlimited()).set("CHATX_WEBHOOK_RETRY_S", "2");
    let mut on_sqlite = setup().start().await?;
    what_fails_for_too_long_is_disabled(&mut on_sqlite)
        .await
        .context("on SQLite")?;
    drop(on_sqlite);
    let database = Database::fresh().await?;
    let mut on_postgres = setup().set("DATABASE_URL", database.url()).start().await?;
    what_fails_for_too_long_is_disabled(&mut on_postgres)
        .await
        .context("on PostgreSQL")
}

/// Posts to a door of TLS, and waits until it is seen that what is posted does not get through.
async fn is_refused(ada: &Person, room: RoomId, url: &str, why: &str) -> Result<()> {
    let path = webhook(ada, url, &[room], json!({})).await?;
    say(ada, room, "for nobody else's eyes").await?;
    let seen = until_state(ada, &path, |seen| seen["state"] == "retrying").await?;
    let error = seen["last_error"].as_str().unwrap_or_default();
    ensure!(error.contains(why), "{error}");
    ada.http.delete(&path).await?.expect(204)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_only_a_server_is_believed_whose_ca_and_name_are() -> Result<()> {
    let (ca, foreign) = (Ca::new()?, Ca::new()?);
    let receiver = Receiver::start().await?;
    let door = ca.door(receiver.address(), "127.0.0.1").await?;
    let of_another_name = ca.door(receiver.address(), "elsewhere.example").await?;
    let of_another_ca = foreign.door(receiver.address(), "127.0.0.1").await?;
    let url = |port: u16| format!("https://127.0.0.1:{port}/in");

    // Only the CAs of the web are believed, unless a setting adds one.
    let chatx = local(unlimited()).start().await?;
    let ada = Person::register(&Http::new(chatx.address()), "ada").await?;
    let room = ada.create_room().await?;
    is_refused(&ada, room, &url(door.port()), "UnknownIssuer").await?;
    drop(chatx);

    let ca_file = ca.file().display().to_string();
    let setup = local(unlimited()).set("CHATX_TLS_CA_FILE", &ca_file);
    let chatx = setup.start().await?;
    let ada = Person::register(&Http::new(chatx.address()), "ada").await?;
    let room = ada.create_room().await?;
    // The other CA bears the same name.
    is_refused(&ada, room, &url(of_another_ca.port()), "BadSignature").await?;
    let no_name = "certificate not valid for name";
    is_refused(&ada, room, &url(of_another_name.port()), no_name).await?;
    ensure!(receiver.received().is_empty(), "nothing was said before");
    webhook(&ada, &url(door.port()), &[room], json!({})).await?;
    let first = say(&ada, room, "tea").await?;
    receiver
        .until(|received| has_all(received, room, first, first))
        .await?;
    check_order(&receiver.received(), room)?;

    // What names nobody to believe is said at start.
    for (file, complaint) in [
        ("/nowhere.pem", "/nowhere.pem"),
        ("/dev/null", "no certificate in it"),
    ] {
        let setup = Chatx::serve().set("CHATX_TLS_CA_FILE", file);
        let (status, said) = setup.run_to_its_end().await?;
        ensure!(status.code() == Some(2), "{status}: {said}");
        ensure!(said.contains("CHATX_TLS_CA_FILE"), "{said}");
        ensure!(said.contains(complaint), "{said}");
    }
    Ok(())
}
