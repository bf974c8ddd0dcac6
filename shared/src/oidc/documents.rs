//! What a provider says of itself and its keys, kept for an hour, and asked for anew when a key is not among them.

use std::{sync::Arc, time::Duration};

use protocol::Timestamp;
use tokio::sync::Mutex;

use super::{
    NotVouched,
    asking::{Asking, Document},
    id_token::Keys,
};
use crate::Clock;

/// The documents of one provider. Of many who want them at once one asks, and the others wait for that.
#[derive(Default)]
pub(super) struct Documents {
    document: Mutex<Kept<Document>>,
    keys: Mutex<Kept<Keys>>,
}

struct Kept<T> {
    known: Option<(Arc<T>, Timestamp)>,
    failed_at: Option<Timestamp>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self {
            known: None,
            failed_at: None,
        }
    }
}

const KEPT_FOR: Duration = Duration::from_secs(3_600);
/// A token that names a key which is not there makes us ask for the keys no more often than this: anybody can invent names.
const NEWER_AFTER: Duration = Duration::from_secs(30);
/// Who comes so soon after a failure is not kept waiting for another.
const FAILED_FOR: Duration = Duration::from_secs(3);

impl Documents {
    /// What the provider says of itself.
    pub(super) async fn document(
        &self,
        asking: &Asking,
        clock: &Clock,
    ) -> Result<Arc<Document>, NotVouched> {
        let mut kept = self.document.lock().await;
        kept.known_or(KEPT_FOR, clock, async || asking.document().await)
            .await
    }

    /// Its keys.
    pub(super) async fn keys(
        &self,
        asking: &Asking,
        document: &Document,
        clock: &Clock,
    ) -> Result<Arc<Keys>, NotVouched> {
        let mut kept = self.keys.lock().await;
        kept.known_or(KEPT_FOR, clock, async || asking.keys(document).await)
            .await
    }

    /// Its keys, after one was missed.
    pub(super) async fn newer_keys(
        &self,
        asking: &Asking,
        document: &Document,
        clock: &Clock,
    ) -> Result<Arc<Keys>, NotVouched> {
        let mut kept = self.keys.lock().await;
        kept.known_or(NEWER_AFTER, clock, async || asking.keys(document).await)
            .await
    }
}

impl<T> Kept<T> {
    /// What is known, if it is not older than `within`; else what `ask` answers.
    async fn known_or(
        &mut self,
        within: Duration,
        clock: &Clock,
        ask: impl AsyncFnOnce() -> Result<T, NotVouched>,
    ) -> Result<Arc<T>, NotVouched> {
        let now = clock.now();
        if let Some((known, at)) = &self.known
            && now.since(*at) < within
        {
            return Ok(Arc::clone(known));
        }
        if self.failed_at.is_some_and(|at| now.since(at) < FAILED_FOR) {
            return Err(NotVouched::JustFailed);
        }
        match ask().await {
            Ok(fresh) => {
                let fresh = Arc::new(fresh);
                self.known = Some((Arc::clone(&fresh), clock.now()));
                self.failed_at = None;
                Ok(fresh)
            }
            Err(error) => {
                self.failed_at = Some(clock.now());
                Err(error)
            }
        }
    }
}
