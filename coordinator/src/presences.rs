//! Tells the whole server who is here on this node, without a socket ever waiting for it. Who is in
//! which room is each room's roster's to know.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    mem,
    sync::{Arc, Mutex, MutexGuard},
};

use futures_util::{StreamExt, stream};
use protocol::{ConnectionId, UserId, frame::PresenceState};
use shared::presence::Presence;
use tokio::{
    sync::Notify,
    time::{Duration, Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// What is to be told. Cloning gives the same.
#[derive(Clone, Default)]
pub(crate) struct Presences(Arc<Shared>);

#[derive(Default)]
struct Shared {
    news: Mutex<News>,
    come: Notify,
}

/// At most one entry for each live or lingering socket.
#[derive(Default)]
struct News {
    states: HashMap<(UserId, ConnectionId), PresenceState>,
    /// Sockets that ended, in that order, and until when they count.
    lingering: VecDeque<(Instant, UserId, ConnectionId)>,
}

/// How long somebody without a socket still counts as here: a page that is loaded again takes less.
const LINGER: Duration = Duration::from_secs(8);
/// How many are told at once.
const AT_ONCE: usize = 32;
/// As long may telling who has gone take at the very end; who is not told of is forgotten with the
/// node.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl Presences {
    /// Notes how a user is here on a socket; only the latest counts.
    pub(crate) fn note(&self, user: UserId, connection: ConnectionId, state: PresenceState) {
        self.news().states.insert((user, connection), state);
        self.0.come.notify_one();
    }

    /// Notes that a socket has ended.
    pub(crate) fn clear(&self, user: UserId, connection: ConnectionId) {
        let until = Instant::now() + LINGER;
        self.news().lingering.push_back((until, user, connection));
        self.0.come.notify_one();
    }

    /// Tells, until `cancel`; then tells once more who has gone.
    pub(crate) async fn tell(self, presence: Presence, cancel: CancellationToken) {
        loop {
            let next = self.news().lingering.front().map(|(until, ..)| *until);
            // Ending comes first; the rest can wait for each other.
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                () = self.0.come.notified() => {}
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            }
            self.tell_news(&presence, Instant::now()).await;
        }
        let all = self.tell_news(&presence, Instant::now() + LINGER);
        drop(tokio::time::timeout(LAST_WORDS, all).await);
    }

    async fn tell_news(&self, presence: &Presence, now: Instant) {
        let (states, gone) = {
            let mut news = self.news();
            let mut states: BTreeMap<_, _> = mem::take(&mut news.states).into_iter().collect();
            let mut gone = Vec::new();
            while let Some((_, user, connection)) = news.lingering.pop_front_if(|it| it.0 <= now) {
                // What was never told need not be taken back, and must not be told after it.
                states.remove(&(user, connection));
                gone.push((user, connection));
            }
            (states, gone)
        };
        let set = stream::iter(states).for_each_concurrent(
            AT_ONCE,
            async |((user, connection), state)| {
                presence.set(user, connection, state).await;
            },
        );
        set.await;
        let clear = stream::iter(gone).for_each_concurrent(AT_ONCE, async |(user, connection)| {
            presence.clear(user, connection).await;
        });
        clear.await;
    }

    fn news(&self) -> MutexGuard<'_, News> {
        self.0
            .news
            .lock()
            .expect("nothing panics while it holds the news")
    }
}
