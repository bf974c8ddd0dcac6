//! Sixteen people who cannot sit still. Ten seconds of them by default; `CHATX_TEST_CHURN_S` says how
//! many others.

use std::{
    env,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail};
use chatx_e2e::{Http, Person, Socket, on_each_engine, unique};
use protocol::{ErrorCode, RoomId, Seq, frame::ServerFrame};
use serde_json::json;
use testkit::Chatx;
use tokio::task::JoinSet;

const PEOPLE: u64 = 16;
const ROOMS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn churn_deadlocks_nothing() -> Result<()> {
    let seconds = env::var("CHATX_TEST_CHURN_S")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(10);
    let seed = env::var("CHATX_TEST_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0x5eed);
    eprintln!("CHATX_TEST_SEED={seed} for {seconds} s in all");
    on_each_engine(async |chatx| {
        let done = churned(chatx, Duration::from_secs(seconds) / 2, seed).await?;
        eprintln!("{done}");
        Ok(())
    })
    .await
}

/// How much was done.
async fn churned(chatx: &Chatx, span: Duration, seed: u64) -> Result<String> {
    let http = Http::new(chatx.address());
    let owner = Person::register(&http, "owner").await?;
    let mut rooms = Vec::new();
    for _ in 0..ROOMS {
        rooms.push(owner.create_room().await?);
    }
    let mut people = JoinSet::new();
    for number in 0..PEOPLE {
        let person = Person::register(&http, "restless").await?;
        let chance = Chance(
            seed.wrapping_add(number)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                | 1,
        );
        people.spawn(restless(person, rooms.clone(), chance, span));
    }
    let (mut acts, mut acked) = (0, Vec::new());
    while let Some(ended) = people.join_next().await {
        let (done, sent) = ended??;
        acts += done;
        acked.extend(sent);
    }
    // Everybody is answered, and the log is whole: dense, and with every acked message at its place.
    let mut socket = owner.socket().await?;
    for room in rooms {
        let subscribed = socket.subscribe(room, None).await?;
        let history = owner.history(room).await?;
        for (_, seq) in acked.iter().filter(|(of, _)| *of == room) {
            history
                .binary_search_by_key(seq, |message| message.seq)
                .map_err(|_| anyhow!("{seq} is not stored"))?;
        }
        let sent = socket
            .send(room, "at last", "quiet")
            .await?
            .map_err(|error| anyhow!("{error:?}"))?;
        assert_eq!(sent.seq, subscribed.head.next());
    }
    Ok(format!("{acts} acts, {} messages", acked.len()))
}

/// A generator of chances, small and repeatable.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap_or(0)
    }
}

/// Does one thing after another until the span is over: how many, and which messages were acked.
async fn restless(
    person: Person,
    rooms: Vec<RoomId>,
    mut chance: Chance,
    span: Duration,
) -> Result<(usize, Vec<(RoomId, Seq)>)> {
    let start = Instant::now();
    let mut socket = person.socket().await?;
    let (mut acts, mut acked) = (0, Vec::new());
    while start.elapsed() < span {
        let room = rooms[chance.below(rooms.len())];
        let act = chance.below(10);
        match act {
            0 => drop(std::mem::replace(&mut socket, person.socket().await?)),
            1 => {
                let before = std::mem::replace(&mut socket, person.socket().await?);
                before.close().await?;
            }
            2 => settle(&mut socket, &json!({"type": "join", "room": room})).await?,
            3 => settle(&mut socket, &json!({"type": "leave", "room": room})).await?,
            4 => over_http(&person, room).await?,
            5 => settle(&mut socket, &json!({"type": "subscribe", "room": room})).await?,
            6 => settle(&mut socket, &json!({"type": "unsubscribe", "room": room})).await?,
            _ => match socket.send(room, &unique("m"), "restless").await {
                Ok(Ok(ack)) => acked.push((room, ack.seq)),
                Ok(Err(refused)) if refused.code == ErrorCode::NotAMember => {}
                Ok(Err(refused)) => bail!("{refused:?}"),
                Err(error) => return Err(error),
            },
        }
        acts += 1;
    }
    Ok((acts, acked))
}

/// Any answer will do, as long as it is one of those that people meet.
async fn settle(socket: &mut Socket, frame: &serde_json::Value) -> Result<()> {
    if let ServerFrame::Error(error) = socket.ask(frame).await? {
        let is_met = matches!(error.code, ErrorCode::NotAMember | ErrorCode::Conflict);
        anyhow::ensure!(is_met, "{frame}: {error:?}");
    }
    Ok(())
}

async fn over_http(person: &Person, room: RoomId) -> Result<()> {
    let door = format!("/v1/rooms/{room}/members");
    let joined = person.http.post(&door, json!({})).await?;
    anyhow::ensure!([200, 201].contains(&joined.status), "{}", joined.body);
    let left = person.http.delete(&format!("{door}/me")).await?;
    anyhow::ensure!([204, 403].contains(&left.status), "{}", left.body);
    person
        .http
        .get("/v1/users/me/rooms")
        .await?
        .expect(200)
        .context("one's own rooms")
        .map(drop)
}
