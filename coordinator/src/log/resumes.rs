//! Those who come back to their rooms and ask what they missed. When a whole node's clients come at once they
//! must not all run to the store: while some of them are being answered the others gather, and whoever has
//! gathered is answered together. There is no timer: alone, one asks at once.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use protocol::{ErrorCode, Limits};
use shared::{
    Refusal,
    store::{Resume, ResumeFrom, Store},
};
use tokio::{sync::oneshot, task::yield_now};
use tokio_util::task::TaskTracker;

/// Where they ask. Cloning gives the same.
#[derive(Clone)]
pub(super) struct Resumes(Arc<Inner>);

struct Inner {
    store: Store,
    limits: Limits,
    tasks: TaskTracker,
    gathered: Mutex<Gathered>,
}

#[derive(Default)]
struct Gathered {
    waiting: Vec<Waiting>,
    /// How many groups are being answered.
    groups: usize,
}

/// One who asks, and who hears the answer.
struct Waiting {
    from: ResumeFrom,
    answer: oneshot::Sender<Answer>,
}

type Answer = Result<Resume, Refusal>;

/// So many groups are answered at once: more would take the store's connections from everybody else, and the
/// groups be smaller.
const GROUPS: usize = 2;
/// So many are answered together at most, for what they missed is in memory until they are told.
const GROUP: usize = 256;
/// So many wait at most; more are refused, and come again.
const WAITING: usize = 65_536;
const AGAIN_AFTER: Duration = Duration::from_secs(1);

impl Resumes {
    pub(super) fn new(store: &Store, limits: &Limits, tasks: &TaskTracker) -> Self {
        Self(Arc::new(Inner {
            store: store.clone(),
            limits: limits.clone(),
            tasks: tasks.clone(),
            gathered: Mutex::default(),
        }))
    }

    /// Asks for one.
    ///
    /// # Errors
    /// `unavailable` when too many wait already.
    pub(super) fn ask(&self, from: ResumeFrom) -> Result<oneshot::Receiver<Answer>, Refusal> {
        let (answer, receiver) = oneshot::channel();
        let mut gathered = self.gathered();
        if gathered.waiting.len() >= WAITING {
            return Err(Refusal::from(ErrorCode::Unavailable).retry_after(AGAIN_AFTER));
        }
        gathered.waiting.push(Waiting { from, answer });
        self.answer_some(&mut gathered);
        Ok(receiver)
    }

    /// Has the next group answered, if there is one and not too many are.
    fn answer_some(&self, gathered: &mut Gathered) {
        if gathered.groups < GROUPS && !gathered.waiting.is_empty() {
            gathered.groups += 1;
            let turn = Turn(self.clone());
            self.0.tasks.spawn(async move {
                // Whoever is about to ask at this very moment comes along.
                yield_now().await;
                turn.answer().await;
            });
        }
    }

    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.0
            .gathered
            .lock()
            .expect("nothing panics while it holds who waits")
    }
}

/// The turn of one group; the next one's comes when it is dropped, however it ended.
struct Turn(Resumes);

impl Turn {
    async fn answer(self) {
        let Inner { store, limits, .. } = &*self.0.0;
        let (from, answers): (Vec<_>, Vec<_>) = self
            .group()
            .into_iter()
            // Who has gone meanwhile need not be answered.
            .filter(|waiting| !waiting.answer.is_closed())
            .map(|waiting| (waiting.from, waiting.answer))
            .unzip();
        if from.is_empty() {
            return;
        }
        match store.resume_all(&from, limits).await {
            Ok(resumes) => {
                for (answer, resume) in answers.into_iter().zip(resumes) {
                    drop(answer.send(resume));
                }
            }
            Err(error) => {
                let refusal = Refusal::from(error);
                for answer in answers {
                    drop(answer.send(Err(refusal.clone())));
                }
            }
        }
    }

    /// Those who have gathered by now.
    fn group(&self) -> Vec<Waiting> {
        let mut gathered = self.0.gathered();
        let count = gathered.waiting.len().min(GROUP);
        let later = gathered.waiting.split_off(count);
        mem::replace(&mut gathered.waiting, later)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut gathered = self.0.gathered();
        gathered.groups -= 1;
        self.0.answer_some(&mut gathered);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use protocol::{
        EventId, Parse, RoomId, Seq, SessionId, Timestamp, UserId,
        rooms::{CreateRoom, CreateRoomBody},
        text::{ClientId, MessageBody},
    };
    use shared::store::{Append, NewAccount, NewRoom, NewSession, StoreOptions};
    use uuid::Uuid;

    use super::*;

    const MISSED: u64 = 20;

    /// A store with one room, whose owner missed some messages of it.
    async fn missed(url: &str) -> anyhow::Result<(Store, ResumeFrom)> {
        let store = Store::connect(url, &StoreOptions::default()).await?;
        store.migrate().await?;
        let id = |number: u64| Uuid::from_u64_pair(1 << 63, number);
        let (user, room) = (UserId::from_uuid(id(1)), RoomId::from_uuid(id(2)));
        let at = Timestamp::from_unix_ms(1_763_800_000_000);
        let account = NewAccount {
            id: user,
            username: "ada".into(),
            email: "ada@example.com".into(),
            display_name: "Ada".into(),
            password_hash: "-".into(),
            at,
        };
        let session = NewSession {
            id: SessionId::from_uuid(id(3)),
            user,
            device: String::new(),
            ip: [127, 0, 0, 1].into(),
            at,
            expires_at: at.after(Duration::from_secs(60)),
        };
        store.create_account(&account, &session).await?;
        let limits = Limits::default();
        let body = CreateRoomBody {
            name: Some("Tea".into()),
            topic: None,
            visibility: None,
            password: None,
            max_members: None,
            history: None,
        };
        let room_to_be = NewRoom {
            id: room,
            create: CreateRoom::parse(body, &limits).unwrap(),
            password_hash: None,
            owner: user,
            at,
        };
        store.create_room(&room_to_be).await?;
        let message = |number: u64| Append {
            room,
            id: EventId::from_uuid(id(100 + number)),
            user,
            client_id: ClientId::parse(&number.to_string()).unwrap(),
            body: MessageBody::parse("more tea".into(), &limits).unwrap(),
            reply_to: None,
            thread: None,
            files: Vec::new(),
            at,
        };
        let messages: Vec<_> = (0..MISSED).map(message).collect();
        store.append(&messages.iter().collect::<Vec<_>>()).await?;
        let from = ResumeFrom {
            room,
            user,
            after: Some(Seq(1)),
            after_id: None,
            limit: 0,
        };
        Ok((store, from))
    }

    /// Each reading of the store makes events of its own, so how often it was read shows in how many there are.
    #[tokio::test]
    async fn what_a_crowd_missed_is_read_once() -> anyhow::Result<()> {
        let directory = tempfile::tempdir()?;
        let url = format!("sqlite:{}", directory.path().join("chatx.db").display());
        let (store, from) = missed(&url).await?;
        let resumes = Resumes::new(&store, &Limits::default(), &TaskTracker::new());
        for crowd in [1, 10, GROUP] {
            let asked: Vec<_> = (0..crowd).map(|_| resumes.ask(from).unwrap()).collect();
            let mut read = HashSet::new();
            for answer in asked {
                let events = answer.await??.events;
                let seqs: Vec<_> = events.iter().map(|event| event.seq.0).collect();
                assert_eq!(seqs, (2..=MISSED + 1).collect::<Vec<_>>());
                // Kept, so that no other takes its place in memory.
                read.insert(events.into_iter().map(Arc::into_raw).collect::<Vec<_>>());
            }
            assert_eq!(read.len(), 1, "{crowd} who came at once");
        }
        Ok(())
    }

    #[tokio::test]
    async fn who_is_one_too_many_is_told_and_the_others_are_answered() -> anyhow::Result<()> {
        let directory = tempfile::tempdir()?;
        let url = format!("sqlite:{}", directory.path().join("chatx.db").display());
        let (store, from) = missed(&url).await?;
        let from = ResumeFrom {
            after: Some(Seq(MISSED + 1)),
            ..from
        };
        let resumes = Resumes::new(&store, &Limits::default(), &TaskTracker::new());
        let asked: Vec<_> = (0..WAITING).map(|_| resumes.ask(from).unwrap()).collect();
        let refusal = resumes.ask(from).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::Unavailable);
        for answer in asked {
            assert!(answer.await??.events.is_empty());
        }
        Ok(())
    }
}
