//! What everybody of the crowd looks at, and what is seen of them while they are at it: a few counts,
//! and how far each has come.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use protocol::{RoomId, Seq};
use tokio::{
    sync::{Notify, watch},
    time::sleep,
};

use crate::diary::{Moment, Stopwatch};

/// What everybody is told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Signal {
    /// What they are at.
    pub(crate) phase: Phase,
    /// Raised when everybody is to write something at once.
    pub(crate) probes: u64,
    /// Raised when sockets are to be dropped.
    pub(crate) stampedes: u64,
}

/// What everybody is at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Writing, coming and going.
    #[default]
    Busy,
    /// Listening only.
    Quiet,
    /// Going home.
    Over,
}

/// What is seen of the crowd.
#[derive(Debug)]
pub(crate) struct Board {
    stopwatch: Stopwatch,
    /// Messages that were written.
    pub(crate) sent: AtomicU64,
    /// Messages that were acked.
    pub(crate) acked: AtomicU64,
    /// Events that came.
    pub(crate) delivered: AtomicU64,
    /// Sockets that are open.
    pub(crate) live: AtomicI64,
    /// What is to be settled before it is quiet: messages without an answer, people out of a room.
    unsettled: AtomicI64,
    settled: Notify,
    reached: Mutex<HashMap<(usize, RoomId), Seq>>,
    /// How often somebody came again after they had been removed.
    returns: watch::Sender<HashMap<(usize, RoomId), u64>>,
}

/// How often it is looked whether everybody has everything.
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Board {
    pub(super) fn new(stopwatch: Stopwatch) -> Self {
        Self {
            stopwatch,
            sent: AtomicU64::default(),
            acked: AtomicU64::default(),
            delivered: AtomicU64::default(),
            live: AtomicI64::default(),
            unsettled: AtomicI64::default(),
            settled: Notify::new(),
            reached: Mutex::default(),
            returns: watch::Sender::default(),
        }
    }

    /// This moment.
    pub(crate) fn now(&self) -> Moment {
        self.stopwatch.now()
    }

    /// Waits until so many sockets are open, at most for `within`.
    pub(crate) async fn until_live(&self, count: usize, within: Duration) {
        let by = self.now().after(within);
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        while self.live.load(Ordering::Relaxed) < count && self.now() < by {
            sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until each who follows a room has come as far as `heads` says; false after `within`.
    pub(crate) async fn until_reached(
        &self,
        heads: &HashMap<RoomId, Seq>,
        within: Duration,
    ) -> bool {
        let by = self.now().after(within);
        loop {
            let is_there = |((_, room), seq): (&(usize, RoomId), &Seq)| {
                heads.get(room).is_none_or(|head| seq >= head)
            };
            let everybody = {
                let reached = self
                    .reached
                    .lock()
                    .expect("nothing panics while holding this");
                reached.iter().all(is_there)
            };
            if everybody || self.now() > by {
                return everybody;
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// How far somebody has come in a room.
    pub(super) fn reached(&self, client: usize, room: RoomId, seq: Seq) {
        let mut reached = self
            .reached
            .lock()
            .expect("nothing panics while holding this");
        reached.insert((client, room), seq);
        self.delivered.fetch_add(1, Ordering::Relaxed);
    }

    /// Somebody is a member again.
    pub(super) fn came_back(&self, client: usize, room: RoomId) {
        self.returns
            .send_modify(|returns| *returns.entry((client, room)).or_default() += 1);
    }

    /// Waits for the next time that somebody comes again, counted from when this is called.
    pub(super) fn next_return(&self, client: usize, room: RoomId) -> impl Future<Output = ()> {
        let mut returns = self.returns.subscribe();
        let count =
            move |returns: &HashMap<_, u64>| returns.get(&(client, room)).copied().unwrap_or(0);
        let before = count(&returns.borrow());
        async move {
            // This board is gone with everybody who looks at it.
            let _ = returns.wait_for(|now| count(now) > before).await;
        }
    }

    /// Something is to be settled.
    pub(super) fn unsettle(&self) {
        self.unsettled.fetch_add(1, Ordering::SeqCst);
    }

    /// It is.
    pub(super) fn settle(&self) {
        if self.unsettled.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.settled.notify_waiters();
        }
    }

    /// Waits until nothing is left to be settled.
    pub(super) async fn until_settled(&self) {
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            // From here on no notice is missed.
            settled.as_mut().enable();
            if self.unsettled.load(Ordering::SeqCst) == 0 {
                return;
            }
            settled.await;
        }
    }
}
