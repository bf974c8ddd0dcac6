//! The model is held to the store: the same acts on both, on a real SQLite database, with the same
//! outcomes and the same logs.

use std::{sync::Arc, time::Duration};

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use protocol::{
    ErrorCode, EventId, Limits, Parse, RoomId, Seq, SessionId, Timestamp, UserId,
    accounts::UserSummary,
    events::Event,
    rooms::{CreateRoom, CreateRoomBody},
    text::{ClientId, MessageBody},
};
use shared::{
    Refusal,
    store::{
        self, Append, As, Entry, NewAccount, NewRoom, NewSession, ResumeFrom, Store, StoreOptions,
    },
};
use uuid::Uuid;

use super::Logs;

const PEOPLE: u8 = 3;
const ROOMS: u8 = 2;

/// One thing that is done to both.
#[derive(Clone, Debug)]
enum Act {
    /// Messages, each of a room, a person and a name.
    Append(Vec<(u8, u8, u8)>),
    Join(u8, u8),
    Leave(u8, u8),
    Kick(u8, u8, u8),
    Edit(u8, u8, u64),
    Erase(u8, u8, u64),
    Delete(u8, u8),
    Resume(u8, u8, Option<u64>, bool, u32),
    Events(u8, u64, u32),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let room = 0..ROOMS;
    let person = 0..PEOPLE;
    let (r, p) = (room.clone(), person.clone());
    let message = (room.clone(), person.clone(), 0_u8..12);
    let after = proptest::option::of(0_u64..14);
    let act = prop_oneof![
        8 => proptest::collection::vec(message, 1..6).prop_map(Act::Append),
        4 => (r.clone(), p.clone()).prop_map(|(room, user)| Act::Join(room, user)),
        1 => (r.clone(), p.clone()).prop_map(|(room, user)| Act::Leave(room, user)),
        2 => (r.clone(), p.clone(), p.clone()).prop_map(|(room, by, user)| Act::Kick(room, by, user)),
        2 => (r.clone(), p.clone(), 1_u64..12).prop_map(|(room, by, seq)| Act::Edit(room, by, seq)),
        2 => (r.clone(), p.clone(), 1_u64..12).prop_map(|(room, by, seq)| Act::Erase(room, by, seq)),
        1 => (r.clone(), p.clone(), 0_u8..8).prop_filter_map("rarely", |(room, by, chance)| {
            (chance == 0).then_some(Act::Delete(room, by))
        }),
        4 => (r.clone(), p, after, any::<bool>(), 1_u32..5)
            .prop_map(|(room, user, after, known, limit)| Act::Resume(room, user, after, known, limit)),
        2 => (r, 0_u64..9, 1_u32..5).prop_map(|(room, after, limit)| Act::Events(room, after, limit)),
    ];
    proptest::collection::vec(act, 1..25)
}

/// Both, and what they are asked.
struct Pair {
    store: Store,
    model: Logs,
    rooms: Vec<RoomId>,
    people: Vec<UserId>,
    limits: Limits,
    now: Timestamp,
    ids: u128,
}

impl Pair {
    async fn new(store: &Store, run: u128) -> anyhow::Result<Self> {
        let base = (run + 1) << 32;
        let now = Timestamp::from_unix_ms(1_763_800_000_000);
        let mut users = Vec::new();
        for number in 0..u128::from(PEOPLE) {
            let id = UserId::from_uuid(Uuid::from_u128(base + 1 + number));
            let name = format!("u{run}x{number}");
            let account = NewAccount {
                id,
                username: name.clone(),
                email: format!("{name}@example.com"),
                display_name: name.clone(),
                password_hash: String::from("-"),
                at: now,
            };
            let session = NewSession {
                id: SessionId::from_uuid(Uuid::from_u128(base + 100 + number)),
                user: id,
                device: String::new(),
                ip: [127, 0, 0, 1].into(),
                at: now,
                expires_at: now.after(Duration::from_secs(60)),
            };
            store.create_account(&account, &session).await?;
            users.push(UserSummary {
                id,
                username: name.clone(),
                display_name: name,
            });
        }
        let limits = Limits {
            resume_max_events: 6,
            page_default: 3,
            ..Limits::default()
        };
        let mut pair = Self {
            store: store.clone(),
            model: Logs::of(users.clone()),
            rooms: Vec::new(),
            people: users.iter().map(|user| user.id).collect(),
            limits,
            now,
            ids: base + 1_000,
        };
        for number in 0..ROOMS {
            pair.create(run, number).await?;
        }
        Ok(pair)
    }

    async fn create(&mut self, run: u128, number: u8) -> anyhow::Result<()> {
        let (id, owner) = (RoomId::from_uuid(self.id()), self.people[0]);
        let reads_all = number.is_multiple_of(2);
        let body = CreateRoomBody {
            name: Some(format!("r{run}x{number}")),
            topic: None,
            visibility: None,
            password: None,
            max_members: None,
            history: (!reads_all).then(|| String::from("since_join")),
        };
        let create = CreateRoom::parse(body, &self.limits).expect("nothing is wrong with it");
        let new = NewRoom {
            id,
            create,
            password_hash: None,
            owner,
            at: self.now,
        };
        self.store.create_room(&new).await?;
        self.model.create(id, owner, reads_all, self.now);
        self.rooms.push(id);
        Ok(())
    }

    fn id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(self.ids)
    }

    fn room(&self, number: u8) -> RoomId {
        self.rooms[usize::from(number)]
    }

    fn person(&self, number: u8) -> UserId {
        self.people[usize::from(number)]
    }

    /// Does it to both, and compares what they say.
    async fn act(&mut self, act: &Act) {
        self.now = self.now.after(Duration::from_millis(10));
        let at = self.now;
        match *act {
            Act::Append(ref messages) => {
                let entries: Vec<_> = messages
                    .iter()
                    .map(|message| self.entry(*message))
                    .collect();
                let stored = self.store.append(&entries).await.unwrap();
                assert_eq!(stored, self.model.append(&entries));
            }
            Act::Join(room, user) => {
                let (room, user) = (self.room(room), self.person(user));
                let joined = self.store.join(room, user, &Entry::Open, at).await;
                same(joined, self.model.join(room, user, at));
            }
            Act::Leave(room, user) => {
                let (room, user) = (self.room(room), self.person(user));
                let left = self.store.leave(room, user, at).await;
                same(left, self.model.leave(room, user, at));
            }
            Act::Kick(room, by, user) => {
                let (room, by, user) = (self.room(room), self.person(by), self.person(user));
                let kicked = self.store.kick(room, by, user, at).await;
                same(kicked, self.model.kick(room, by, user, at));
            }
            Act::Edit(room, by, seq) => {
                let (room, by, seq) = (self.room(room), self.person(by), Seq(seq));
                let body = body(&self.limits, "changed");
                let edited = self.store.edit(room, by, seq, &body, at).await;
                same(edited, self.model.edit(room, by, seq, "changed", at));
            }
            Act::Erase(room, by, seq) => {
                let (room, by, seq) = (self.room(room), self.person(by), Seq(seq));
                let erased = self.store.erase(room, by, seq, at).await;
                same(erased, self.model.erase(room, by, seq, at));
            }
            Act::Delete(room, by) => {
                let (room, by) = (self.room(room), self.person(by));
                let deleted = self
                    .store
                    .delete_room(room, (by, As::Owner), None, at)
                    .await;
                same(deleted, self.model.delete(room, by));
            }
            Act::Resume(room, user, after, known, limit) => {
                self.resume(
                    self.room(room),
                    self.person(user),
                    after.map(Seq),
                    known,
                    limit,
                )
                .await;
            }
            Act::Events(room, after, limit) => {
                let (room, after) = (self.room(room), Seq(after));
                let stored = self.store.events(room, after, limit).await.unwrap();
                same_events(stored, self.model.events(room, after, limit));
            }
        }
        let heads = self.store.heads(&self.rooms).await.unwrap();
        assert_eq!(heads, self.model.heads(&self.rooms));
        // Known are the places of a moment ago, or of a log that went back.
        for off in [-1, 0, 1] {
            let known: Vec<_> = heads
                .iter()
                .map(|head| (head.room, Seq(head.seq.0.saturating_add_signed(off))))
                .collect();
            let mut moved = self.store.moved(&known).await.unwrap();
            moved.sort_by_key(|head| known.iter().position(|(room, _)| *room == head.room));
            assert_eq!(moved, self.model.moved(&known));
        }
    }

    async fn resume(
        &self,
        room: RoomId,
        user: UserId,
        after: Option<Seq>,
        known: bool,
        limit: u32,
    ) {
        let limits = &self.limits;
        // Ids that the model gave itself are not the store's, so only messages are named.
        let message =
            |event: &&Event| Some(event.seq) == after && super::client_id(event).is_some();
        let id = self
            .model
            .log(room)
            .iter()
            .find(message)
            .map(|event| event.id);
        let id = if known {
            id
        } else {
            id.and(Some(EventId::from_uuid(Uuid::nil())))
        };
        let from = ResumeFrom {
            room,
            user,
            after,
            after_id: id,
            limit,
        };
        let stored = self.store.resume(from, limits).await;
        let modelled = self.model.resume(from, limits);
        match (stored, modelled) {
            (Ok(stored), Ok(modelled)) => {
                assert_eq!(
                    (stored.head, stored.n, stored.first, stored.reset),
                    (modelled.head, modelled.n, modelled.first, modelled.reset),
                );
                assert_eq!(
                    (stored.role, stored.member_count),
                    (modelled.role, modelled.member_count)
                );
                same_events(owned(stored.events), owned(modelled.events));
            }
            (stored, modelled) => same(stored, modelled),
        }
    }

    fn entry(&mut self, (room, user, name): (u8, u8, u8)) -> Append {
        Append {
            room: self.room(room),
            id: EventId::from_uuid(self.id()),
            user: self.person(user),
            client_id: ClientId::parse(&format!("m{name}")).unwrap(),
            body: body(&self.limits, "words"),
            reply_to: None,
            thread: None,
            files: Vec::new(),
            at: self.now,
        }
    }
}

fn body(limits: &Limits, words: &str) -> MessageBody {
    MessageBody::parse(words.to_owned(), limits).unwrap()
}

fn same<A, B>(stored: store::Result<A>, modelled: Result<B, Refusal>) {
    let code = |refusal: Refusal| refusal.code;
    let stored = stored.map_err(Refusal::from).map_err(code).map(drop);
    let modelled: Result<(), ErrorCode> = modelled.map_err(code).map(drop);
    assert_eq!(stored, modelled);
}

fn owned(events: Vec<Arc<Event>>) -> Vec<Event> {
    events.into_iter().map(Arc::unwrap_or_clone).collect()
}

fn same_events(stored: Vec<Event>, modelled: Vec<Event>) {
    let without_own_ids = |mut event: Event| {
        if super::client_id(&event).is_none() {
            event.id = EventId::from_uuid(Uuid::nil());
        }
        event
    };
    let stored: Vec<_> = stored.into_iter().map(without_own_ids).collect();
    let modelled: Vec<_> = modelled.into_iter().map(without_own_ids).collect();
    assert_eq!(stored, modelled);
}

#[test]
fn the_model_follows_the_rules_of_the_store() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let directory = tempfile::tempdir()?;
    let url = format!("sqlite:{}", directory.path().join("chatx.db").display());
    let store = runtime.block_on(Store::connect(&url, &StoreOptions::default()))?;
    runtime.block_on(store.migrate())?;
    let runs = std::cell::Cell::new(0);
    let mut runner = TestRunner::new(Config {
        cases: 48,
        failure_persistence: None,
        ..Config::default()
    });
    runner.run(&acts(), |acts| {
        runs.set(runs.get() + 1);
        runtime.block_on(async {
            let mut pair = Pair::new(&store, runs.get()).await.unwrap();
            for act in &acts {
                pair.act(act).await;
            }
            for room in &pair.rooms {
                let stored = store.events(*room, Seq::ZERO, u32::MAX).await.unwrap();
                same_events(stored, pair.model.log(*room).to_vec());
            }
        });
        Ok(())
    })?;
    Ok(())
}
