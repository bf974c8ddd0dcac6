//! The database as the nodes reach it: the model of the store behind a network that is slow, away,
//! loses answers, and carries out statements long after whoever asked has given up.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard},
};

use futures_util::future::BoxFuture;
use protocol::{ErrorCode, Limits, RoomId, Seq, events::Event, text::ClientId};
use shared::{
    Refusal,
    appender::Receipt,
    store::{Append, Appended, Head, Resume, ResumeFrom},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Duration, Instant, sleep, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    chance::Chance,
    logs::Logs,
    world::{Broken, World, note},
};
use crate::log::Log;

/// One database for all nodes.
pub(super) struct Database {
    world: Arc<World>,
    limits: Limits,
    state: Mutex<State>,
}

struct State {
    logs: Logs,
    chance: Chance,
    /// Until when nobody reaches it, in milliseconds.
    away_until_ms: u64,
    /// Until when single nodes do not.
    cut_off_until_ms: Vec<u64>,
    /// Statements that nobody waits for any more, and when they are carried out.
    late: Vec<Late>,
    /// Messages that some node was refused, whether or not their sender heard of it.
    refused: BTreeSet<ClientId>,
    /// How often in a thousand a statement goes wrong.
    faults_per_mille: u64,
    /// How long a statement may take at most.
    slowest_ms: u64,
}

struct Late {
    at_ms: u64,
    /// The node whose death prevents it, for a node that answers early.
    dies_with: Option<usize>,
    entries: Vec<Append>,
}

/// What becomes of a statement.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Done,
    /// It does not arrive.
    Lost,
    /// It is carried out, but nobody hears of it.
    AnswerLost,
    /// It is carried out after it was given up.
    Late,
}

/// The database did not answer.
struct Away;

impl Database {
    pub(super) fn new(world: Arc<World>, logs: Logs, limits: Limits, nodes: usize) -> Self {
        let mut chance = Chance::new(world.seed, "database");
        let state = State {
            logs,
            away_until_ms: 0,
            cut_off_until_ms: vec![0; nodes],
            late: Vec::new(),
            refused: BTreeSet::new(),
            faults_per_mille: chance.one_of(&[0, 10, 50, 150]),
            slowest_ms: chance.one_of(&[3, 20, 100, 400]),
            chance,
        };
        Self {
            world,
            limits,
            state: Mutex::new(state),
        }
    }

    /// What is stored, to be changed by those who do not go through a coordinator.
    pub(super) fn with_logs<T>(&self, act: impl FnOnce(&mut Logs) -> T) -> T {
        act(&mut self.state().logs)
    }

    /// Nobody reaches it for so long.
    pub(super) fn be_away(&self, span_ms: u64) {
        self.state().away_until_ms = self.world.now_ms() + span_ms;
    }

    /// A node does not reach it for so long.
    pub(super) fn cut_off(&self, node: usize, span_ms: u64) {
        self.state().cut_off_until_ms[node] = self.world.now_ms() + span_ms;
    }

    /// Forgets what dies with a node.
    pub(super) fn node_died(&self, node: usize) {
        self.state()
            .late
            .retain(|late| late.dies_with != Some(node));
    }

    /// From now on nothing goes wrong.
    pub(super) fn heal(&self) {
        let mut state = self.state();
        state.away_until_ms = 0;
        state.cut_off_until_ms.fill(0);
        state.faults_per_mille = 0;
        state.slowest_ms = state.slowest_ms.min(50);
    }

    /// Carries out what is late.
    pub(super) fn tick(&self) {
        let now_ms = self.world.now_ms();
        let mut state = self.state();
        let (due, late) = std::mem::take(&mut state.late)
            .into_iter()
            .partition(|late| late.at_ms <= now_ms);
        state.late = late;
        let carried_out = due.into_iter().map(|late: Late| {
            let outcomes = state.logs.append(&late.entries);
            (late.entries, outcomes)
        });
        let carried_out: Vec<_> = carried_out.collect();
        drop(state);
        for (entries, outcomes) in carried_out {
            self.note(usize::MAX, &entries, &outcomes);
        }
    }

    /// Messages that some node was refused.
    pub(super) fn refused(&self) -> BTreeSet<ClientId> {
        self.state().refused.clone()
    }

    /// Whether statements are still to be carried out.
    pub(super) fn is_quiet(&self) -> bool {
        self.state().late.is_empty()
    }

    fn fate(&self, node: usize) -> (Fate, Duration, Duration) {
        let now_ms = self.world.now_ms();
        let mut state = self.state();
        let is_away = now_ms < state.away_until_ms || now_ms < state.cut_off_until_ms[node];
        let (often, slowest_ms) = (state.faults_per_mille, state.slowest_ms);
        let chance = &mut state.chance;
        let fate = if is_away {
            Fate::Lost
        } else if chance.per_mille(often) {
            chance.one_of(&[Fate::Lost, Fate::AnswerLost, Fate::Late])
        } else {
            Fate::Done
        };
        (fate, chance.ms(1..slowest_ms), chance.ms(0..slowest_ms))
    }

    /// Carries out a statement that only reads.
    async fn read<T>(&self, node: usize, read: impl FnOnce(&Logs) -> T) -> Result<T, Refusal> {
        let (fate, going, coming) = self.fate(node);
        sleep(going).await;
        if fate != Fate::Done {
            sleep(coming).await;
            return Err(ErrorCode::Unavailable.into());
        }
        let answer = read(&self.state().logs);
        sleep(coming).await;
        Ok(answer)
    }

    async fn append(&self, node: usize, entries: &[Append]) -> Result<Vec<Appended>, Away> {
        let (fate, going, coming) = self.fate(node);
        sleep(going).await;
        if self.world.is_broken(Broken::AcksEarly) && fate == Fate::Done {
            let mut state = self.state();
            let outcomes = state.logs.clone().append(entries);
            let at_ms = self.world.now_ms() + state.chance.within(1..300);
            state.late.push(Late {
                at_ms,
                dies_with: Some(node),
                entries: entries.to_vec(),
            });
            return Ok(outcomes);
        }
        let outcomes = match fate {
            Fate::Done | Fate::AnswerLost => {
                let outcomes = self.state().logs.append(entries);
                self.note(node, entries, &outcomes);
                outcomes
            }
            Fate::Late => {
                let mut state = self.state();
                let at_ms = self.world.now_ms() + state.chance.within(1..7_000);
                state.late.push(Late {
                    at_ms,
                    dies_with: None,
                    entries: entries.to_vec(),
                });
                Vec::new()
            }
            Fate::Lost => Vec::new(),
        };
        sleep(coming).await;
        if fate == Fate::Done {
            Ok(outcomes)
        } else {
            Err(Away)
        }
    }

    fn note(&self, node: usize, entries: &[Append], outcomes: &[Appended]) {
        for (entry, outcome) in entries.iter().zip(outcomes) {
            let name = entry.client_id.as_str();
            let place = match outcome {
                Appended::Stored(place) => format!("{}", place.seq),
                Appended::Duplicate(place) => format!("again {}", place.seq),
                Appended::Refused(refusal) => {
                    self.refuse(&entry.client_id);
                    format!("{:?}", refusal.code)
                }
            };
            note!(self.world, "store of node {node}: {name} {place}");
        }
    }

    fn refuse(&self, message: &ClientId) {
        self.state().refused.insert(message.clone());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("nothing panics while it holds the database")
    }
}

/// One node's way to the database, with its appender.
pub(super) struct Way {
    database: Arc<Database>,
    node: usize,
    entries: mpsc::Sender<Waiting>,
}

struct Waiting {
    entry: Append,
    answer: oneshot::Sender<Result<Appended, Refusal>>,
    deadline: Instant,
}

/// As the real appender.
const PATIENCE: Duration = Duration::from_secs(5);
const RETRY_PAUSE: Duration = Duration::from_millis(100);
const BATCH_ENTRIES: usize = 16;

impl Way {
    /// The way of a node that just starts; so many entries may wait.
    pub(super) fn start(
        database: Arc<Database>,
        node: usize,
        queue: usize,
        tasks: &TaskTracker,
        cancel: CancellationToken,
    ) -> Self {
        let (entries, waiting) = mpsc::channel(queue);
        tasks.spawn(write(Arc::clone(&database), node, waiting, cancel));
        Self {
            database,
            node,
            entries,
        }
    }
}

impl Log for Way {
    fn submit(&self, append: Append) -> Result<Receipt, Refusal> {
        let (answer, receipt) = Receipt::pair();
        let waiting = Waiting {
            entry: append,
            answer,
            deadline: Instant::now() + PATIENCE,
        };
        let handed_in = self.entries.try_send(waiting);
        handed_in.map_err(|refused| {
            self.database.refuse(&refused.into_inner().entry.client_id);
            Refusal::from(ErrorCode::Unavailable)
        })?;
        Ok(receipt)
    }

    fn events(
        &self,
        room: RoomId,
        after: Seq,
        limit: u32,
    ) -> BoxFuture<'static, Result<Vec<Event>, Refusal>> {
        let (database, node) = (Arc::clone(&self.database), self.node);
        Box::pin(async move {
            database
                .read(node, |logs| logs.events(room, after, limit))
                .await
        })
    }

    fn heads(&self, rooms: Vec<RoomId>) -> BoxFuture<'static, Result<Vec<Head>, Refusal>> {
        let (database, node) = (Arc::clone(&self.database), self.node);
        Box::pin(async move { database.read(node, |logs| logs.heads(&rooms)).await })
    }

    fn moved(&self, known: Vec<(RoomId, Seq)>) -> BoxFuture<'static, Result<Vec<Head>, Refusal>> {
        let (database, node) = (Arc::clone(&self.database), self.node);
        Box::pin(async move { database.read(node, |logs| logs.moved(&known)).await })
    }

    fn resume(&self, from: ResumeFrom) -> BoxFuture<'static, Result<Resume, Refusal>> {
        let (database, node) = (Arc::clone(&self.database), self.node);
        Box::pin(async move {
            database
                .read(node, |logs| logs.resume(from, &database.limits))
                .await?
        })
    }
}

/// Stores what is handed in, one batch after the other, by the rules of [`shared::appender`].
async fn write(
    database: Arc<Database>,
    node: usize,
    mut waiting: mpsc::Receiver<Waiting>,
    cancel: CancellationToken,
) {
    loop {
        let first = tokio::select! {
            biased;
            first = waiting.recv() => first,
            () = cancel.cancelled() => {
                waiting.close();
                waiting.recv().await
            }
        };
        let Some(first) = first else { return };
        let mut batch = vec![first];
        while batch.len() < BATCH_ENTRIES
            && let Ok(next) = waiting.try_recv()
        {
            batch.push(next);
        }
        while let Some(first) = batch.first() {
            let entries: Vec<_> = batch.iter().map(|waiting| waiting.entry.clone()).collect();
            let attempt = timeout_at(first.deadline, database.append(node, &entries)).await;
            if let Ok(Ok(outcomes)) = attempt {
                for (waiting, outcome) in batch.drain(..).zip(outcomes) {
                    let _ = waiting.answer.send(Ok(outcome));
                }
                break;
            }
            let now = Instant::now();
            let (still, late): (Vec<_>, Vec<_>) = batch
                .into_iter()
                .partition(|waiting| waiting.deadline > now);
            for waiting in late {
                database.refuse(&waiting.entry.client_id);
                let _ = waiting.answer.send(Err(ErrorCode::Unavailable.into()));
            }
            batch = still;
            sleep(RETRY_PAUSE).await;
        }
    }
}
