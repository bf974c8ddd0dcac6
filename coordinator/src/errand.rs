//! At most one thing that is being done beside a loop: a loop waits for it in its `select!`, whether
//! there is one or not.

use std::future::{pending, poll_fn};

use futures_util::future::BoxFuture;

/// Something under way, or nothing.
pub(crate) struct Errand<T>(Option<BoxFuture<'static, T>>);

impl<T> Errand<T> {
    /// Nothing is under way.
    pub(crate) const fn idle() -> Self {
        Self(None)
    }

    /// Whether nothing is under way.
    pub(crate) const fn is_idle(&self) -> bool {
        self.0.is_none()
    }

    /// Begins; what was under way is given up.
    pub(crate) fn begin(&mut self, errand: impl Future<Output = T> + Send + 'static) {
        self.0 = Some(Box::pin(errand));
    }

    /// Waits for the end of what is under way; for ever if nothing is. Cancel-safe.
    pub(crate) async fn done(&mut self) -> T {
        let Some(errand) = &mut self.0 else {
            return pending().await;
        };
        let done = poll_fn(|cx| errand.as_mut().poll(cx)).await;
        self.0 = None;
        done
    }
}
