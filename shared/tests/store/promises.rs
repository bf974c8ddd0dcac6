//! What holds while many write at once through two stores, change who is in, resend, and are cut off in
//! the middle: I1 dense, I2 unique, I3 durable, I7 real time, I9 a kick holds from its place on.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use anyhow::{Result, ensure};
use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestError, TestRunner},
};
use protocol::{
    RoomId, Seq, UserId,
    accounts::UserSummary,
    events::{Event, EventKind},
    rooms::Page,
};
use shared::store::{Append, Appended, Entry, Error, Place, Store, StoreOptions};
use tokio::runtime::Handle;

use crate::ground::{Ground, body, on_both_engines};

on_both_engines!(
    promises_hold_whatever_many_do_at_once,
    who_is_cut_off_leaves_no_transaction_open,
    a_restart_keeps_everything,
);

const PEOPLE: usize = 4;
const ROOMS: usize = 2;

/// What somebody does next. Messages have few names, so that resends are common.
#[derive(Clone, Debug)]
enum Step {
    /// Sends these messages, (room, name) each, in one batch.
    Send(Vec<(usize, u8)>),
    /// As `Send`, but nobody waits longer than for so many polls.
    SendCutOff(Vec<(usize, u8)>, u32),
    /// Changes something in a room; cut off after so many polls, if that is said.
    Change(usize, Change, Option<u32>),
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Join,
    Leave,
    /// The owner removes this person.
    Kick(usize),
    /// Edits the message of this name, if it is stored.
    Edit(u8),
    /// Deletes the message of this name, if it is stored.
    Erase(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let batch = || prop::collection::vec((0..ROOMS, 0..12_u8), 1..6);
    let change = prop_oneof![
        3 => Just(Change::Join),
        1 => Just(Change::Leave),
        1 => (0..PEOPLE).prop_map(Change::Kick),
        1 => (0..12_u8).prop_map(Change::Edit),
        1 => (0..12_u8).prop_map(Change::Erase),
    ];
    prop_oneof![
        6 => batch().prop_map(Step::Send),
        3 => (batch(), 0..12_u32).prop_map(|(batch, polls)| Step::SendCutOff(batch, polls)),
        3 => (0..ROOMS, change, prop::option::weighted(0.3, 0..20_u32))
            .prop_map(|(room, change, polls)| Step::Change(room, change, polls)),
    ]
}

async fn promises_hold_whatever_many_do_at_once(ground: Ground) -> Result<()> {
    let other = ground.another_store().await?;
    let ground = Arc::new(ground);
    let plan = prop::collection::vec(prop::collection::vec(step(), 10..40), PEOPLE);
    // What fails depends on the moment, so shrinking would look for another failure.
    let config = Config {
        cases: 12,
        max_shrink_iters: 0,
        failure_persistence: None,
        ..Config::default()
    };
    let case = std::cell::Cell::new(0);
    let outcome = tokio::task::block_in_place(|| {
        TestRunner::new(config).run(&plan, |plan| {
            case.set(case.get() + 1);
            let held = Handle::current().block_on(hold(&ground, &other, case.get(), plan));
            held.map_err(|error| TestCaseError::fail(format!("{error:#}")))
        })
    });
    outcome.map_err(|error| match error {
        TestError::Fail(reason, plan) => anyhow::anyhow!("{reason}\nthe plan was {plan:?}"),
        TestError::Abort(reason) => anyhow::anyhow!("{reason}"),
    })
}

/// What is acknowledged on a connection that somebody else was cut off on is stored all the same.
async fn who_is_cut_off_leaves_no_transaction_open(ground: Ground) -> Result<()> {
    let ada = ground.person("ada").await?;
    let room = ground.room(&ada, "Tea").await?.id;
    let at = ground.clock.now();
    // One connection, which everybody gets after the other.
    let options = StoreOptions {
        max_connections: 1,
        ..StoreOptions::default()
    };
    let store = ground.another_store_with(&options).await?;
    let cuts = (0..20).flat_map(|polls| (0..3).map(move |kind| (polls, kind)));
    for (number, (polls, kind)) in cuts.enumerate() {
        let text = body(&format!("after {polls} polls"));
        let polls = Some(polls);
        let _ = match kind {
            0 => CutOff::after(polls, store.edit(room, ada.id, Seq(2), &text, at))
                .await
                .map(drop),
            1 => CutOff::after(polls, store.erase(room, ada.id, Seq(1), at))
                .await
                .map(drop),
            _ => {
                let entry = [ground.message(room, ada.id, &format!("cut off {number}"))];
                CutOff::after(polls, store.append(&entry)).await.map(drop)
            }
        };
        let outcomes = store
            .append(&[ground.message(room, ada.id, &format!("{number}"))])
            .await?;
        let Appended::Stored(place) = outcomes[0].clone() else {
            panic!("not stored: {outcomes:?}")
        };
        let seen = ground.store.message(room, ada.id, place.seq).await?;
        assert_eq!(
            (seen.id, seen.content.body),
            (place.id, format!("says {number}"))
        );
    }
    Ok(())
}

/// Carries out a plan, everybody at once, and looks at what is stored then.
async fn hold(ground: &Arc<Ground>, other: &Store, case: u32, plan: Vec<Vec<Step>>) -> Result<()> {
    let mut people = Vec::new();
    for person in 0..PEOPLE {
        people.push(ground.person(&format!("case{case}_person{person}")).await?);
    }
    let owner = ground.person(&format!("case{case}_owner")).await?;
    let mut rooms = Vec::new();
    for room in 0..ROOMS {
        let room = ground
            .room(&owner, &format!("case {case} room {room}"))
            .await?
            .id;
        for person in &people {
            ground.join(room, person).await?;
        }
        rooms.push(room);
    }
    let scene = Arc::new(Scene {
        ground: Arc::clone(ground),
        owner: owner.id,
        people,
        rooms,
        ticks: AtomicU64::new(0),
        acked: Mutex::default(),
    });
    let mut tasks = tokio::task::JoinSet::new();
    for (person, steps) in plan.into_iter().enumerate() {
        let store = if person % 2 == 0 {
            ground.store.clone()
        } else {
            other.clone()
        };
        let scene = Arc::clone(&scene);
        tasks.spawn(async move {
            for step in steps {
                scene.take(&store, person, step).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    for room in &scene.rooms {
        // Whoever was cut off holds nothing: the next one gets through at once.
        for store in [&ground.store, other] {
            let name = format!("last-{}", scene.tick());
            let outcomes = store
                .append(&[ground.message(*room, owner.id, &name)])
                .await?;
            ensure!(
                matches!(outcomes[0], Appended::Stored(_)),
                "not stored: {outcomes:?}"
            );
        }
        scene.look(*room).await?;
    }
    Ok(())
}

/// One case: who is there, and what they were told.
struct Scene {
    ground: Arc<Ground>,
    owner: UserId,
    people: Vec<UserSummary>,
    rooms: Vec<RoomId>,
    ticks: AtomicU64,
    acked: Mutex<HashMap<(RoomId, UserId, String), Acked>>,
}

/// What a sender was told of one message, over all its attempts.
#[derive(Clone)]
struct Acked {
    /// When it was first tried.
    tried: u64,
    /// Where it stands, and when that was first said.
    place: Option<(Place, u64)>,
}

impl Scene {
    fn tick(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::SeqCst)
    }

    async fn take(&self, store: &Store, person: usize, step: Step) -> Result<()> {
        match step {
            Step::Send(batch) => self.send(store, person, &batch, None).await,
            Step::SendCutOff(batch, polls) => self.send(store, person, &batch, Some(polls)).await,
            Step::Change(room, change, polls) => {
                self.change(store, person, room, change, polls).await
            }
        }
    }

    async fn send(
        &self,
        store: &Store,
        person: usize,
        batch: &[(usize, u8)],
        polls: Option<u32>,
    ) -> Result<()> {
        let user = self.people[person].id;
        let entries: Vec<Append> = batch
            .iter()
            .map(|(room, name)| {
                self.ground
                    .message(self.rooms[*room], user, &format!("{name}"))
            })
            .collect();
        for entry in &entries {
            let tried = self.tick();
            let key = (entry.room, user, entry.client_id.as_str().to_owned());
            self.acked
                .lock()
                .unwrap()
                .entry(key)
                .or_insert(Acked { tried, place: None });
        }
        let Some(outcomes) = CutOff::after(polls, store.append(&entries)).await else {
            return Ok(());
        };
        let outcomes = match outcomes {
            Ok(outcomes) => outcomes,
            // Nothing was promised.
            Err(Error::Unavailable(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let told = self.tick();
        let mut acked = self.acked.lock().unwrap();
        for (entry, outcome) in entries.iter().zip(outcomes) {
            let (Appended::Stored(place) | Appended::Duplicate(place)) = outcome else {
                continue;
            };
            let key = (entry.room, user, entry.client_id.as_str().to_owned());
            let known = acked.get_mut(&key).expect("it was tried before");
            match &known.place {
                Some((first, _)) => {
                    ensure!(*first == place, "one message at {first:?} and {place:?}");
                }
                None => known.place = Some((place, told)),
            }
        }
        Ok(())
    }

    async fn change(
        &self,
        store: &Store,
        person: usize,
        room: usize,
        change: Change,
        polls: Option<u32>,
    ) -> Result<()> {
        let (room, user) = (self.rooms[room], self.people[person].id);
        let at = self.ground.clock.now();
        let place_of = |name: u8| {
            let acked = self.acked.lock().unwrap();
            let known = acked
                .get(&(room, user, format!("{name}")))
                .and_then(|acked| acked.place.clone());
            known.map_or(Seq(1), |(place, _)| place.seq)
        };
        let new_text = body("says something else");
        let changing = async {
            match change {
                Change::Join => store.join(room, user, &Entry::Open, at).await.map(drop),
                Change::Leave => store.leave(room, user, at).await.map(drop),
                Change::Kick(whom) => store
                    .kick(room, self.owner, self.people[whom].id, at)
                    .await
                    .map(drop),
                Change::Edit(name) => store
                    .edit(room, user, place_of(name), &new_text, at)
                    .await
                    .map(drop),
                Change::Erase(name) => store.erase(room, user, place_of(name), at).await.map(drop),
            }
        };
        match CutOff::after(polls, changing).await {
            Some(Err(error @ Error::Broken(_))) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Looks at what is stored of a room.
    async fn look(&self, room: RoomId) -> Result<()> {
        let store = &self.ground.store;
        let log = self.ground.log(room).await?;
        let head = store.heads(&[room]).await?[0];
        let seqs: Vec<u64> = log.iter().map(|event| event.seq.0).collect();
        ensure!(
            seqs == (1..=head.seq.0).collect::<Vec<_>>(),
            "I1: not dense up to {head:?}: {seqs:?}"
        );
        let members = self.replay(&log)?;
        let page = Page {
            cursor: None,
            limit: 100,
        };
        let listed = store.members(room, self.owner, &page).await?.list.members;
        let listed: BTreeSet<UserId> = listed.into_iter().map(|member| member.user.id).collect();
        ensure!(
            listed == members,
            "the members are not those whom the log lets in"
        );
        let count = store.room(room, self.owner).await?.members;
        ensure!(
            count as usize == members.len(),
            "{count} members are counted, {} are in",
            members.len()
        );
        self.look_at_acks(room, &log)
    }

    /// Walks through a log: who is in at every place, and whether only they write there.
    fn replay(&self, log: &[Event]) -> Result<BTreeSet<UserId>> {
        let mut members = BTreeSet::new();
        let mut names = BTreeSet::new();
        let mut messages = 0;
        for event in log {
            let user = event.user.id;
            match &event.kind {
                EventKind::Join => {
                    ensure!(members.insert(user), "{user} joins twice, at {}", event.seq);
                }
                EventKind::Leave => ensure!(
                    members.remove(&user),
                    "{user} leaves twice, at {}",
                    event.seq
                ),
                EventKind::Kick(done) => {
                    ensure!(
                        members.remove(&done.member.id),
                        "a stranger is kicked at {}",
                        event.seq
                    );
                }
                EventKind::Message(content) => {
                    messages += 1;
                    ensure!(
                        members.contains(&user),
                        "I9: a stranger writes at {}",
                        event.seq
                    );
                    ensure!(
                        names.insert((user, content.client_id.clone())),
                        "I2: twice, at {}",
                        event.seq
                    );
                }
                _ => ensure!(
                    members.contains(&user),
                    "I9: a stranger changes something at {}",
                    event.seq
                ),
            }
            ensure!(
                event.n == messages,
                "n is {} after {messages} messages",
                event.n
            );
        }
        Ok(members)
    }

    fn look_at_acks(&self, room: RoomId, log: &[Event]) -> Result<()> {
        let by_seq: BTreeMap<Seq, &Event> = log.iter().map(|event| (event.seq, event)).collect();
        let acked = self.acked.lock().unwrap();
        let acked: Vec<_> = acked
            .iter()
            .filter(|((of, _, _), _)| *of == room)
            .filter_map(|(key, acked)| {
                acked
                    .place
                    .clone()
                    .map(|(place, told)| (key, acked.tried, place, told))
            })
            .collect();
        for (key, _, place, _) in &acked {
            let event = by_seq.get(&place.seq).copied();
            let same = event.is_some_and(|event| {
                matches!(&event.kind, EventKind::Message(content)
                    if content.client_id.as_ref().is_some_and(|name| name.as_str() == key.2)
                        && ["", "says something else", &format!("says {}", key.2)]
                            .contains(&content.body.as_str()))
                    && (event.user.id, event.id, event.n) == (key.1, place.id, place.n)
            });
            ensure!(
                same,
                "I3: {key:?} was acked at {place:?}, there is {event:?}"
            );
        }
        for (first, _, place, told) in &acked {
            for (second, tried, later, _) in &acked {
                ensure!(
                    told >= tried || place.seq < later.seq,
                    "I7: {first:?} was acked at {place:?} before {second:?} was sent, which stands at {later:?}"
                );
            }
        }
        Ok(())
    }
}

/// A future that is dropped after so many polls.
struct CutOff<F> {
    future: Pin<Box<F>>,
    polls_left: Option<u32>,
}

impl<F: Future> CutOff<F> {
    fn after(polls: Option<u32>, future: F) -> Self {
        Self {
            future: Box::pin(future),
            polls_left: polls,
        }
    }
}

impl<F: Future> Future for CutOff<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.polls_left {
            Some(0) => return Poll::Ready(None),
            Some(left) => *left -= 1,
            None => {}
        }
        self.future.as_mut().poll(context).map(Some)
    }
}

async fn a_restart_keeps_everything(ground: Ground) -> Result<()> {
    let [ada, bob] = ground.people(["ada", "bob"]).await?;
    let room = ground.room(&ada, "Tea").await?;
    ground.join(room.id, &bob).await?;
    let place = ground.send(room.id, &bob, "one").await?;
    let before = (
        ground.log(room.id).await?,
        ground.store.room(room.id, ada.id).await?,
    );
    ground.store.close().await;

    let store = ground.another_store().await?;
    store.migrate().await?;
    let after = (
        store.events(room.id, Seq::ZERO, 100).await?,
        store.room(room.id, ada.id).await?,
    );
    assert_eq!(before, after);
    assert_eq!(after.1.owner_id, Some(ada.id));
    let again = store
        .append(&[ground.message(room.id, bob.id, "one")])
        .await?;
    assert_eq!(again, [Appended::Duplicate(place)]);
    Ok(())
}
