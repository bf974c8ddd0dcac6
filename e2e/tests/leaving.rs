//! Somebody leaves for good, and the process dies while what they said is being taken away.

use anyhow::{Context as _, Result, ensure};
use chatx_e2e::{Ended, Http, PATIENCE, Person, on_each_engine};
use protocol::{RoomId, events::Event};
use serde_json::json;
use tokio::time::{Duration, sleep, timeout};

const MESSAGES: usize = 600;

/// A room's log as somebody reads it.
async fn log(person: &Person, room: RoomId) -> Result<Vec<Event>> {
    let mut log: Vec<Event> = Vec::new();
    loop {
        let after = log.last().map_or(0, |event| event.seq.0);
        let path = format!("/v1/rooms/{room}/events?after={after}&limit=200");
        let mut page = person.http.get(&path).await?.expect(200)?;
        let events: Vec<Event> = serde_json::from_value(page["events"].take())?;
        if events.is_empty() {
            return Ok(log);
        }
        log.extend(events);
    }
}

fn is_delete(event: &Event) -> bool {
    event.kind.as_str() == "delete"
}

/// Waits until all that was said is deleted.
async fn until_deleted(person: &Person, room: RoomId) -> Result<()> {
    let looked = timeout(PATIENCE, async {
        loop {
            let log = log(person, room).await?;
            if log.iter().filter(|event| is_delete(event)).count() >= MESSAGES {
                return anyhow::Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
    });
    looked.await.context("what was said is not deleted")?
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_said_is_taken_away_once_although_the_process_is_killed() -> Result<()> {
    on_each_engine(async |chatx| {
        let http = Http::new(chatx.address());
        let (ada, bob) = (
            Person::register(&http, "ada").await?,
            Person::register(&http, "bob").await?,
        );
        let room = bob.create_room().await?;
        ada.join(room).await?;
        let mut socket = ada.socket().await?;
        for number in 0..MESSAGES {
            let sent = socket.send(room, &number.to_string(), "a secret").await?;
            ensure!(sent.is_ok(), "{sent:?}");
        }
        let mut follower = bob.socket().await?;
        follower.subscribe(room, None).await?;
        let leave = json!({ "password": ada.password });
        ada.http
            .call(hyper::Method::DELETE, "/v1/users/me", Some(leave))
            .await?
            .expect(202)?;
        let ended = socket.until_ended().await?;
        ensure!(matches!(ended, Ended::Closed(4401)), "{ended:?}");

        // The first of many is gone: the rest is still to go.
        while !is_delete(&follower.event().await?) {}
        chatx.kill_9()?;
        chatx.restart().await?;
        let bob = bob.at(&Http::new(chatx.address()));
        until_deleted(&bob, room).await?;
        let log = log(&bob, room).await?;
        let deletes = log.iter().filter(|event| is_delete(event));
        ensure!(deletes.count() == MESSAGES, "each once");
        ensure!(!serde_json::to_string(&log)?.contains("secret"));
        Ok(())
    })
    .await
}
