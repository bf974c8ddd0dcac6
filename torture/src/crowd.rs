//! The people who use the system while it is being broken: who they are, which rooms they are in, and
//! in which way each of them is connected. What breaks is none of their business.

mod bare;
mod board;
mod door;
mod lasting;
mod person;
mod plain;

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use client::{Client, Random, Session, Settings};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use protocol::{
    RoomId,
    accounts::RegisterBody,
    rooms::{CreateRoomBody, JoinBody},
};
use tokio::{sync::watch, task::JoinSet, time::timeout};

pub(crate) use board::{Board, Phase, Signal};
use person::{Person, Room};

use crate::{
    chance::Chance as _,
    diary::{Diary, Place, Stopwatch},
};

/// How many there are, and how busy.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// How many people.
    pub(crate) clients: usize,
    /// How many rooms.
    pub(crate) rooms: usize,
    /// The time between two messages of one of them, on the average.
    pub(crate) pace: Duration,
    /// Decides what they do.
    pub(crate) seed: u64,
}

/// All of them.
pub(crate) struct Crowd {
    /// What is seen of them from outside.
    pub(crate) board: Arc<Board>,
    people: Vec<Arc<Person>>,
    rooms: Vec<Room>,
    /// The place where each talks HTTP to, if that is all that they do.
    places: Vec<Place>,
    signal: watch::Sender<Signal>,
    tasks: JoinSet<Diary>,
    random: Random,
    pace: Duration,
}

/// Each is in so many rooms.
const ROOMS_EACH: usize = 4;
/// So many are made ready at once: hashing a password takes a core.
const AT_ONCE: usize = 8;
/// How long the last answers may take once everything works again.
const LAST_ANSWERS: Duration = Duration::from_secs(60);

impl Crowd {
    /// Makes accounts and rooms, and lets everybody in. `handlers` are names and urls.
    ///
    /// # Errors
    /// When the system refuses it.
    pub(crate) async fn gather(
        wanted: &Wanted,
        handlers: &[(String, String)],
        stopwatch: Stopwatch,
    ) -> Result<Self> {
        let random = Random::seeded(wanted.seed);
        // Names are free only once, and a system may be used for several runs.
        let run = format!("{:08x}", Random::system().bits() & 0xFFFF_FFFF);
        let numbers = stream::iter(0..wanted.clients);
        let sessions: Vec<Session> = numbers
            .map(|number| {
                let (_, url) = &handlers[number % handlers.len()];
                register(url, &run, number, &random)
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let mut rooms = make_rooms(&sessions, wanted.rooms, &run).await?;
        let theirs = share(&mut rooms, sessions.len(), &random);
        let_in(&rooms, &sessions).await?;

        let board = Arc::new(Board::new(stopwatch));
        let (signal, watched) = watch::channel(Signal::default());
        let people: Vec<_> = sessions
            .into_iter()
            .zip(theirs)
            .enumerate()
            .map(|(number, (session, rooms))| {
                Arc::new(Person {
                    number,
                    session,
                    rooms,
                    run: run.clone(),
                    random: Random::seeded(random.bits()),
                    board: Arc::clone(&board),
                    signal: watched.clone(),
                    pace: wanted.pace,
                })
            })
            .collect();
        let plain = people
            .iter()
            .filter(|person| Manner::of(person.number) == Manner::Plain);
        let places = plain
            .map(|person| Place {
                client: person.number,
                since: stopwatch.now(),
                node: Some(handlers[person.number % handlers.len()].0.clone()),
            })
            .collect();
        Ok(Self {
            board,
            people,
            rooms,
            places,
            signal,
            tasks: JoinSet::new(),
            random,
            pace: wanted.pace,
        })
    }

    /// The rooms.
    pub(crate) fn rooms(&self) -> Vec<RoomId> {
        self.rooms.iter().map(|room| room.id).collect()
    }

    /// How many of them have a socket, when all are there.
    pub(crate) fn sockets(&self) -> usize {
        let people = self.people.iter();
        people
            .filter(|person| Manner::of(person.number) != Manner::Plain)
            .count()
    }

    /// Everybody begins.
    pub(crate) fn start(&mut self) {
        for person in &self.people {
            let person = Arc::clone(person);
            match Manner::of(person.number) {
                Manner::Lasting => self.tasks.spawn(lasting::live(person, false)),
                Manner::Restless => self.tasks.spawn(lasting::live(person, true)),
                Manner::Bare => self.tasks.spawn(bare::live(person)),
                Manner::Plain => self.tasks.spawn(plain::live(person)),
            };
        }
        let (people, rooms) = (self.people.clone(), self.rooms.clone());
        let random = Random::seeded(self.random.bits());
        let (signal, board) = (self.signal.subscribe(), Arc::clone(&self.board));
        self.tasks
            .spawn(door::keep(people, rooms, random, signal, board, self.pace));
    }

    /// Everybody writes something now, so that it is seen how soon that goes through.
    pub(crate) fn probe(&self) {
        self.signal.send_modify(|signal| signal.probes += 1);
    }

    /// Everybody who minds their own socket drops it.
    pub(crate) fn stampede(&self) {
        self.signal.send_modify(|signal| signal.stampedes += 1);
    }

    /// Nobody writes any more. Waits until everything is answered and everybody is back in their
    /// rooms; false when that takes too long.
    pub(crate) async fn quiet(&self) -> bool {
        self.signal
            .send_modify(|signal| signal.phase = Phase::Quiet);
        timeout(LAST_ANSWERS, self.board.until_settled())
            .await
            .is_ok()
    }

    /// Everybody goes home, and what they wrote down is collected.
    pub(crate) async fn leave(mut self) -> Diary {
        self.signal.send_modify(|signal| signal.phase = Phase::Over);
        let mut diary = Diary {
            people: self
                .people
                .iter()
                .map(|person| person.session.user())
                .collect(),
            places: std::mem::take(&mut self.places),
            ..Diary::default()
        };
        while let Some(theirs) = self.tasks.join_next().await {
            diary.extend(theirs.expect("no client panics"));
        }
        diary.sends.sort_by_key(|sent| sent.begun);
        diary
    }
}

/// In which way somebody is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// By `clients/rust`, as programs are.
    Lasting,
    /// By `clients/rust`, in a program that is started again all the time.
    Restless,
    /// By a socket whose every frame is written down as it comes: what the server promises is not
    /// mended by a client.
    Bare,
    /// By HTTP alone.
    Plain,
}

impl Manner {
    const fn of(number: usize) -> Self {
        match number % 10 {
            1 | 5 | 8 => Self::Bare,
            3 => Self::Plain,
            6 => Self::Restless,
            _ => Self::Lasting,
        }
    }
}

/// The rooms, each with its owner alone.
async fn make_rooms(sessions: &[Session], count: usize, run: &str) -> Result<Vec<Room>> {
    let mut rooms = Vec::new();
    for number in 0..count {
        let owner = number % sessions.len();
        let body = CreateRoomBody {
            name: Some(format!("torture {run} {number}")),
            topic: None,
            visibility: None,
            password: None,
            max_members: None,
            history: None,
        };
        let made = sessions[owner].create_room(&body).await;
        rooms.push(Room {
            id: made.context("cannot make a room")?.id,
            owner,
            members: vec![owner],
        });
    }
    Ok(rooms)
}

/// Says who belongs where, and answers it by person.
fn share(rooms: &mut [Room], people: usize, random: &Random) -> Vec<Vec<RoomId>> {
    let mut shared = vec![Vec::new(); people];
    for room in rooms.iter() {
        shared[room.owner].push(room.id);
    }
    for (number, theirs) in shared.iter_mut().enumerate() {
        let mut order: Vec<usize> = (0..rooms.len()).collect();
        random.mix(&mut order);
        for index in order {
            let room = &mut rooms[index];
            if theirs.len() < ROOMS_EACH && !theirs.contains(&room.id) {
                theirs.push(room.id);
                room.members.push(number);
            }
        }
    }
    shared
}

/// Lets everybody into their rooms.
async fn let_in(rooms: &[Room], sessions: &[Session]) -> Result<()> {
    let joins = rooms.iter().flat_map(|room| {
        let strangers = room.members.iter().filter(|member| **member != room.owner);
        strangers.map(|member| (room.id, sessions[*member].clone()))
    });
    stream::iter(joins)
        .map(|(room, session)| async move {
            let joined = session.join(room, &JoinBody::default()).await;
            joined.map(drop).context("cannot join a room")
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

async fn register(url: &str, run: &str, number: usize, random: &Random) -> Result<Session> {
    let settings = Settings {
        ping_every: Duration::from_secs(1),
        answer_within: Duration::from_secs(3),
        ready_within: Duration::from_secs(3),
        request_within: Duration::from_secs(5),
        backoff_most: Duration::from_secs(2),
        complete: true,
        random: Random::seeded(random.bits()),
        ..Settings::default()
    };
    let client = Client::with(url, settings)?;
    let body = RegisterBody {
        username: Some(format!("t{run}-{number}")),
        email: Some(format!("t{run}-{number}@torture.invalid")),
        password: Some(format!("nobody guesses {run} {number}")),
        display_name: None,
    };
    client.register(&body).await.context("cannot register")
}
