//! What other processes of the cluster may ask of this node, each proved by the cluster secret.

use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use http::{HeaderMap, StatusCode, header};
use shared::hints::Hint;

use crate::{
    Node,
    peers::{dial, door},
};

pub(crate) fn routes() -> Router<Node> {
    Router::new()
        .route("/internal/hint", post(hint))
        .route("/internal/open", get(open))
        .route(dial::PATH, get(door::enter))
}

/// "Room R has reached seq n." What is not true does no harm: the room looks and finds nothing.
async fn hint(State(node): State<Node>, headers: HeaderMap, Json(hint): Json<Hint>) -> StatusCode {
    if !is_peer(&node, &headers) {
        return StatusCode::UNAUTHORIZED;
    }
    node.rooms.look(hint.room, hint.seq);
    StatusCode::NO_CONTENT
}

/// Whether a client may be sent here for its socket: 204, or 503 once this node is about to go. A node
/// that is stopped or cut off does not answer, which is the point.
async fn open(State(node): State<Node>, headers: HeaderMap) -> StatusCode {
    if !is_peer(&node, &headers) {
        StatusCode::UNAUTHORIZED
    } else if node.draining.is_cancelled() {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::NO_CONTENT
    }
}

/// Whether a process of this cluster asks.
pub(crate) fn is_peer(node: &Node, headers: &HeaderMap) -> bool {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    bearer.is_some_and(|bearer| node.app.secrets.is_peer(bearer))
}
