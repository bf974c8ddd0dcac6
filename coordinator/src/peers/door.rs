//! `GET /internal/link`: where the gateways of other nodes come in. What they say then is
//! [`super::guest`]'s to hear.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use shared::internal_client::NODE;
use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};
use tracing::{debug, warn};

use super::{frame::SUBPROTOCOL, guest, line};
use crate::{Node, handshake::Handshake, internal::Peer};

/// Lets a gateway in. Which refusal it is, the other node's log shows.
pub(crate) async fn enter(_: Peer, State(node): State<Node>, mut request: Parts) -> Response {
    let name = request.headers.get(NODE);
    let Some(name) = name.and_then(|name| name.to_str().ok().map(str::to_owned)) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let handshake = Handshake::read(&request, SUBPROTOCOL).filter(|asked| asked.speaks);
    let upgrade = request.extensions.remove::<OnUpgrade>();
    let Some((handshake, upgrade)) = handshake.zip(upgrade) else {
        // Of another version: it works without a link.
        return StatusCode::UPGRADE_REQUIRED.into_response();
    };
    let admitted = match node.peers.admit(&name) {
        Ok(admitted) => admitted,
        Err(error) => {
            debug!(peer = name, %error, "a gateway is refused");
            return StatusCode::CONFLICT.into_response();
        }
    };
    let (rooms, cancel, guests) = (node.rooms.clone(), node.cancel.clone(), node.guests.clone());
    guests.spawn(async move {
        match upgrade.await {
            Ok(upgraded) => {
                let upgraded = TokioIo::new(upgraded);
                let config = Some(line::config());
                let socket = WebSocketStream::from_raw_socket(upgraded, Role::Server, config).await;
                guest::serve(admitted, rooms, socket, cancel).await;
            }
            Err(error) => warn!(peer = name, %error, "a link was lost before it was open"),
        }
    });
    handshake.into_response()
}
