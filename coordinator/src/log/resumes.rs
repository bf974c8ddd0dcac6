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
use tokio::sync::oneshot;
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
const GROUPS: usize = 4;
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
            self.0.tasks.spawn(async move { turn.answer().await });
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
