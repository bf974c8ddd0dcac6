//! The node that a room is with, when it is another than this one: what was asked of it, and how long it
//! is waited for. What it says is the room's to take in.

use protocol::{RoomId, Seq};
use tokio::time::{Duration, Instant};

use crate::peers::{
    Link,
    frame::{Present, Word},
};

/// A room's hold on the node that it is with. Dropped, the node is told that it is let go.
pub(super) struct Upstream {
    room: RoomId,
    link: Link,
    /// Whether it ever answered: then everything that happens comes from it.
    is_attached: bool,
    /// Whether it was asked and has not answered.
    is_asked: bool,
    /// When it is asked the next time, if nothing else comes.
    asks_at: Option<Instant>,
    /// Until when it may bring what is known to follow; then the store is read.
    brings_until: Option<Instant>,
}

/// An answer that takes so long does not come.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);
/// After how long something is tried to be said again when too much waits to be said already.
const SAYS_AGAIN: Duration = Duration::from_millis(250);
/// How long the link has to bring an event that is known to exist: a few times as long as it takes when
/// nothing is wrong, and too short for people to notice.
const BRINGS_WITHIN: Duration = Duration::from_millis(150);

impl Upstream {
    /// It has to be asked.
    pub(super) fn new(room: RoomId, link: Link) -> Self {
        Self {
            room,
            link,
            is_attached: false,
            is_asked: false,
            asks_at: Some(Instant::now()),
            brings_until: None,
        }
    }

    /// The way to it.
    pub(super) const fn link(&self) -> &Link {
        &self.link
    }

    /// Whether something came from it.
    pub(super) fn is_with(&self, link: &Link) -> bool {
        self.link.is_same(link)
    }

    /// Whether it has to be asked now.
    pub(super) fn must_ask(&self) -> bool {
        self.asks_at.is_some_and(|at| at <= Instant::now())
    }

    /// Asks for what happens after a place, and says who is here.
    pub(super) fn ask(&mut self, after: Seq, here: Vec<Present>) {
        let is_said = self.link.say(self.room, Word::Attach { after, here });
        self.is_asked = is_said.is_ok();
        let wait = if self.is_asked {
            ANSWERS_WITHIN
        } else {
            SAYS_AGAIN
        };
        self.asks_at = Some(Instant::now() + wait);
    }

    /// It answered. What could not be said since it was asked still has to be.
    pub(super) const fn answered(&mut self) {
        self.is_attached = true;
        if self.is_asked {
            self.is_asked = false;
            self.asks_at = None;
        }
    }

    /// Something that it said is lost. What it is being asked already brings that, too.
    pub(super) fn lost(&mut self) {
        if !self.is_asked {
            self.asks_at = Some(Instant::now());
        }
    }

    /// Says something that it may miss until it is asked again, which then is soon.
    pub(super) fn say(&mut self, word: Word) {
        // What is not said before it is asked is part of what is said then.
        if (self.is_asked || self.is_attached) && self.link.say(self.room, word).is_err() {
            self.is_asked = false;
            self.asks_at = Some(Instant::now() + SAYS_AGAIN);
        }
    }

    /// It brought something, or everything.
    pub(super) fn brought(&mut self, is_everything: bool) {
        self.brings_until = (!is_everything).then(|| Instant::now() + BRINGS_WITHIN);
    }

    /// It has nothing more to bring.
    pub(super) fn gives_up(&mut self) {
        self.brings_until = Some(Instant::now());
    }

    /// Whether it may still bring what is known to follow.
    pub(super) fn may_bring(&mut self) -> bool {
        let now = Instant::now();
        *self.brings_until.get_or_insert(now + BRINGS_WITHIN) > now
    }

    /// When there is something to do even if nothing happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let brings_until = self.brings_until.filter(|at| *at > Instant::now());
        [self.asks_at, brings_until].into_iter().flatten().min()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        // Not said because too much waits to be said: it is, once something comes from there.
        let _ = self.link.say(self.room, Word::Detach);
    }
}

#[cfg(test)]
mod tests {
    use protocol::UserId;
    use tokio::time::sleep;
    use uuid::Uuid;

    use super::*;
    use crate::outbox::Capacity;

    #[tokio::test(start_paused = true)]
    async fn an_answer_does_not_stand_for_what_could_not_be_said_since() {
        let capacity = Capacity {
            bytes: 10_000,
            frames: 1,
        };
        let link = Link::new("another".into(), capacity);
        let mut upstream = Upstream::new(RoomId::from_uuid(Uuid::nil()), link);
        upstream.ask(Seq::ZERO, Vec::new());
        // The question alone fills the queue.
        upstream.say(Word::Away(UserId::from_uuid(Uuid::nil())));
        upstream.answered();
        sleep(SAYS_AGAIN).await;
        assert!(upstream.must_ask());
    }
}
