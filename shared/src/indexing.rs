//! Keeps the index of the search near the log. What is not in it yet is found all the same, by reading it.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::store::{self, Store};

/// How long it rests after there was something to do.
const SOON: Duration = Duration::from_secs(1);
/// The longest rest, which it comes to while there is nothing.
const LATE: Duration = Duration::from_secs(30);
/// How many rooms are taken at once.
const ROOMS: u32 = 64;

/// Indexes until `cancel`. Several nodes may do it at once: of one room, one after the other.
pub async fn run(store: Store, cancel: CancellationToken) {
    let mut rest = SOON;
    loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(rest) => {}
        }
        let indexed = tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            indexed = index(&store) => indexed,
        };
        rest = match indexed {
            Ok(0) => (rest * 2).min(LATE),
            Ok(stretches) => {
                tracing::debug!(stretches, "indexed for the search");
                SOON
            }
            Err(error) => {
                tracing::warn!(%error, "what was written cannot be indexed, trying again");
                LATE
            }
        };
    }
}

/// Takes everything into the index that is full, and brings up to date what an earlier version left there; says how many
/// stretches that were.
///
/// # Errors
/// When the store cannot answer.
pub async fn index(store: &Store) -> store::Result<usize> {
    let mut indexed = 0;
    loop {
        let rooms = store.rooms_to_index(ROOMS).await?;
        for room in &rooms {
            indexed += store.index(*room).await?;
        }
        if rooms.is_empty() {
            let told = store.tell_ends().await?;
            indexed += told;
            if told == 0 {
                return Ok(indexed);
            }
        }
    }
}
