//! What a running stack should be able to do: two people talk through the load balancer while a
//! coordinator and one of the handlers are killed and started again.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use protocol::RoomId;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::Stack;
use crate::{Http, PATIENCE, Person, Socket, unique};

/// Sends over HTTP while one of the handlers is gone; with those before, fewer than one person may send
/// at once.
const SENDS: usize = 12;

/// Two people in a room.
struct Talk {
    room: RoomId,
    ada: Person,
    eve: Person,
}

/// Lets them talk at `address`, and kills what they talk through.
///
/// # Errors
/// When anything is not as it should be.
pub async fn converse(stack: &mut Stack, address: &str, say: impl Fn(&str)) -> Result<()> {
    let http = Http::new(address);
    let page = page(&http).await?;
    ensure!(
        page.as_str().unwrap_or_default().contains("<html"),
        "no page at /"
    );
    ensure!(
        http.get("/metrics").await?.status == 404,
        "metrics are not for clients"
    );
    let ada = Person::register(&http, "ada").await?;
    let eve = Person::register(&http, "eve").await?;
    let room = ada.create_room().await?;
    eve.join(room).await?;
    let talk = Talk { room, ada, eve };
    say("two people registered, and met in a room");

    let mut of_ada = socket(&talk.ada).await?;
    of_ada.subscribe(room, None).await?;
    let mut of_eve = socket_elsewhere(&talk.eve, &of_ada.ready.node).await?;
    of_eve.subscribe(room, None).await?;
    let (first, second) = (of_ada.ready.node.clone(), of_eve.ready.node.clone());
    say(&format!("their sockets are on {first} and {second}"));
    talk.both_ways(&mut of_ada, &mut of_eve).await?;
    say("messages from a socket and over HTTP reached both");

    stack.kill(&first).await?;
    say(&format!("{first} is killed"));
    of_ada.until_ended().await?;
    let after = talk.say(&mut of_eve, "are you there?").await?;
    let mut of_ada = socket(&talk.ada).await?;
    let missed = of_ada.subscribe(room, Some(after - 1)).await?;
    ensure!(
        !missed.reset && missed.head.0 == after,
        "the resume is not complete"
    );
    let back = of_ada.ready.node.clone();
    say(&format!(
        "the lost socket came back, to {back}, and missed nothing"
    ));
    talk.both_ways(&mut of_ada, &mut of_eve).await?;

    stack.kill("handlers-1").await?;
    say("handlers-1 is killed");
    for _ in 0..SENDS {
        talk.over_http("by the other handlers").await?;
    }
    let told = hear(&mut of_ada, SENDS).await? == hear(&mut of_eve, SENDS).await?;
    ensure!(told, "they heard different things");
    say(&format!("{SENDS} messages over HTTP, none refused"));

    stack.restart(&first, &say).await?;
    stack.restart("handlers-1", &say).await?;
    say(&format!(
        "{first} and handlers-1 are started again, and well"
    ));
    talk.both_ways(&mut of_ada, &mut of_eve).await?;
    let history = talk.ada.history(room).await?;
    ensure!(
        history.len() == 3 * 2 + 1 + SENDS,
        "{} messages are stored",
        history.len()
    );
    Ok(())
}

/// The page at `/`, once the load balancer answers: it has no check that an engine would wait for.
async fn page(http: &Http) -> Result<Value> {
    let asking = async {
        loop {
            match http.get("/").await {
                Ok(answer) => return answer.expect(200),
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    };
    let page = timeout(PATIENCE, asking).await;
    page.context("the load balancer does not answer")?
}

impl Talk {
    /// A message from Ada's socket and one of Eve's over HTTP; both must reach both.
    async fn both_ways(&self, of_ada: &mut Socket, of_eve: &mut Socket) -> Result<()> {
        let by_socket = self.say(of_ada, "Milk first?").await?;
        ensure!(
            hear(of_eve, 1).await? == [by_socket],
            "the socket's message"
        );
        let by_http = self.over_http("Tea first, always.").await?;
        for socket in [of_ada, of_eve] {
            ensure!(hear(socket, 1).await? == [by_http], "the message over HTTP");
        }
        Ok(())
    }

    /// A message by socket, which its sender hears too; its place.
    async fn say(&self, socket: &mut Socket, body: &str) -> Result<u64> {
        let answer = socket.send(self.room, &unique("m"), body).await?;
        let ack = answer.map_err(|error| anyhow!("{error:?}"))?;
        ensure!(hear(socket, 1).await? == [ack.seq.0], "its own message");
        Ok(ack.seq.0)
    }

    /// A message over HTTP; its place.
    async fn over_http(&self, body: &str) -> Result<u64> {
        let path = format!("/v1/rooms/{}/messages", self.room);
        let sent = self.eve.http.post(&path, json!({ "body": body })).await?;
        sent.expect(201)?["seq"].as_u64().context("a place")
    }
}

/// The places of the next messages.
async fn hear(socket: &mut Socket, count: usize) -> Result<Vec<u64>> {
    let mut heard = Vec::new();
    while heard.len() < count {
        let event = socket.event().await?;
        if event.kind.as_str() == "message" {
            heard.push(event.seq.0);
        }
    }
    Ok(heard)
}

/// A socket where the handlers send people: to the load balancer.
async fn socket(person: &Person) -> Result<Socket> {
    let answer = person.http.post("/v1/socket", json!({})).await?;
    let invited = answer.expect(201)?;
    let (url, ticket) = (invited["url"].as_str(), invited["ticket"].as_str());
    let (url, ticket) = (url.context("a url")?, ticket.context("a ticket")?);
    Socket::open(crate::request(&format!("{url}?ticket={ticket}"))?).await
}

/// One that the load balancer puts on another node. It evens out their number, so each try is elsewhere
/// as long as the ones before it are open.
async fn socket_elsewhere(person: &Person, node: &str) -> Result<Socket> {
    let mut tried = Vec::new();
    for _ in 0..3 {
        let socket = socket(person).await?;
        if socket.ready.node != node {
            return Ok(socket);
        }
        tried.push(socket);
    }
    Err(anyhow!("the load balancer knows no node but {node}"))
}
