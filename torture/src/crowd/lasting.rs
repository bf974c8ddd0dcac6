//! People who are connected by `clients/rust`. Restless ones end the program and start it again, over
//! and over, and remember what had no answer; all change their minds about what they follow.

use std::{sync::Arc, time::Duration};

use client::{Connection, Delivery, Draft, Ended, Error, RoomEnded, Start, Status};
use protocol::{RoomId, Seq, text::ClientId};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    board::Phase,
    person::{AGAIN, Person, Reached, Words, is_outside},
};
use crate::{
    chance::Chance as _,
    diary::{Diary, End, Item, KeptBy, Outcome, Place, Way},
};

/// The connection of the moment.
type Current = watch::Receiver<Option<Connection>>;

/// How long a restless program runs.
const LIFE: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(12)];
/// How long it waits for its last acks.
const GOODBYE: Duration = Duration::from_secs(1);
/// Whoever has so many messages without an answer writes no more of them.
const UNANSWERED_MAX: usize = 64;
/// Of so many thousand events, one makes somebody follow the room anew.
const ANEW_EVERY: usize = 1_000;

/// Takes part until it is over.
pub(super) async fn live(person: Arc<Person>, is_restless: bool) -> Diary {
    let (connections, current) = watch::channel(None);
    let mut tasks = JoinSet::new();
    for room in person.rooms.clone() {
        tasks.spawn(follow(Arc::clone(&person), room, current.clone()));
    }
    tasks.spawn(speak(Arc::clone(&person), current));
    let mut diary = Diary::default();
    while person.phase() < Phase::Over {
        let connection = person.session.connect();
        connections.send_replace(Some(connection.clone()));
        let life = person.random.span(LIFE[0], LIFE[1]);
        let ended = tokio::select! {
            ended = watch_over(&person, &connection, &mut diary) => Some(ended),
            () = person.until(Phase::Over) => None,
            () = sleep(life), if is_restless && person.phase() == Phase::Busy => None,
        };
        if let Some(ended) = ended {
            person.failed(&mut diary, "connection", &ended);
            sleep(person.random.span(AGAIN[0], AGAIN[1])).await;
        }
        if person.phase() < Phase::Over {
            connections.send_replace(None);
            // What has no answer is sent again by the next life of the program.
            let _ = connection.close(GOODBYE).await;
        }
    }
    drop(connections);
    while let Some(theirs) = tasks.join_next().await {
        diary.extend(theirs.expect("no client panics"));
    }
    diary
}

/// Writes down where the socket is, until the connection is over.
async fn watch_over(person: &Person, connection: &Connection, diary: &mut Diary) -> Ended {
    let mut count = Live(person, false);
    let mut status = connection.status();
    loop {
        let (node, ended) = match &*status.borrow_and_update() {
            Status::Live { node, .. } => (Some(node.clone()), None),
            Status::Ended(ended) => (None, Some(ended.clone())),
            _ => (None, None),
        };
        count.is(node.is_some());
        diary.places.push(Place {
            client: person.number,
            since: person.board.now(),
            node,
        });
        if let Some(ended) = ended {
            return ended;
        }
        if status.changed().await.is_err() {
            return Ended::Closed;
        }
    }
}

/// Counts a live socket, until this is dropped.
struct Live<'a>(&'a Person, bool);

impl Live<'_> {
    fn is(&mut self, live: bool) {
        let step = i64::from(live) - i64::from(self.1);
        let live_sockets = &self.0.board.live;
        live_sockets.fetch_add(step, std::sync::atomic::Ordering::Relaxed);
        self.1 = live;
    }
}

impl Drop for Live<'_> {
    fn drop(&mut self) {
        self.is(false);
    }
}

/// Writes down everything of one room.
async fn follow(person: Arc<Person>, room: RoomId, mut current: Current) -> Diary {
    let mut diary = Diary::default();
    let mut reached: Reached = (Seq::ZERO, None);
    person.board.reached(person.number, room, Seq::ZERO);
    while person.phase() < Phase::Over {
        let Some(connection) = connected(&mut current).await else {
            break;
        };
        let (after, id) = reached;
        let Ok(mut events) = connection.room(room).events(Start::After(after, id)).await else {
            if current.changed().await.is_err() {
                break;
            }
            continue;
        };
        let mut stream = person.stream(room, KeptBy::Client, after);
        loop {
            let delivery = tokio::select! {
                biased;
                () = person.until(Phase::Over) => break,
                delivery = events.next() => delivery,
            };
            match delivery {
                Some(Delivery::Event(event)) => {
                    reached = (event.seq, Some(event.id));
                    person.hears(&mut stream, &event);
                    let is_anew =
                        person.phase() == Phase::Busy && person.random.below(ANEW_EVERY) == 0;
                    if is_anew {
                        stream.end = End::Left;
                        break;
                    }
                }
                Some(Delivery::Reset { head }) => stream.items.push(Item::Reset(head)),
                Some(Delivery::Ended(why)) => {
                    stream.end = end(why);
                    break;
                }
                Some(_) => {}
                None => break,
            }
        }
        let end = stream.end.clone();
        diary.streams.push(stream);
        match end {
            End::Open | End::Left => {}
            End::Refused(code) if !is_outside(code) => {
                person.failed(&mut diary, "follow", &format_args!("{code:?}"));
                sleep(person.random.span(AGAIN[0], AGAIN[1])).await;
            }
            End::Unsubscribed(_) | End::Refused(_) => person.comes_again(room, &mut diary).await,
            // The connection is over, which is written down where that is seen.
            End::Broken(_) => drop(timeout(AGAIN[1], current.changed()).await),
        }
    }
    diary
}

fn end(why: RoomEnded) -> End {
    match why {
        RoomEnded::Unsubscribed(reason) => End::Unsubscribed(reason),
        RoomEnded::Refused(refusal) => End::Refused(refusal.detail.code),
        RoomEnded::Connection(Ended::Closed) | RoomEnded::Replaced => End::Left,
        other => End::Broken(other.to_string()),
    }
}

/// The connection of the moment, or the next one; nothing once it is over.
async fn connected(current: &mut Current) -> Option<Connection> {
    let found = current.wait_for(Option::is_some).await.ok()?;
    found.clone()
}

/// Writes messages, and sees to it that each is answered.
async fn speak(person: Arc<Person>, current: Current) -> Diary {
    let mut diary = Diary::default();
    let mut signal = person.signal.clone();
    let mut said = JoinSet::new();
    let mut count = 0;
    person.board.unsettle();
    while person.turn(&mut signal).await {
        while let Some(theirs) = said.try_join_next() {
            diary.extend(Result::expect(theirs, "no client panics"));
        }
        if said.len() >= UNANSWERED_MAX {
            continue;
        }
        if let Some(words) = person.words(&mut count) {
            said.spawn(say(Arc::clone(&person), words, current.clone()));
        }
        idle(&person, &current).await;
    }
    person.board.settle();
    while let Some(theirs) = said.join_next().await {
        diary.extend(theirs.expect("no client panics"));
    }
    diary
}

/// Says one thing, over as many lives of the program as that takes.
async fn say(person: Arc<Person>, words: Words, mut current: Current) -> Diary {
    let mut diary = Diary::default();
    let mut sent = person.gives(&words, Way::Socket);
    let name = ClientId::parse(&words.name).expect("a number is printable and short");
    let outcome = loop {
        let saying = async {
            let connection = connected(&mut current).await?;
            let draft = Draft::new(words.body.as_str()).named(name.clone());
            Some(connection.room(words.room).send(draft).await)
        };
        let answer = tokio::select! {
            biased;
            answer = saying => answer,
            () = person.until(Phase::Over) => None,
        };
        match answer {
            None => break Outcome::Unanswered,
            Some(Ok(ack)) => break person.acked(ack.seq),
            Some(Err(Error::Refused(refusal))) => {
                let code = refusal.detail.code;
                if !is_outside(code) {
                    person.failed(&mut diary, "send", &refusal);
                }
                break Outcome::Refused(code, person.board.now());
            }
            // The connection ended: the next one is asked once it is there.
            Some(Err(_)) => drop(timeout(AGAIN[1], current.changed()).await),
        }
    };
    if let Outcome::Acked { seq, .. } = outcome {
        diary.changes.extend(person.reconsider(&words, seq).await);
    }
    person.answered(&mut sent, outcome);
    diary.sends.push(sent);
    diary
}

/// What people do beside writing; all of it may be lost.
async fn idle(person: &Person, current: &Current) {
    let connection = current.borrow().clone();
    let (Some(connection), Some(room)) = (connection, person.random.pick(&person.rooms)) else {
        return;
    };
    let room = connection.room(*room);
    // What fails here is lost, as it may be.
    let _ = match person.random.below(20) {
        0 => room.typing(true).await,
        1 => room.typing(false).await,
        _ => Ok(()),
    };
}
