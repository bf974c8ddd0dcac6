//! "Room R has reached seq n", said to whoever owns the room so that it need not wait for its next look
//! at the store. A hint may be lost: nothing depends on it but a second.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use protocol::{RoomId, Seq};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::{cluster::Cluster, token::Secrets};

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
    secrets: Secrets,
    client: Client<HttpConnector, Full<Bytes>>,
}

const IN_PROCESS_QUEUE: usize = 4_096;
const DEADLINE: Duration = Duration::from_millis(300);

impl Hints {
    /// To a coordinator of this process, which reads the other end.
    pub fn in_process() -> (Self, mpsc::Receiver<Hint>) {
        let (sender, receiver) = mpsc::channel(IN_PROCESS_QUEUE);
        (Self(Way::InProcess(sender)), receiver)
    }

    /// To the node that owns the room, over its internal url.
    pub fn to_owner(cluster: Cluster, secrets: Secrets) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(DEADLINE));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build(connector);
        Self(Way::ToOwner(Arc::new(ToOwner {
            cluster,
            secrets,
            client,
        })))
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
                let lost = match tokio::time::timeout(DEADLINE, way.post(hint)).await {
                    Ok(Ok(())) => return,
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => "no answer in time".to_owned(),
                };
                metrics::counter!("chatx_hints_lost_total").increment(1);
                tracing::debug!(room.id = %room, seq = seq.0, error = lost, "a hint is lost");
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum LostHint {
    #[error("no coordinator is alive")]
    NoOwner,
    #[error("the owner's url is none: {0}")]
    Url(#[from] http::Error),
    #[error(transparent)]
    Connection(#[from] hyper_util::client::legacy::Error),
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
        let request = Request::post(format!(
            "{}/internal/hint",
            owner.internal_url.trim_end_matches('/')
        ))
        .header(
            header::AUTHORIZATION,
            format!("Bearer {}", self.secrets.peer_bearer()),
        )
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))?;
        let answer = self.client.request(request).await?;
        if answer.status().is_success() {
            Ok(())
        } else {
            Err(LostHint::Answer(answer.status()))
        }
    }
}
