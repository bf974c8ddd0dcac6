//! The logs of the rooms, as live rooms and the sockets that follow them need them: where messages get
//! their places, and where what others wrote is read. What may be written or read is the store's to say.

mod resumes;

use futures_util::future::BoxFuture;
use protocol::{ErrorCode, RoomId, Seq, events::Event};
use resumes::Resumes;
use shared::{
    App, Refusal,
    appender::{Appender, Receipt},
    store::{Append, Head, Resume, ResumeFrom, Store},
};
use tokio_util::task::TaskTracker;

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

    /// Where the logs of those of these rooms stand that do not stand there.
    fn moved(&self, known: Vec<(RoomId, Seq)>) -> BoxFuture<'static, Result<Vec<Head>, Refusal>>;

    /// What somebody who may follow a room has missed of it.
    fn resume(&self, from: ResumeFrom) -> BoxFuture<'static, Result<Resume, Refusal>>;
}

/// The logs in the store.
pub(crate) struct Stored {
    store: Store,
    appender: Appender,
    resumes: Resumes,
}

impl Stored {
    /// Those of the store that `app` stands on. What asks it is counted by `tasks`.
    pub(crate) fn new(app: &App, tasks: &TaskTracker) -> Self {
        Self {
            store: app.store.clone(),
            appender: app.appender.clone(),
            resumes: Resumes::new(&app.store, &app.settings.limits, tasks),
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

    fn moved(&self, known: Vec<(RoomId, Seq)>) -> BoxFuture<'static, Result<Vec<Head>, Refusal>> {
        let store = self.store.clone();
        Box::pin(async move { Ok(store.moved(&known).await?) })
    }

    fn resume(&self, from: ResumeFrom) -> BoxFuture<'static, Result<Resume, Refusal>> {
        let answer = self.resumes.ask(from);
        Box::pin(async move {
            answer?
                .await
                .unwrap_or_else(|_| Err(ErrorCode::Unavailable.into()))
        })
    }
}
