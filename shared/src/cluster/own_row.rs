//! Being a node: this process's row is renewed for as long as it lives, and it knows when the others no
//! longer count it. What it then does about its rooms and sockets is not decided here: order comes from
//! the store, so a node that nobody counts is slow to hear of things and never wrong.

use std::{future::pending, time::Duration};

use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Cluster, DEAD_AFTER, Node};

/// Why the other nodes do not count this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCounted {
    /// Its row was not renewed in time.
    #[error("this node counts as dead: its row in the database could not be renewed in time")]
    Dead,
    /// Its row is another's.
    #[error("another process took this node's name: give each its own CHATX_NODE")]
    NameTaken,
}

/// What a process knows of its own row.
#[derive(Clone, Copy, Default)]
pub(super) enum OwnRow {
    /// It is no node and has none.
    #[default]
    None,
    /// It has one that was renewed then, or later: the answer takes its time.
    Renewed(Instant),
    /// Another process has it.
    Taken,
}

impl OwnRow {
    fn check(self) -> Result<(), NotCounted> {
        match self {
            Self::Taken => Err(NotCounted::NameTaken),
            _ if self.is_older_than(DEAD_AFTER) => Err(NotCounted::Dead),
            Self::None | Self::Renewed(_) => Ok(()),
        }
    }

    /// Whether it was not renewed for so long.
    fn is_older_than(self, span: Duration) -> bool {
        matches!(self, Self::Renewed(at) if at.elapsed() >= span)
    }
}

/// A renewal is answered at once, as a rule. After so long without one, the store is out of this node's reach.
const OUT_OF_REACH_AFTER: Duration = Duration::from_millis(2_500);
const RENEW_EVERY: Duration = Duration::from_secs(1);
/// How long one renewal may take: after one that is lost there is time for another.
const RENEW_WITHIN: Duration = Duration::from_secs(2);

impl Cluster {
    /// Whether the other nodes count this process, or it is none of them.
    ///
    /// # Errors
    /// Why they do not.
    pub fn check(&self) -> Result<(), NotCounted> {
        self.0.own_row.borrow().check()
    }

    /// Whether this process is a node that is about to go, which the store may not show yet.
    pub(crate) fn is_draining(&self) -> bool {
        let draining = self.0.draining.get();
        draining.is_some_and(CancellationToken::is_cancelled)
    }

    /// Tells whenever it changes whether this node reaches the store; in the beginning it does.
    pub async fn watch_reach(&self, tell: impl Fn(bool)) {
        self.follow(
            OUT_OF_REACH_AFTER,
            |row| !row.is_older_than(OUT_OF_REACH_AFTER),
            true,
            tell,
        )
        .await;
    }

    /// Keeps `node` alive in the eyes of the others until `cancel`, then takes it out. From `draining`
    /// on it is shown as draining. Its name is taken from whoever has it, as when a node that was killed
    /// starts again; from then on it is given up to whoever takes it, and taken back only when it is free.
    pub async fn run(&self, node: Node, draining: CancellationToken, cancel: CancellationToken) {
        let incarnation = Uuid::new_v4();
        self.0.draining.get_or_init(|| draining.clone());
        self.0.own_row.send_replace(OwnRow::Renewed(Instant::now()));
        tokio::select! {
            () = self.beat(&node, incarnation, draining, cancel) => {}
            () = self.tell_who_counts(&node.name) => {}
        }
        if let Err(error) = self.0.store.remove_node(&node.name, incarnation).await {
            tracing::warn!(%error, node = node.name, "the node cannot be taken out, others will see it die");
        }
        self.0.own_row.send_replace(OwnRow::None);
    }

    async fn beat(
        &self,
        node: &Node,
        incarnation: Uuid,
        draining: CancellationToken,
        cancel: CancellationToken,
    ) {
        let mut tick = interval(RENEW_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut told_draining, mut was_written, mut has_row) = (false, false, false);
        loop {
            // Ending comes first, then what others should know at once, then the beat.
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                () = draining.cancelled(), if !told_draining => told_draining = true,
                _ = tick.tick() => {}
            }
            let node = Node {
                draining: told_draining,
                ..node.clone()
            };
            let begun = Instant::now();
            let renewal = async {
                if has_row {
                    return self
                        .0
                        .store
                        .renew_node(&node.name, incarnation, node.draining)
                        .await;
                }
                let free_after = if was_written {
                    DEAD_AFTER
                } else {
                    Duration::ZERO
                };
                self.0
                    .store
                    .register_node(&node, incarnation, free_after)
                    .await
            };
            match timeout(RENEW_WITHIN, renewal).await {
                Ok(Ok(true)) => {
                    (was_written, has_row) = (true, true);
                    self.0.own_row.send_replace(OwnRow::Renewed(begun));
                }
                // Gone, or another's: which of the two, the next beat finds out.
                Ok(Ok(false)) if has_row => has_row = false,
                Ok(Ok(false)) => {
                    self.0.own_row.send_replace(OwnRow::Taken);
                }
                Ok(Err(error)) => not_renewed(&node, &error),
                Err(_) => not_renewed(&node, &"no answer in time"),
            }
        }
    }

    /// Says so whenever it begins or ends that the others do not count this node.
    async fn tell_who_counts(&self, node: &str) {
        self.follow(DEAD_AFTER, OwnRow::check, Ok(()), |counts| match counts {
            Ok(()) => tracing::info!(node, "the other nodes count this one again"),
            Err(why) => tracing::error!(node, "{why}"),
        })
        .await;
    }

    /// Tells whenever `judge` comes to say something else of this process's row than `known`: because the row
    /// changed, or because it was not renewed for the time of `patience`.
    async fn follow<T: Copy + PartialEq>(
        &self,
        patience: Duration,
        judge: impl Fn(OwnRow) -> T,
        mut known: T,
        tell: impl Fn(T),
    ) {
        let mut own_row = self.0.own_row.subscribe();
        loop {
            let row = *own_row.borrow_and_update();
            // Before it is judged: what lapses in between is judged once more.
            let lapses_at = match row {
                OwnRow::Renewed(at) => Some(at + patience).filter(|at| *at > Instant::now()),
                OwnRow::None | OwnRow::Taken => None,
            };
            let judged = judge(row);
            if judged != known {
                known = judged;
                tell(judged);
            }
            let lapses = async {
                match lapses_at {
                    Some(at) => sleep_until(at).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                changed = own_row.changed() => changed.expect("the sender lives in `self`"),
                () = lapses => {}
            }
        }
    }
}

fn not_renewed(node: &Node, error: &dyn std::fmt::Display) {
    tracing::warn!(%error, node = node.name, "the node's row cannot be renewed");
}
