//! Read marks of the sockets of this node: gathered, and stored every second in one statement. Only what is
//! stored is told.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, MutexGuard},
};

use metrics::counter;
use protocol::{RoomId, Seq, UserId};
use shared::{App, news::Told, store::ReadMark};
use tokio::{
    sync::Notify,
    time::{Duration, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// What was read. Cloning gives the same.
#[derive(Clone, Default)]
pub(crate) struct Reads(Arc<Shared>);

#[derive(Default)]
struct Shared {
    marks: Mutex<Marks>,
    many: Notify,
}

type Marks = HashMap<(RoomId, UserId), Seq>;

const STORED_EVERY: Duration = Duration::from_secs(1);
/// So many are stored without waiting for the second to end.
const MANY: usize = 4_096;
/// More are not kept while the store is away: the client marks again when it reads on.
const MOST: usize = 65_536;

impl Reads {
    /// Notes how far somebody has read; marks only move forward.
    pub(crate) fn mark(&self, room: RoomId, user: UserId, seq: Seq) {
        let mut marks = self.marks();
        if marks.len() >= MOST && !marks.contains_key(&(room, user)) {
            counter!("chatx_reads_lost_total").increment(1);
            return;
        }
        let mark = marks.entry((room, user)).or_default();
        *mark = seq.max(*mark);
        if marks.len() >= MANY {
            self.0.many.notify_one();
        }
    }

    /// Stores what is gathered, again and again until `cancel`, and a last time then.
    pub(crate) async fn keep(self, app: App, cancel: CancellationToken) {
        let mut tick = interval(STORED_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Ending comes first, with all that is left.
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                () = self.0.many.notified() => {}
                _ = tick.tick() => {}
            }
            let moved = self.store(&app).await;
            app.news
                .tell_all(moved.into_iter().map(Told::from).collect())
                .await;
        }
        self.store(&app).await;
    }

    /// Stores what is gathered now, and answers which marks moved.
    pub(crate) async fn store(&self, app: &App) -> Vec<ReadMark> {
        let marks = mem::take(&mut *self.marks());
        if marks.is_empty() {
            return Vec::new();
        }
        let rows: Vec<_> = marks
            .iter()
            .map(|((room, user), seq)| (*room, *user, *seq))
            .collect();
        match app.store.mark_reads(&rows, app.clock.now()).await {
            Ok(moved) => moved,
            Err(error) => {
                warn!(%error, marks = rows.len(), "read marks are not stored yet");
                for ((room, user), seq) in marks {
                    self.mark(room, user, seq);
                }
                Vec::new()
            }
        }
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.0
            .marks
            .lock()
            .expect("nothing panics while it holds the marks")
    }
}
