//! What one socket asked for and was not answered yet: it is counted, and there is a most.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Counts. It takes memory from the first on.
pub(super) struct Unanswered<const MOST: u32> {
    permits: Option<Arc<Semaphore>>,
}

impl<const MOST: u32> Unanswered<MOST> {
    pub(super) const fn none_yet() -> Self {
        Self { permits: None }
    }

    /// Counts one more until the answer is dropped; nothing if it would be too many.
    pub(super) fn add(&mut self) -> Option<OwnedSemaphorePermit> {
        let permits = self
            .permits
            .get_or_insert_with(|| Arc::new(Semaphore::new(MOST as usize)));
        Arc::clone(permits).try_acquire_owned().ok()
    }

    /// Whether there may be one more.
    pub(super) fn has_room(&self) -> bool {
        let permits = self.permits.as_ref();
        permits.is_none_or(|permits| permits.available_permits() > 0)
    }

    /// Waits until there may be one more. Cancel-safe.
    pub(super) fn room(&self) -> impl Future<Output = ()> + use<MOST> {
        let permits = self.permits.clone();
        async move {
            if let Some(permits) = permits {
                drop(permits.acquire_owned().await);
            }
        }
    }

    /// Waits until all are answered.
    pub(super) fn none(&self) -> impl Future<Output = ()> + use<MOST> {
        let permits = self.permits.clone();
        async move {
            if let Some(permits) = permits {
                drop(permits.acquire_many_owned(MOST).await);
            }
        }
    }
}
