//! The logs of the rooms, as live rooms and the sockets that follow them need them: where messages get
//! their places, and where what others wrote is read. What may be written or read is the store's to say.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use protocol::{Limits, RoomId, Seq, UserId, events::Event, frame::Subscribe};
use shared::{
    App, Refusal,
    appender::{Appender, Receipt},
    store::{Append, Head, Resume, Store},
};

/// The logs of all rooms. The store and its appender are the one that serves people; a simulation brings
/// another.
pub(crate) trait Log: Send + Sync + 'static {
    /// Hands in a message. Those of one room are stored in the order of these calls.
    ///
    /// # Errors
    /// `unavailable` when too many wait already.
    fn submit(&self, append: Append) -> Result<Receipt, Refusal>;

    /// The events after a place, at most `limit`.
    fn events(
        &self,
        room: RoomId,
        after: Seq,
        limit: u32,
    ) -> BoxFuture<'static, Result<Vec<Event>, Refusal>>;

    /// Where the logs of rooms stand.
    fn heads(&self, rooms: Vec<RoomId>) -> BoxFuture<'static, Result<Vec<Head>, Refusal>>;

    /// What somebody who may follow a room has missed of it.
    fn resume(&self, user: UserId, wish: &Subscribe)
    -> BoxFuture<'static, Result<Resume, Refusal>>;
}

/// The logs in the store.
pub(crate) struct Stored {
    store: Store,
    appender: Appender,
    limits: Arc<Limits>,
}

impl Stored {
    /// Those of the store that `app` stands on.
    pub(crate) fn new(app: &App) -> Self {
        Self {
            store: app.store.clone(),
            appender: app.appender.clone(),
            limits: Arc::new(app.settings.limits.clone()),
        }
    }
}

impl Log for Stored {
    fn submit(&self, append: Append) -> Result<Receipt, Refusal> {
        self.appender.submit(append)
    }

    fn events(
        &self,
        room: RoomId,
        after: Seq,
        limit: u32,
    ) -> BoxFuture<'static, Result<Vec<Event>, Refusal>> {
        let store = self.store.clone();
        Box::pin(async move { Ok(store.events(room, after, limit).await?) })
    }

    fn heads(&self, rooms: Vec<RoomId>) -> BoxFuture<'static, Result<Vec<Head>, Refusal>> {
        let store = self.store.clone();
        Box::pin(async move { Ok(store.heads(&rooms).await?) })
    }

    fn resume(
        &self,
        user: UserId,
        wish: &Subscribe,
    ) -> BoxFuture<'static, Result<Resume, Refusal>> {
        let (store, limits) = (self.store.clone(), Arc::clone(&self.limits));
        let Subscribe {
            room,
            after,
            after_id,
            limit,
        } = *wish;
        Box::pin(async move {
            Ok(store
                .resume(room, user, after, after_id, limit, &limits)
                .await?)
        })
    }
}
