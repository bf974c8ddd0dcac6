//! Erases deleted rooms whose time is over, a piece at a time, so that nobody waits for it. What is being
//! erased nobody can find or bring back any more.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::{
    Clock,
    store::{self, Store},
};

/// How long it rests when there is nothing to erase.
const REST: Duration = Duration::from_secs(60);
/// How many rooms are taken at once.
const ROOMS: u32 = 16;
/// How many places of a log are one piece: what a writer waits for on SQLite, which has one.
const PLACES: u32 = 500;
/// Between two pieces others write.
const BETWEEN: Duration = Duration::from_millis(20);

/// Erases until `cancel`. Several nodes may do it at once: of one room, one after the other.
pub async fn run(store: Store, clock: Clock, cancel: CancellationToken) {
    loop {
        let erased = tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            erased = erase(&store, &clock) => erased,
        };
        match erased {
            Ok(0) => {}
            Ok(rooms) => tracing::info!(rooms, "erased deleted rooms"),
            Err(error) => {
                tracing::warn!(%error, "deleted rooms cannot be erased, trying again");
            }
        }
        tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(REST) => {}
        }
    }
}

/// Erases every deleted room whose time is over, and says how many those were.
///
/// # Errors
/// When the store cannot answer.
pub async fn erase(store: &Store, clock: &Clock) -> store::Result<usize> {
    let mut erased = 0;
    loop {
        let rooms = store.rooms_to_erase(clock.now(), ROOMS).await?;
        if rooms.is_empty() {
            return Ok(erased);
        }
        for room in &rooms {
            while !store.erase_room(*room, PLACES, clock.now()).await? {
                tokio::time::sleep(BETWEEN).await;
            }
            tracing::info!(room.id = %room, "erased a deleted room");
        }
        erased += rooms.len();
    }
}
