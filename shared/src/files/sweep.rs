//! Taking away the content of files that nobody finds any more: those that no message took, those whose
//! message or room is deleted, and what was left of uploads that broke off.
//!
//! Any number of processes may do it at once: what is to go is marked in the store first, and from then on
//! no message can take it; to take away what is gone already does nothing.

use std::time::Duration;

use protocol::FileId;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{
    Error, Files,
    incoming::{blocking, clear},
    place::Key,
};
use crate::{
    Clock,
    store::{self, Store},
};

const EVERY: Duration = Duration::from_secs(60);

/// Why what is to go is still there.
#[derive(Debug, thiserror::Error)]
pub enum Unswept {
    /// The store does not say what is to go.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// It cannot be taken away.
    #[error(transparent)]
    Place(#[from] Error),
}

/// Sweeps once a minute until `cancel`. A file that no message has taken is given up after `unsent_max`.
pub async fn run(
    files: Files,
    store: Store,
    clock: Clock,
    unsent_max: Duration,
    cancel: CancellationToken,
) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            _ = tick.tick() => {}
        }
        if let Err(error) = files.sweep(&store, &clock, unsent_max).await {
            tracing::warn!(%error, "files that are to go are still there, trying again in a minute");
        }
    }
}

impl Files {
    /// Takes away everything that is to go now.
    ///
    /// # Errors
    /// When the store or the place of files is away; what is left goes the next time.
    pub async fn sweep(
        &self,
        store: &Store,
        clock: &Clock,
        unsent_max: Duration,
    ) -> Result<(), Unswept> {
        let incoming = self.incoming.clone();
        let broken_off = blocking(move || clear(&incoming)).await?;
        // Who does not see the files must not forget them.
        if !self.place.is_here().await {
            return Ok(());
        }
        let now = clock.now();
        let unsent = store.drop_unsent_files(now.before(unsent_max), now).await?;
        let of_rooms = store.drop_files_of_deleted_rooms(now).await?;
        let mut removed = 0;
        loop {
            let dropped = store.dropped_files().await?;
            if dropped.is_empty() {
                break;
            }
            self.remove(&dropped).await?;
            store.forget_files(&dropped).await?;
            removed += dropped.len();
        }
        if removed + broken_off > 0 {
            tracing::info!(removed, unsent, of_rooms, broken_off, "files are gone");
        }
        Ok(())
    }

    async fn remove(&self, files: &[FileId]) -> Result<(), Error> {
        for file in files {
            self.place.remove(Key::thumbnail(*file)).await?;
            self.place.remove(Key::whole(*file)).await?;
        }
        Ok(())
    }
}
