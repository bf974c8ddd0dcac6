//! Forgetting what nobody can use any more, so that the store holds what is alive. It forgets nothing
//! that a person made.

use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::{
    Clock,
    store::{self, Store},
};

const EVERY: Duration = Duration::from_secs(3_600);
/// A session that ended is kept for a while: to look at, should somebody ask what happened.
const SESSIONS_KEPT: Duration = Duration::from_secs(7 * 86_400);
/// Long enough to see why a mail was given up.
const MAILS_KEPT: Duration = Duration::from_secs(8 * 86_400);
/// Long after every other node took it for dead.
const NODES_KEPT: Duration = Duration::from_secs(86_400);

/// Forgets once an hour until `cancel`. Several nodes may do it at once.
pub async fn run(store: Store, clock: Clock, cancel: CancellationToken) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            _ = tick.tick() => {}
        }
        if let Err(error) = forget(&store, &clock).await {
            tracing::warn!(%error, "what has ended cannot be forgotten, trying again in an hour");
        }
    }
}

async fn forget(store: &Store, clock: &Clock) -> store::Result<()> {
    let before = clock.now().before(SESSIONS_KEPT);
    let mut sessions = 0;
    loop {
        let forgotten = store.forget_sessions(before).await?;
        sessions += forgotten;
        if forgotten == 0 {
            break;
        }
    }
    let mails = store
        .forget_mails(clock.now().before(MAILS_KEPT), clock.now())
        .await?;
    let nodes = store.forget_nodes(NODES_KEPT).await?;
    tracing::debug!(sessions, mails, nodes, "forgot what had ended");
    Ok(())
}
