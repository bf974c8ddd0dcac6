//! What other processes of the cluster may ask of this node, each proved by the cluster secret.

use axum::{Json, Router, extract::State, routing::post};
use http::{HeaderMap, StatusCode, header};
use shared::hints::Hint;

use crate::Node;

pub(crate) fn routes() -> Router<Node> {
    Router::new().route("/internal/hint", post(hint))
}

/// "Room R has reached seq n." What is not true does no harm: the room looks and finds nothing.
async fn hint(State(node): State<Node>, headers: HeaderMap, Json(hint): Json<Hint>) -> StatusCode {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    if !bearer.is_some_and(|bearer| node.app.secrets.is_peer(bearer)) {
        return StatusCode::UNAUTHORIZED;
    }
    node.rooms.look(hint.room, hint.seq);
    StatusCode::NO_CONTENT
}
