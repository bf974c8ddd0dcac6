//! What is acked is stored, once and in one order, whatever dies.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use chatx_e2e::{Http, PATIENCE, Person, Socket, on_each_engine, unlimited};
use protocol::{ErrorCode, RoomId, events::Event, frame::ServerFrame};
use serde_json::json;
use testkit::{Chatx, Postgres};
use tokio::{sync::watch, task::JoinSet, time::sleep};

const SENDERS: usize = 20;
const MESSAGES: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn every_acked_message_outlives_kill_9_in_the_middle_of_twenty_senders() -> Result<()> {
    on_each_engine(killed_in_the_middle).await
}

async fn killed_in_the_middle(chatx: &mut Chatx) -> Result<()> {
    let http = Http::new(chatx.address());
    let owner = Person::register(&http, "owner").await?;
    let room = owner.create_room().await?;
    let witness = tokio::spawn(witnessed(owner.socket().await?, room));

    let (counter, mut acked_so_far) = watch::channel(0_usize);
    let counter = Arc::new(counter);
    let mut senders = JoinSet::new();
    for number in 0..SENDERS {
        let person = Person::register(&http, "sender").await?;
        person.join(room).await?;
        senders.spawn(sender(person, room, number, Arc::clone(&counter)));
    }
    acked_so_far
        .wait_for(|count| *count >= SENDERS * MESSAGES / 4)
        .await?;
    chatx.kill_9()?;
    chatx.restart().await?;

    let mut acked = BTreeMap::new();
    while let Some(ended) = senders.join_next().await {
        acked.extend(ended??);
    }
    let history = owner.history(room).await?;
    let mut stored = BTreeMap::new();
    for message in &history {
        let client_id = message
            .content
            .client_id
            .clone()
            .context("a sent message has a client_id")?;
        let twice = stored.insert(client_id.as_str().to_owned(), message.seq.0);
        ensure!(twice.is_none(), "{client_id:?} is stored twice");
    }
    assert_eq!(acked.len(), SENDERS * MESSAGES);
    assert_eq!(
        stored, acked,
        "what was acked is what is stored, each at the place of its ack"
    );
    assert!(history.is_sorted_by(|a, b| a.seq < b.seq));

    for event in witness.await?? {
        let Some(message) = event.clone().into_message() else {
            continue;
        };
        ensure!(
            history.contains(&message),
            "{message:?} was delivered, but is not in history"
        );
    }
    Ok(())
}

/// Sends until all is acked, over as many connections as that takes; a resend has the same name.
async fn sender(
    person: Person,
    room: RoomId,
    number: usize,
    counter: Arc<watch::Sender<usize>>,
) -> Result<BTreeMap<String, u64>> {
    let mut acked = BTreeMap::new();
    let mut socket = connected(&person).await?;
    for turn in 0..MESSAGES {
        let client_id = format!("{number}-{turn}");
        let ack = loop {
            match socket
                .send(room, &client_id, &format!("message {turn}"))
                .await
            {
                Ok(Ok(ack)) => break ack,
                Ok(Err(refused)) if refused.code == ErrorCode::Unavailable => {}
                Ok(Err(refused)) => bail!("{client_id}: {refused:?}"),
                Err(_) => socket = connected(&person).await?,
            }
        };
        acked.insert(client_id, ack.seq.0);
        counter.send_modify(|count| *count += 1);
    }
    Ok(acked)
}

/// Dials until somebody answers.
async fn connected(person: &Person) -> Result<Socket> {
    let dial = async {
        loop {
            match person.socket().await {
                Ok(socket) => return socket,
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, dial)
        .await
        .context("nobody answers")
}

/// Every event that one subscribed socket is shown, until it ends.
async fn witnessed(mut socket: Socket, room: RoomId) -> Result<Vec<Event>> {
    let mut events = socket.subscribe(room, None).await?.events;
    while let Ok(frame) = socket.next().await? {
        if let ServerFrame::Event(event) = frame {
            events.push(event);
        }
    }
    let is_dense = events
        .windows(2)
        .all(|pair| pair[0].seq.next() == pair[1].seq);
    ensure!(is_dense, "a delivery was left out or doubled");
    Ok(events)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_acked_while_the_database_is_away() -> Result<()> {
    let mut postgres = Postgres::start().await?;
    let chatx = unlimited()
        .set("DATABASE_URL", postgres.url())
        .start()
        .await?;
    let http = Http::new(chatx.address());
    let person = Person::register(&http, "patient").await?;
    let room = person.create_room().await?;
    let mut socket = person.socket().await?;
    socket.subscribe(room, None).await?;
    let before = socket
        .send(room, "before", "stored")
        .await?
        .map_err(|error| anyhow::anyhow!("{error:?}"))?;

    postgres.kill()?;
    for attempt in 0..3 {
        let refused = socket
            .send(room, &format!("away-{attempt}"), "never stored")
            .await?;
        let refused = refused
            .err()
            .context("acked although there is no database")?;
        assert_eq!(refused.code, ErrorCode::Unavailable);
    }
    assert_eq!(http.get("/readyz").await?.status, 503);
    assert_eq!(http.get("/livez").await?.status, 200);
    let over_http = person
        .http
        .post(
            &format!("/v1/rooms/{room}/messages"),
            json!({"body": "nor this"}),
        )
        .await?;
    assert_eq!((over_http.status, over_http.code()), (503, "unavailable"));
    assert!(over_http.headers.contains_key("retry-after"));

    postgres.start_again().await?;
    let after = loop {
        match socket.send(room, "after", "stored again").await? {
            Ok(ack) => break ack,
            Err(refused) => assert_eq!(refused.code, ErrorCode::Unavailable),
        }
    };
    let history = person.history(room).await?;
    let stored: Vec<_> = history
        .iter()
        .map(|message| (message.seq, message.content.body.as_str()))
        .collect();
    let kept = stored
        .iter()
        .filter(|(_, body)| *body != "never stored" && *body != "nor this")
        .copied();
    assert_eq!(
        kept.collect::<Vec<_>>(),
        [(before.seq, "stored"), (after.seq, "stored again")]
    );
    assert_eq!(stored.len(), 2, "a refused message was stored: {stored:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_owners_and_deletions_outlive_a_restart() -> Result<()> {
    on_each_engine(async |chatx| {
        let http = Http::new(chatx.address());
        let owner = Person::register(&http, "owner").await?;
        let guest = Person::register(&http, "guest").await?;
        let kept = owner.create_room().await?;
        let deleted = owner.create_room().await?;
        guest.join(kept).await?;
        owner
            .http
            .delete(&format!("/v1/rooms/{deleted}"))
            .await?
            .expect(204)?;
        let mut socket = owner.socket().await?;
        socket.subscribe(kept, None).await?;
        drop(socket);

        chatx.terminate().await?;
        chatx.restart().await?;

        let owner = owner.log_in(&http).await?;
        let room = owner
            .http
            .get(&format!("/v1/rooms/{kept}"))
            .await?
            .expect(200)?;
        assert_eq!(room["owner_id"], json!(owner.id));
        assert_eq!(room["role"], "owner");
        assert_eq!(room["members"], 2);
        let gone = owner.http.get(&format!("/v1/rooms/{deleted}")).await?;
        assert_eq!((gone.status, gone.code()), (404, "room_not_found"));
        let list = owner.http.get("/v1/rooms").await?.expect(200)?;
        let listed: Vec<_> = list["rooms"]
            .as_array()
            .context("a list")?
            .iter()
            .map(|room| &room["id"])
            .collect();
        assert_eq!(listed, [&json!(kept)]);
        // What is deleted does not come back by other doors either.
        let mut socket = owner.socket().await?;
        let subscribe = json!({"type": "subscribe", "room": deleted});
        assert_eq!(
            socket.refusal(&subscribe).await?,
            Some(ErrorCode::RoomNotFound)
        );
        let again = guest
            .http
            .post(&format!("/v1/rooms/{deleted}/members"), json!({}))
            .await?;
        assert_eq!(again.status, 404);
        Ok(())
    })
    .await
}
