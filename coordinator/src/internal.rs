//! What other processes of the cluster may ask of this node, each proved by the cluster secret.

use axum::{
    Json, Router,
    extract::{FromRequestParts, State},
    routing::{get, post},
};
use http::{StatusCode, header, request::Parts};
use shared::{hints::Hint, news::Told};

use crate::{
    Node,
    peers::{dial, door},
};

pub(crate) fn routes() -> Router<Node> {
    Router::new()
        .route("/internal/hint", post(hint))
        .route("/internal/news", post(news))
        .route("/internal/open", get(open))
        .route(dial::PATH, get(door::enter))
}

/// "Room R has reached seq n." What is not true does no harm: the room looks and finds nothing.
async fn hint(_: Peer, State(node): State<Node>, Json(hint): Json<Hint>) -> StatusCode {
    node.app.store.nudges().wrote(hint.room);
    node.rooms.look(hint.room, hint.seq);
    StatusCode::NO_CONTENT
}

/// What concerns people on all of their devices.
async fn news(_: Peer, State(node): State<Node>, Json(told): Json<Vec<Told>>) -> StatusCode {
    node.app.news.hear(told.into());
    StatusCode::NO_CONTENT
}

/// Whether a client may be sent here for its socket: 204, or 503 once this node is about to go or while it does
/// not reach the store. A node that is stopped or cut off does not answer, which is the point.
async fn open(_: Peer, State(node): State<Node>) -> StatusCode {
    if node.peers.is_staying() {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

/// A process of this cluster asks. It stands first among what a route takes, so that nobody else learns more
/// than that.
pub(crate) struct Peer;

impl FromRequestParts<Node> for Peer {
    type Rejection = StatusCode;

    async fn from_request_parts(request: &mut Parts, node: &Node) -> Result<Self, StatusCode> {
        let bearer = request
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        match bearer {
            Some(bearer) if node.app.secrets.is_peer(bearer) => Ok(Self),
            _ => Err(StatusCode::UNAUTHORIZED),
        }
    }
}
