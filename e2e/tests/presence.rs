//! Who is on another coordinator is seen over HTTP, and goes offline with it, also when it dies.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use chatx_e2e::{Http, PATIENCE, Person};
use protocol::RoomId;
use testkit::{Chatx, Ground};
use tokio::time::{sleep, timeout};

/// Two coordinators, and handlers to ask.
struct Fleet {
    handlers: Chatx,
    one: Chatx,
    other: Chatx,
    ground: Ground,
}

impl Fleet {
    async fn start() -> Result<Self> {
        let ground = Ground::with_redis().await?;
        Ok(Self {
            one: ground.coordinator("one").start().await?,
            other: ground.coordinator("other").start().await?,
            handlers: ground.handlers().start().await?,
            ground,
        })
    }
}

/// What somebody sees of another, as a user and among the members of a room.
async fn seen(watcher: &Person, person: &Person, room: RoomId) -> Result<[String; 2]> {
    let ask = async |path: String| watcher.http.get(&path).await?.expect(200);
    let user = ask(format!("/v1/users/{}", person.id)).await?;
    let members = ask(format!("/v1/rooms/{room}/members")).await?;
    let member = members["members"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|member| member["user"]["id"] == person.id.to_string())
        .context("they are a member")?;
    let word = |presence: &serde_json::Value| presence.as_str().unwrap_or("none").to_owned();
    Ok([word(&user["presence"]), word(&member["presence"])])
}

/// Waits until both say the same; answers how long it took.
async fn until_seen(
    watcher: &Person,
    person: &Person,
    room: RoomId,
    state: &str,
) -> Result<Duration> {
    let begun = Instant::now();
    let mut last = [String::new(), String::new()];
    let seeing = async {
        while last != [state, state] {
            last = seen(watcher, person, room).await?;
            sleep(Duration::from_millis(50)).await;
        }
        anyhow::Ok(())
    };
    match timeout(PATIENCE, seeing).await {
        Ok(answer) => answer?,
        Err(_) => anyhow::bail!("{last:?} and not {state}"),
    }
    Ok(begun.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_people_of_a_killed_coordinator_go_offline_by_themselves() -> Result<()> {
    let mut fleet = Fleet::start().await?;
    let http = Http::new(fleet.handlers.address());
    let ada = Person::register(&http, "ada").await?;
    let eve = Person::register(&http, "eve").await?;
    let room = ada.create_room().await?;
    eve.join(room).await?;
    let adas = ada.at(&Http::new(fleet.one.address())).socket().await?;
    let _eves = eve.at(&Http::new(fleet.other.address())).socket().await?;
    until_seen(&eve, &ada, room, "online").await?;
    until_seen(&ada, &eve, room, "online").await?;

    fleet.one.kill_9()?;
    let took = until_seen(&eve, &ada, room, "offline").await?;
    println!("offline {took:.1?} after kill -9");
    assert_eq!(
        seen(&ada, &eve, room).await?,
        ["online", "online"],
        "whoever is on a node that lives stays"
    );
    drop(adas);

    // The node that takes its place does not bring them back; they do.
    fleet.one.restart().await?;
    assert_eq!(seen(&eve, &ada, room).await?, ["offline", "offline"]);
    let _adas = ada.at(&Http::new(fleet.one.address())).socket().await?;
    until_seen(&eve, &ada, room, "online").await?;

    // A Redis that comes back empty is told who is here.
    fleet.ground.redis().kill()?;
    fleet.ground.redis().start_again().await?;
    until_seen(&eve, &ada, room, "online").await?;
    until_seen(&ada, &eve, room, "online").await?;
    Ok(())
}
