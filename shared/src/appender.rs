//! Group commit without a timer: while one batch is being stored, the next one fills. Everybody who
//! sends hands entries in here and waits for a receipt; what an entry is allowed to do is the store's
//! to say.
//!
//! A room is bound to one of a few writers, so its batches follow each other and its events come in the
//! order in which they were handed in.

mod aside;

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use aside::Aside;
use protocol::{ErrorCode, RoomId};
use tokio::{
    sync::{mpsc, oneshot},
    task::yield_now,
    time::{Instant, sleep, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    Refusal,
    store::{self, Append, Appended, Store},
};

/// Entries that wait for one writer. Full, a sender is told `unavailable` at once: to wait longer for a
/// store that does not keep up helps nobody.
const QUEUE_ENTRIES: usize = 8_192;
/// Most entries of a batch: about what a store takes in the time that a person does not notice.
const BATCH_ENTRIES: usize = 1_024;
/// Most bytes of text in a batch.
const BATCH_BYTES: usize = 512 * 1_024;
/// How long an entry waits in all, a database that is away included.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two attempts while the database is away.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Where messages are handed in to be stored. Cloning gives the same.
#[derive(Clone)]
pub struct Appender {
    writers: Vec<mpsc::Sender<Waiting>>,
}

/// The store's answer to one entry, once it is committed. Dropping it takes nothing back.
#[derive(Debug)]
pub struct Receipt(oneshot::Receiver<Result<Appended, Refusal>>);

impl Appender {
    /// Starts so many writers. After `cancel` they store what was handed in, then end.
    pub fn start(
        store: &Store,
        writers: usize,
        tracker: &TaskTracker,
        cancel: &CancellationToken,
    ) -> Self {
        let start = |_| {
            let (sender, entries) = mpsc::channel(QUEUE_ENTRIES);
            let writer = Writer {
                store: store.clone(),
                entries,
                left_over: None,
                aside: Aside::default(),
            };
            tracker.spawn(writer.run(cancel.clone()));
            sender
        };
        Self {
            writers: (0..writers.max(1)).map(start).collect(),
        }
    }

    /// Hands in an entry. Entries of one room are stored in the order of these calls.
    ///
    /// # Errors
    /// `unavailable` when too many wait already, or when the server is going away.
    pub fn submit(&self, entry: Append) -> Result<Receipt, Refusal> {
        let (answer, receipt) = Receipt::pair();
        let writer = &self.writers[self.writer_of(entry.room)];
        let waiting = Waiting {
            entry,
            answer,
            deadline: Instant::now() + PATIENCE,
        };
        writer.try_send(waiting).map_err(|_| unavailable())?;
        Ok(receipt)
    }

    fn writer_of(&self, room: RoomId) -> usize {
        let writers = u64::try_from(self.writers.len()).unwrap_or(1);
        usize::try_from(xxh3_64(room.uuid().as_bytes()) % writers).unwrap_or(0)
    }
}

impl Receipt {
    /// A receipt, and what it will say. When that is dropped it says `unavailable`.
    pub fn pair() -> (oneshot::Sender<Result<Appended, Refusal>>, Self) {
        let (answer, receipt) = oneshot::channel();
        (answer, Self(receipt))
    }
}

impl Future for Receipt {
    type Output = Result<Appended, Refusal>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = std::task::ready!(Pin::new(&mut self.0).poll(context));
        Poll::Ready(answer.unwrap_or_else(|_| Err(unavailable())))
    }
}

fn unavailable() -> Refusal {
    Refusal::from(ErrorCode::Unavailable).retry_after(Duration::from_secs(1))
}

/// An entry, who waits for it, and until when.
struct Waiting {
    entry: Append,
    answer: oneshot::Sender<Result<Appended, Refusal>>,
    deadline: Instant,
}

/// Stores the entries of some of the rooms, one batch at a time.
struct Writer {
    store: Store,
    entries: mpsc::Receiver<Waiting>,
    /// What did not fit into the batch before.
    left_over: Option<Waiting>,
    /// Rooms that are locked.
    aside: Aside,
}

impl Writer {
    async fn run(mut self, cancel: CancellationToken) {
        while let Some(first) = self.next(&cancel).await {
            // Whoever is about to hand something in, too, does so first: what one turn of the process brings shares a
            // batch.
            yield_now().await;
            let batch = self.fill(first);
            if let Err(locked) = store_batch(&self.store, batch).await {
                self.aside.put(&self.store, locked);
            }
        }
        self.aside.finish(&self.store).await;
    }

    /// The entry that begins the next batch; nothing after `cancel` once all is stored.
    async fn next(&mut self, cancel: &CancellationToken) -> Option<Waiting> {
        loop {
            let next = match self.left_over.take() {
                Some(left_over) => left_over,
                None => tokio::select! {
                    // Rooms come back before more of theirs is set aside; what waits is stored before
                    // the end.
                    biased;
                    () = self.aside.turn(&self.store) => continue,
                    entry = self.entries.recv() => entry?,
                    () = cancel.cancelled() => {
                        self.entries.close();
                        self.entries.recv().await?
                    }
                },
            };
            if let Some(first) = self.aside.take(next) {
                return Some(first);
            }
        }
    }

    /// Everything that waits already, up to what one statement takes.
    fn fill(&mut self, first: Waiting) -> Vec<Waiting> {
        let mut bytes = first.entry.body.as_str().len();
        let mut batch = vec![first];
        while batch.len() < BATCH_ENTRIES {
            let Ok(next) = self.entries.try_recv() else {
                break;
            };
            let Some(next) = self.aside.take(next) else {
                continue;
            };
            bytes += next.entry.body.as_str().len();
            if bytes > BATCH_BYTES {
                self.left_over = Some(next);
                break;
            }
            batch.push(next);
        }
        batch
    }
}

/// Stores a batch, however often that takes. A repeated batch is the same entries, so that one whose
/// commit went through while its answer was lost finds itself stored.
///
/// # Errors
/// What is not stored because somebody else has locked its room, or another room of the batch.
async fn store_batch(store: &Store, mut batch: Vec<Waiting>) -> Result<(), Vec<Waiting>> {
    while let Some(first) = batch.first() {
        let entries: Vec<&Append> = batch.iter().map(|waiting| &waiting.entry).collect();
        // Entries come in order, so the first is the one whose time is over first.
        let attempt = timeout_at(first.deadline, store.append(&entries)).await;
        match attempt.unwrap_or(Err(store::Error::Unavailable(sqlx::Error::PoolTimedOut))) {
            Ok(outcomes) => {
                batch
                    .into_iter()
                    .zip(outcomes)
                    .for_each(|(waiting, outcome)| waiting.answer(Ok(outcome)));
                return Ok(());
            }
            Err(error) if error.is_lock() => {
                tracing::warn!(
                    entries = entries.len(),
                    "a room is locked, its entries wait apart"
                );
                return Err(batch);
            }
            Err(store::Error::Unavailable(error)) => {
                tracing::warn!(%error, entries = entries.len(), "the database is away, a batch waits");
                batch = give_up_late(batch);
                if !batch.is_empty() {
                    sleep(RETRY_PAUSE).await;
                }
            }
            Err(error) if batch.len() > 1 => {
                tracing::warn!(%error, entries = entries.len(), "a batch fails, its entries are stored one by one");
                let mut locked = Vec::new();
                for waiting in batch {
                    let stored = Box::pin(store_batch(store, vec![waiting])).await;
                    locked.extend(stored.err().into_iter().flatten());
                }
                return if locked.is_empty() {
                    Ok(())
                } else {
                    Err(locked)
                };
            }
            Err(error) => {
                let refusal = Refusal::from(error);
                batch
                    .into_iter()
                    .for_each(|waiting| waiting.answer(Err(refusal.clone())));
                return Ok(());
            }
        }
    }
    Ok(())
}

impl Waiting {
    /// Who has gone meanwhile learns of it from the log.
    fn answer(self, answer: Result<Appended, Refusal>) {
        let _ = self.answer.send(answer);
    }
}

/// Answers those whose time is over, and gives back the others. One that is given up may have been
/// stored by an attempt whose answer was lost: the resend that follows tells.
fn give_up_late(batch: Vec<Waiting>) -> Vec<Waiting> {
    let now = Instant::now();
    let (waiting, late): (Vec<_>, Vec<_>) =
        batch.into_iter().partition(|entry| entry.deadline > now);
    for entry in late {
        entry.answer(Err(unavailable()));
    }
    waiting
}
