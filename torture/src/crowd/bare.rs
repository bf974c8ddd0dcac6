//! People with a bare socket: every frame is written down as it comes, and nothing is mended here, so
//! that what the server promises of a socket is seen. They resume where a socket was lost, resend what
//! had no ack, and at times drop a socket, go back a few events, or say a thing twice, on purpose.

mod talk;

use std::{collections::HashMap, future::pending, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use futures_util::{SinkExt as _, StreamExt as _, future::BoxFuture};
use protocol::{RoomId, Seq, frame::ServerFrame};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Message,
        client::IntoClientRequest as _,
        http::{HeaderValue, header},
    },
};

use super::{
    board::Phase,
    person::{AGAIN, Person, Words},
};
use crate::{
    chance::Chance as _,
    diary::{Diary, End, Place, Sent, Stream, Way},
};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A socket that is not ready or says nothing for so long is given up.
const PATIENCE: Duration = Duration::from_secs(3);
const PING_EVERY: Duration = Duration::from_secs(1);
/// How long a socket is kept before it is dropped on purpose.
const LIFE: [Duration; 2] = [Duration::from_secs(8), Duration::from_secs(90)];
/// Every so often a room is subscribed to anew, from a few events back.
const ANEW: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(20)];
/// Whoever has so many messages without an ack writes no more of them.
const UNACKED_MAX: usize = 64;

/// Takes part until it is over.
pub(super) async fn live(person: Arc<Person>) -> Diary {
    let mut talker = Talker {
        reached: person.rooms.iter().map(|room| (*room, Seq::ZERO)).collect(),
        asked: HashMap::new(),
        streams: HashMap::new(),
        unacked: Vec::new(),
        twice: None,
        errands: JoinSet::new(),
        diary: Diary::default(),
        asks: 0,
        count: 0,
        is_writing: true,
        person,
    };
    talker.person.board.unsettle();
    for room in &talker.person.rooms {
        let board = &talker.person.board;
        board.reached(talker.person.number, *room, Seq::ZERO);
    }
    while talker.person.phase() < Phase::Over {
        if let Err(error) = talker.one_socket().await {
            let person = Arc::clone(&talker.person);
            person.failed(&mut talker.diary, "socket", &error);
        }
        talker.lose();
        if talker.person.phase() < Phase::Over {
            sleep(talker.person.random.span(AGAIN[0], AGAIN[1])).await;
        }
    }
    talker.end()
}

/// One person over all their sockets.
struct Talker {
    person: Arc<Person>,
    /// The last event of each room.
    reached: HashMap<RoomId, Seq>,
    /// What was asked to follow a room, by its name: which one, and from where.
    asked: HashMap<String, (RoomId, Seq)>,
    streams: HashMap<RoomId, Stream>,
    /// What has no ack, in order.
    unacked: Vec<(Words, Sent)>,
    /// Something that was acked and is to be said again.
    twice: Option<Words>,
    /// Rooms to ask for in a while, some after having been away.
    errands: JoinSet<(Errand, Diary)>,
    diary: Diary,
    asks: u64,
    count: u64,
    /// Until it is noticed that nobody writes any more.
    is_writing: bool,
}

/// What is done next, after a while.
enum Errand {
    /// Ask for a room.
    Follow(RoomId),
    /// Send again what has this name.
    Send(String),
    /// Nothing.
    None,
}

impl Talker {
    /// One socket, from its ticket to its loss.
    async fn one_socket(&mut self) -> Result<()> {
        let person = Arc::clone(&self.person);
        let opening = timeout(PATIENCE, open(Arc::clone(&person)));
        let (mut socket, node) = tokio::select! {
            opened = opening => opened.context("it is not ready in time")??,
            () = person.until(Phase::Over) => return Ok(()),
        };
        self.place(Some(node));
        self.person
            .board
            .live
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let left = self.talk(&mut socket).await;
        self.person
            .board
            .live
            .fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
        self.place(None);
        left
    }

    async fn talk(&mut self, socket: &mut Socket) -> Result<()> {
        let person = Arc::clone(&self.person);
        for room in person.rooms.clone() {
            self.follow(socket, room, 0).await?;
        }
        for frame in self
            .unacked
            .iter()
            .map(|(words, _)| frame(words))
            .collect::<Vec<_>>()
        {
            say(socket, frame).await?;
        }
        let stampedes = person.signal.borrow().stampedes;
        let mut pings = interval(PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let life = sleep(person.random.span(LIFE[0], LIFE[1]));
        let anew = sleep(person.random.span(ANEW[0], ANEW[1]));
        tokio::pin!(life, anew);
        let mut heard = Instant::now();
        let mut turn = next_turn(&person);
        loop {
            tokio::select! {
                biased;
                () = person.until(Phase::Over) => return Ok(()),
                message = socket.next() => {
                    heard = Instant::now();
                    match message.context("it ended")?? {
                        Message::Text(text) => self.hear(&text)?,
                        Message::Close(why) => bail!("closed by the server: {why:?}"),
                        _ => {}
                    }
                }
                is_busy = &mut turn => {
                    if is_busy {
                        self.speak(socket).await?;
                        turn = next_turn(&person);
                    } else {
                        self.writes_no_more();
                        turn = Box::pin(pending());
                    }
                }
                Some(done) = self.errands.join_next() => {
                    let (errand, theirs) = done.expect("no client panics");
                    self.diary.extend(theirs);
                    self.run(socket, errand).await?;
                }
                () = person.until_stampede(stampedes) => return Ok(()),
                _ = pings.tick() => {
                    if heard.elapsed() > PATIENCE {
                        bail!("it is silent");
                    }
                    say(socket, json!({"type": "ping"})).await?;
                }
                () = &mut life, if person.phase() == Phase::Busy => return Ok(()),
                () = &mut anew, if person.phase() == Phase::Busy => {
                    let back = u64::try_from(person.random.below(30)).unwrap_or(0);
                    if let Some(room) = person.random.pick(&person.rooms) {
                        self.follow(socket, *room, back).await?;
                    }
                    anew.as_mut().reset(Instant::now() + person.random.span(ANEW[0], ANEW[1]));
                }
            }
        }
    }

    /// Asks for a room, from `back` events before its last one.
    async fn follow(&mut self, socket: &mut Socket, room: RoomId, back: u64) -> Result<()> {
        let last = self.reached.get(&room).copied().unwrap_or_default();
        let after = Seq(last.0.saturating_sub(back));
        self.asks += 1;
        let id = format!("s{}", self.asks);
        let frame = json!({"type": "subscribe", "id": id, "room": room, "after": after});
        self.asked.insert(id, (room, after));
        say(socket, frame).await
    }

    /// Writes something, or says something again.
    async fn speak(&mut self, socket: &mut Socket) -> Result<()> {
        let words = match self.twice.take() {
            Some(words) => words,
            None if self.unacked.len() >= UNACKED_MAX => return Ok(()),
            None => match self.person.words(&mut self.count) {
                Some(words) => words,
                None => return Ok(()),
            },
        };
        let sent = self.person.gives(&words, Way::Socket);
        let frame = frame(&words);
        self.unacked.push((words, sent));
        say(socket, frame).await
    }

    async fn run(&mut self, socket: &mut Socket, errand: Errand) -> Result<()> {
        match errand {
            Errand::Follow(room) => self.follow(socket, room, 0).await,
            Errand::Send(name) => {
                let mut unacked = self.unacked.iter();
                match unacked.find(|(words, _)| words.name == name) {
                    Some((words, _)) => say(socket, frame(words)).await,
                    None => Ok(()),
                }
            }
            Errand::None => Ok(()),
        }
    }

    fn writes_no_more(&mut self) {
        if std::mem::take(&mut self.is_writing) {
            self.person.board.settle();
        }
    }

    /// The socket is gone, and with it what came over it.
    fn lose(&mut self) {
        self.asked.clear();
        let is_over = self.person.phase() == Phase::Over;
        for (_, mut stream) in self.streams.drain() {
            stream.end = if is_over { End::Open } else { End::Left };
            self.diary.streams.push(stream);
        }
    }

    fn place(&mut self, node: Option<String>) {
        self.diary.places.push(Place {
            client: self.person.number,
            since: self.person.board.now(),
            node,
        });
    }

    fn end(mut self) -> Diary {
        self.writes_no_more();
        for (_, mut sent) in std::mem::take(&mut self.unacked) {
            self.person
                .answered(&mut sent, crate::diary::Outcome::Unanswered);
            self.diary.sends.push(sent);
        }
        self.diary
    }
}

/// Somebody's turn to write; a turn that has begun is waited for whatever comes in between.
fn next_turn(person: &Arc<Person>) -> BoxFuture<'static, bool> {
    let person = Arc::clone(person);
    Box::pin(async move {
        let mut signal = person.signal.clone();
        person.turn(&mut signal).await
    })
}

/// A socket with its first frame behind it, and the name of its node.
async fn open(person: Arc<Person>) -> Result<(Socket, String)> {
    let ticket = person.session.socket_ticket(None).await?;
    let mut request = format!("{}?ticket={}", ticket.url, ticket.ticket).into_client_request()?;
    request.headers_mut().insert(
        header::SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_static(protocol::frame::SUBPROTOCOL),
    );
    let (mut socket, _) = connect_async(request).await?;
    loop {
        match socket.next().await.context("it ended")?? {
            Message::Text(text) => match serde_json::from_str(&text)? {
                ServerFrame::Ready(ready) => return Ok((socket, ready.node)),
                _ => bail!("its first frame is not ready"),
            },
            Message::Close(why) => bail!("closed by the server: {why:?}"),
            _ => {}
        }
    }
}

fn frame(words: &Words) -> Value {
    let Words { room, name, body } = words;
    json!({"type": "send", "id": name, "room": room, "client_id": name, "body": body})
}

async fn say(socket: &mut Socket, frame: Value) -> Result<()> {
    let text = frame.to_string();
    let sent = timeout(PATIENCE, socket.send(Message::text(text))).await;
    Ok(sent.context("it takes nothing")??)
}
