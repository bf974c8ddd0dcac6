//! What is acked is stored, once and in one order, whatever dies.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use chatx_e2e::{Http, PATIENCE, Person, Socket, on_each_engine, unlimited};
use protocol::{ErrorCode, RoomId, Seq, events::Event, frame::ServerFrame};
use serde_json::json;
use testkit::{Chatx, Postgres};
use tokio::{sync::watch, task::JoinSet, time::sleep};

const SENDERS: usize = 20;
const MESSAGES: usize = 40;
const FOLLOWERS: usize = 3;

/// How far the senders are, all together.
#[derive(Clone, Copy, Default)]
struct Progress {
    acked: usize,
    refused: usize,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acked_message_outlives_kill_9_in_the_middle_of_twenty_senders() -> Result<()> {
    on_each_engine(async |chatx| {
        let mut crowd = Crowd::gather(chatx).await?;
        crowd
            .progress
            .wait_for(|progress| progress.acked >= SENDERS * MESSAGES / 4)
            .await?;
        chatx.kill_9()?;
        chatx.restart().await?;
        crowd.finish().await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_freezes_in_the_middle_neither_loses_nor_doubles() -> Result<()> {
    let postgres = Postgres::start().await?;
    let chatx = unlimited()
        .set("DATABASE_URL", postgres.url())
        .start()
        .await?;
    let mut crowd = Crowd::gather(&chatx).await?;
    crowd
        .progress
        .wait_for(|progress| progress.acked >= SENDERS * MESSAGES / 4)
        .await?;
    postgres.pause()?;
    // Nobody is left waiting: everybody is told that it cannot be stored now.
    crowd
        .progress
        .wait_for(|progress| progress.refused >= SENDERS)
        .await?;
    postgres.resume()?;
    crowd.finish().await
}

/// Twenty people who write, and some who only read, over as many connections as it takes.
struct Crowd {
    owner: Person,
    room: RoomId,
    progress: watch::Receiver<Progress>,
    senders: JoinSet<Result<BTreeMap<String, u64>>>,
    followers: JoinSet<Result<BTreeMap<Seq, Event>>>,
    last: watch::Sender<Option<Seq>>,
}

impl Crowd {
    async fn gather(chatx: &Chatx) -> Result<Self> {
        let http = Http::new(chatx.address());
        let owner = Person::register(&http, "owner").await?;
        let room = owner.create_room().await?;
        let (last, told_last) = watch::channel(None);
        let mut followers = JoinSet::new();
        for _ in 0..FOLLOWERS {
            followers.spawn(follower(owner.clone(), room, told_last.clone()));
        }
        let (counter, progress) = watch::channel(Progress::default());
        let counter = Arc::new(counter);
        let mut senders = JoinSet::new();
        for number in 0..SENDERS {
            let person = Person::register(&http, "sender").await?;
            person.join(room).await?;
            senders.spawn(sender(person, room, number, Arc::clone(&counter)));
        }
        Ok(Self {
            owner,
            room,
            progress,
            senders,
            followers,
            last,
        })
    }

    /// Waits until all is acked and followed, and compares that with what is stored.
    async fn finish(mut self) -> Result<()> {
        let mut acked = BTreeMap::new();
        while let Some(ended) = self.senders.join_next().await {
            acked.extend(ended??);
        }
        let history = self.owner.history(self.room).await?;
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

        self.last.send(history.last().map(|message| message.seq))?;
        while let Some(followed) = self.followers.join_next().await {
            let followed = followed??;
            let seqs: Vec<_> = followed.keys().copied().collect();
            ensure!(
                seqs.windows(2).all(|pair| pair[0].next() == pair[1]),
                "a follower has a hole"
            );
            let held: Vec<_> = followed
                .into_values()
                .filter_map(Event::into_message)
                .collect();
            ensure!(
                history.ends_with(&held),
                "what a follower holds is not what is stored"
            );
        }
        Ok(())
    }
}

/// Sends until all is acked, over as many connections as that takes; a resend has the same name.
async fn sender(
    person: Person,
    room: RoomId,
    number: usize,
    counter: Arc<watch::Sender<Progress>>,
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
                Ok(Err(refused)) if refused.code == ErrorCode::Unavailable => {
                    counter.send_modify(|progress| progress.refused += 1);
                }
                Ok(Err(refused)) => bail!("{client_id}: {refused:?}"),
                Err(_) => socket = connected(&person).await?,
            }
        };
        acked.insert(client_id, ack.seq.0);
        counter.send_modify(|progress| progress.acked += 1);
    }
    Ok(acked)
}

/// Follows a room over as many connections as it takes, until it holds the last event.
async fn follower(
    person: Person,
    room: RoomId,
    mut last: watch::Receiver<Option<Seq>>,
) -> Result<BTreeMap<Seq, Event>> {
    let mut held = BTreeMap::new();
    loop {
        let mut socket = connected(&person).await?;
        let newest = held
            .last_key_value()
            .map(|(seq, event): (&Seq, &Event)| (*seq, event.id));
        let resume = json!({
            "type": "subscribe", "room": room,
            "after": newest.map(|(seq, _)| seq), "after_id": newest.map(|(_, id)| id),
        });
        match socket.ask(&resume).await {
            Ok(ServerFrame::Subscribed(subscribed)) => {
                if subscribed.reset {
                    held.clear();
                }
                held.extend(
                    subscribed
                        .events
                        .into_iter()
                        .map(|event| (event.seq, event)),
                );
            }
            Ok(ServerFrame::Error(error)) if error.code == ErrorCode::Unavailable => continue,
            Ok(other) => bail!("{other:?} instead of subscribed"),
            Err(_) => continue,
        }
        loop {
            let reached = held.last_key_value().map(|(seq, _)| *seq);
            if last.borrow().is_some_and(|last| reached >= Some(last)) {
                return Ok(held);
            }
            tokio::select! {
                changed = last.changed() => changed?,
                frame = socket.next() => match frame? {
                    Ok(ServerFrame::Event(event)) => drop(held.insert(event.seq, event)),
                    Ok(_) => {}
                    Err(_) => break,
                },
            }
        }
    }
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
