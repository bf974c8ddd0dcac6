//! At most one thing that is being done beside a loop: a loop waits for it in its `select!`, whether
//! there is one or not.

use std::{
    future::poll_fn,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;

/// Something under way, or nothing.
pub(crate) struct Errand<T>(Option<BoxFuture<'static, T>>);

impl<T> Default for Errand<T> {
    fn default() -> Self {
        Self::idle()
    }
}

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
        poll_fn(|cx| self.poll_done(cx)).await
    }

    /// Whether what is under way has come to its end.
    pub(crate) fn poll_done(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        let Some(errand) = &mut self.0 else {
            return Poll::Pending;
        };
        let done = errand.as_mut().poll(cx);
        if done.is_ready() {
            self.0 = None;
        }
        done
    }
}
