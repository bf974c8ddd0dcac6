//! "Room R has reached seq n", said to whoever owns the room so that it need not wait for its next look
//! at the store. A hint may be lost: nothing depends on it but a second.

use std::sync::Arc;

use http::{Method, StatusCode};
use protocol::{RoomId, Seq};
use serde::{Deserialize, Serialize};
use tokio::{sync::mpsc, time::timeout};

use crate::{
    cluster::Cluster,
    internal_client::{InternalClient, NoAnswer, WITHIN},
};

/// The body of `POST /internal/hint`, and what a coordinator in this process is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hint {
    /// The room.
    pub room: RoomId,
    /// Its log has reached this place.
    pub seq: Seq,
}

/// Where hints go. Cloning gives the same.
#[derive(Clone)]
pub struct Hints(Way);

#[derive(Clone)]
enum Way {
    /// To the coordinator of this process. When the queue is full the hint is dropped.
    InProcess(mpsc::Sender<Hint>),
    /// To the node that owns the room.
    ToOwner(Arc<ToOwner>),
}

struct ToOwner {
    cluster: Cluster,
    client: InternalClient,
}

const IN_PROCESS_QUEUE: usize = 4_096;

impl Hints {
    /// To a coordinator of this process, which reads the other end.
    pub fn in_process() -> (Self, mpsc::Receiver<Hint>) {
        let (sender, receiver) = mpsc::channel(IN_PROCESS_QUEUE);
        (Self(Way::InProcess(sender)), receiver)
    }

    /// To the node that owns the room, over its internal url.
    pub fn to_owner(cluster: Cluster, client: InternalClient) -> Self {
        Self(Way::ToOwner(Arc::new(ToOwner { cluster, client })))
    }

    /// Says that `room` has reached `seq`. One try; never fails, never waits longer than 300 ms.
    pub async fn hint(&self, room: RoomId, seq: Seq) {
        let hint = Hint { room, seq };
        match &self.0 {
            Way::InProcess(sender) => {
                if sender.try_send(hint).is_err() {
                    metrics::counter!("chatx_hints_lost_total").increment(1);
                }
            }
            Way::ToOwner(way) => {
                // Who owns the room may have to be read first, from a store that is slow.
                let posted = timeout(WITHIN, way.post(hint)).await;
                let Err(error) = posted.unwrap_or(Err(NoAnswer::Late.into())) else {
                    return;
                };
                metrics::counter!("chatx_hints_lost_total").increment(1);
                tracing::debug!(room.id = %room, seq = seq.0, %error, "a hint is lost");
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum LostHint {
    #[error("no coordinator is alive")]
    NoOwner,
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    #[error("the owner answers {0}")]
    Answer(StatusCode),
}

impl ToOwner {
    async fn post(&self, hint: Hint) -> Result<(), LostHint> {
        let owner = self
            .cluster
            .owner(hint.room)
            .await
            .ok_or(LostHint::NoOwner)?;
        let body = serde_json::to_vec(&hint).expect("an id and a number are always JSON");
        let url = &owner.internal_url;
        let asked = self
            .client
            .ask(Method::POST, url, "/internal/hint", body.into());
        let status = asked.await?;
        if status.is_success() {
            Ok(())
        } else {
            Err(LostHint::Answer(status))
        }
    }
}
