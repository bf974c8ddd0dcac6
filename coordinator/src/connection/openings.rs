//! What one socket asks the store when it begins to follow rooms: what was missed, and where live
//! events begin.

use std::sync::Arc;

use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use protocol::{
    ErrorCode, RoomId,
    frame::{FrameId, Online, PresenceState, ServerFrame, Subscribe, Subscribed},
};
use shared::{Refusal, store::Resume};
use tokio::sync::{Semaphore, oneshot};

use super::Connection;
use crate::{Node, delivery::Next, encoded::Encoded, room::Room};

/// The questions of one socket that have no answer yet.
pub(super) struct Openings {
    node: Node,
    connection: Arc<Connection>,
    begun: u64,
    under_way: FuturesUnordered<BoxFuture<'static, Opened>>,
    /// How many ask at once; the others wait for their turn.
    asking: Arc<Semaphore>,
}

/// Tells an opening that is still wanted from one that was overtaken by another of the same room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opening(u64);

/// A room that somebody wants to follow.
pub(super) struct Wish {
    /// What the answer echoes.
    pub(super) id: Option<FrameId>,
    /// From where on.
    pub(super) subscribe: Subscribe,
    /// How its user is here.
    pub(super) presence: PresenceState,
}

/// The answer to a wish.
pub(super) struct Opened {
    pub(super) room: RoomId,
    pub(super) opening: Opening,
    pub(super) id: Option<FrameId>,
    pub(super) result: Result<Missed, Refusal>,
}

/// What was missed, and who is there.
pub(super) struct Missed {
    resume: Resume,
    online: Online,
}

const AT_ONCE: usize = 8;

impl Openings {
    pub(super) fn new(node: Node, connection: Arc<Connection>) -> Self {
        let (under_way, asking) = (FuturesUnordered::new(), Arc::new(Semaphore::new(AT_ONCE)));
        Self {
            node,
            connection,
            begun: 0,
            under_way,
            asking,
        }
    }

    /// How many are under way or wait.
    pub(super) fn len(&self) -> usize {
        self.under_way.len()
    }

    /// Asks, once the room is loaded. It must deliver to this socket already, so that nothing is
    /// missed between the store's answer and what is live.
    pub(super) fn begin(
        &mut self,
        room: Room,
        wish: Wish,
        loaded: Option<oneshot::Receiver<Result<(), Refusal>>>,
    ) -> Opening {
        self.begun += 1;
        let opening = Opening(self.begun);
        let (node, connection) = (self.node.clone(), Arc::clone(&self.connection));
        let asking = Arc::clone(&self.asking);
        self.under_way.push(Box::pin(async move {
            let _turn = asking.acquire_owned().await;
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
                let Subscribe {
                    after,
                    after_id,
                    limit,
                    ..
                } = subscribe;
                let (store, limits) = (&node.app.store, &node.app.settings.limits);
                let user = connection.user.id;
                let resume = store
                    .resume(target, user, after, after_id, limit, limits)
                    .await?;
                let online = room
                    .enter(connection.id, presence, resume.member_count)
                    .await?;
                Ok(Missed { resume, online })
            };
            Opened {
                room: target,
                opening,
                id,
                result: asked.await,
            }
        }));
        opening
    }

    /// Waits for the next answer; nothing if there is no question. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Opened> {
        self.under_way.next().await
    }
}

impl Missed {
    /// The `subscribed` frame with as many events as fit, and the place after them.
    pub(super) fn into_frame(
        self,
        id: Option<FrameId>,
        room: RoomId,
        max_bytes: usize,
    ) -> (Encoded, Next) {
        let Resume {
            head,
            first,
            reset,
            events,
            ..
        } = self.resume;
        let before = events.first().map_or(head, |event| event.seq.previous());
        let online = self.online;
        let mut subscribed = Subscribed {
            id,
            room,
            head,
            first,
            events,
            reset,
            online,
        };
        loop {
            let encoded = Encoded::of(&ServerFrame::Subscribed(subscribed.clone()));
            let events = &mut subscribed.events;
            if encoded.len() <= max_bytes || events.is_empty() {
                return (
                    encoded,
                    Next::after(events.last().map_or(before, |event| event.seq)),
                );
            }
            // Half as many fit sooner or later; a few rounds are cheaper than measuring each event.
            events.truncate(events.len() / 2);
        }
    }
}
