//! What one socket asks the store when it begins to follow rooms: what was missed, and where live
//! events begin.

use std::{
    panic::resume_unwind,
    sync::Arc,
    task::{Context, Poll, ready},
};

use protocol::{
    ErrorCode, RoomId, Seq,
    frame::{FrameId, Online, PresenceState, ServerFrame, Subscribe, Subscribed},
};
use shared::{
    Refusal,
    store::{Resume, ResumeFrom},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    task::JoinSet,
};
use tokio_util::task::TaskTracker;

use super::Connection;
use crate::{delivery::Next, encoded::Encoded, room::Room, rooms::Rooms};

/// The questions of one socket that have no answer yet.
#[derive(Default)]
pub(super) struct Openings {
    begun: u64,
    /// Nothing while there are none.
    asked: Option<Box<Asked>>,
}

/// Who asks, and whom.
pub(super) struct Asking {
    pub(super) rooms: Rooms,
    /// Counts what is asked.
    pub(super) tasks: TaskTracker,
    pub(super) connection: Arc<Connection>,
}

struct Asked {
    /// Each is a task: a socket that has no room for more looks at none of them, and one that nobody
    /// looks at would keep its connection to the store from everybody else.
    under_way: JoinSet<Opened>,
    /// How many ask or hold an answer that is not sent yet; the others wait for their turn.
    turns: Arc<Semaphore>,
}

/// Tells an opening that is still wanted from one that was overtaken by another of the same room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opening(u64);

/// A room that somebody wants to follow.
pub(crate) struct Wish {
    /// What the answer echoes.
    pub(crate) id: Option<FrameId>,
    /// From where on.
    pub(crate) subscribe: Subscribe,
    /// How its user is here.
    pub(crate) presence: PresenceState,
}

/// The answer to a wish.
pub(crate) struct Opened {
    pub(super) room: RoomId,
    pub(super) opening: Opening,
    pub(super) id: Option<FrameId>,
    /// How its user was said to be there.
    pub(super) presence: PresenceState,
    pub(super) result: Result<Missed, Refusal>,
    #[expect(dead_code, reason = "the next one has its turn once this is sent")]
    turn: Option<OwnedSemaphorePermit>,
}

/// What was missed, and who is there.
pub(super) struct Missed {
    /// The `subscribed` frame, with as many events as fit.
    pub(super) frame: Encoded,
    /// The place after them.
    pub(super) next: Next,
    /// Where the log stood when this socket's user was a member.
    pub(super) head: Seq,
}

const AT_ONCE: usize = 8;

impl Openings {
    /// How many are under way or wait.
    pub(super) fn len(&self) -> usize {
        self.asked.as_ref().map_or(0, |asked| asked.under_way.len())
    }

    /// Asks, once the room is loaded. It must deliver to this socket already, so that nothing is
    /// missed between the store's answer and what is live.
    pub(super) fn begin(
        &mut self,
        asking: &Asking,
        room: Room,
        wish: Wish,
        loaded: Option<oneshot::Receiver<Result<(), Refusal>>>,
    ) -> Opening {
        self.begun += 1;
        let opening = Opening(self.begun);
        let (rooms, connection) = (asking.rooms.clone(), Arc::clone(&asking.connection));
        let asked = self.asked.get_or_insert_with(|| {
            Box::new(Asked {
                under_way: JoinSet::new(),
                turns: Arc::new(Semaphore::new(AT_ONCE)),
            })
        });
        let turns = Arc::clone(&asked.turns);
        let opening_task = async move {
            let turn = turns.acquire_owned().await.ok();
            let Wish {
                id,
                subscribe,
                presence,
            } = wish;
            let target = subscribe.room;
            let asked = async {
                if let Some(loaded) = loaded {
                    loaded.await.map_err(|_| ErrorCode::Unavailable)??;
                }
                let from = ResumeFrom {
                    room: target,
                    user: connection.user.id,
                    after: subscribe.after,
                    after_id: subscribe.after_id,
                    limit: subscribe.limit,
                };
                let resume = rooms.log().resume(from).await?;
                let online = room
                    .enter(connection.id, presence, resume.head, resume.member_count)
                    .await?;
                Ok((resume, online))
            };
            let max_bytes = rooms.limits().server_frame_max_bytes;
            let result = asked
                .await
                .map(|(resume, online)| Missed::new(resume, online, id.clone(), target, max_bytes));
            Opened {
                room: target,
                opening,
                id,
                presence,
                result,
                turn,
            }
        };
        let opening_task = asking.tasks.track_future(opening_task);
        asked.under_way.spawn(opening_task);
        opening
    }

    /// The next answer, if there is a question.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Opened> {
        let Some(asked) = &mut self.asked else {
            return Poll::Pending;
        };
        let Some(joined) = ready!(asked.under_way.poll_join_next(cx)) else {
            return Poll::Pending;
        };
        if asked.under_way.is_empty() {
            self.asked = None;
        }
        match joined {
            Ok(opened) => Poll::Ready(opened),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // Nobody aborts them but who drops them all.
                Err(_) => Poll::Pending,
            },
        }
    }
}

impl Missed {
    fn new(
        resume: Resume,
        online: Online,
        id: Option<FrameId>,
        room: RoomId,
        max_bytes: usize,
    ) -> Self {
        let Resume {
            head,
            first,
            reset,
            events,
            ..
        } = resume;
        let before = events.first().map_or(head, |event| event.seq.previous());
        let mut frame = ServerFrame::Subscribed(Subscribed {
            id,
            room,
            head,
            first,
            events: events.into_iter().map(Arc::unwrap_or_clone).collect(),
            reset,
            online,
        });
        loop {
            let encoded = Encoded::of(&frame);
            let ServerFrame::Subscribed(Subscribed { events, .. }) = &mut frame else {
                unreachable!("it was made a few lines above");
            };
            if encoded.len() <= max_bytes || events.is_empty() {
                let next = Next::after(events.last().map_or(before, |event| event.seq));
                return Self {
                    frame: encoded,
                    next,
                    head,
                };
            }
            // Half as many fit sooner or later; a few rounds are cheaper than measuring each event.
            events.truncate(events.len() / 2);
        }
    }
}
