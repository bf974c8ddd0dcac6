//! The way to a socket: where to connect, and a pass that works once. Sockets themselves are served
//! elsewhere.

use std::time::Duration;

use axum::{Extension, Json, extract::State};
use http::{HeaderMap, StatusCode, header};
use protocol::{
    ErrorCode, RoomId, SessionId,
    frame::SUBPROTOCOL,
    socket::{OpenSocket, SocketBody, SocketTicket},
};
use shared::{App, Refusal, origin::origin_of};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{caller::Authenticated, error::Result, input::Valid};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(open))
}

/// Ask for a socket
///
/// Connect to `{url}?ticket={ticket}` with the subprotocol `chatx.v1` before the ticket expires. With
/// `room`, the url is of the node that has the room; any other serves it as well.
#[utoipa::path(post, path = "/v1/socket", tag = "socket", request_body = Option<SocketBody>, responses(
    (status = 201, description = "where to connect, and a one-use pass", body = SocketTicket),
))]
async fn open(
    State(app): State<App>,
    caller: Authenticated,
    Extension(sockets): Extension<Sockets>,
    headers: HeaderMap,
    Valid(wanted): Valid<OpenSocket>,
) -> Result<(StatusCode, Json<SocketTicket>)> {
    let url = match node_url(&app, wanted.room, caller.session).await {
        Some(url) if origin_of(&url) != origin_of(&app.settings.public_url) => url,
        None if sockets == Sockets::Elsewhere => {
            return Err(Refusal::from(ErrorCode::Unavailable)
                .retry_after(NODE_AGAIN_AFTER)
                .into());
        }
        // This is where the request came, under whichever name the page has for it.
        _ => page_url(&headers)
            .unwrap_or(&app.settings.public_url)
            .to_owned(),
    };
    let ticket = app.tickets.issue(&caller.claims, app.clock.now());
    let expires_in = app.settings.ticket.as_secs();
    let protocol = SUBPROTOCOL.to_owned();
    Ok((
        StatusCode::CREATED,
        Json(SocketTicket {
            url: socket_url(&url),
            ticket,
            expires_in,
            protocol,
        }),
    ))
}

/// Whether the process that serves HTTP serves sockets too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sockets {
    /// It does.
    Here,
    /// Only other processes do; while there is none, nobody can be sent anywhere.
    Elsewhere,
}

/// A node that starts is known to all a moment later.
const NODE_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The url of the node that has `room`; without a room, of any node, each session's own so that they
/// spread. One that does not answer is passed over.
async fn node_url(app: &App, room: Option<RoomId>, session: SessionId) -> Option<String> {
    let node = match room {
        Some(room) => app.gateways.of_room(room).await,
        None => app.gateways.any(session.uuid().as_u128()).await,
    };
    node.map(|node| node.url)
}

/// Where the page that asks was served from, if that was here. A machine has many names, and a
/// browser lets a page open a socket most readily to its own.
fn page_url(headers: &HeaderMap) -> Option<&str> {
    let origin = headers.get(header::ORIGIN)?.to_str().ok()?;
    let (_, authority) = origin.split_once("://")?;
    let host = headers.get(header::HOST)?.to_str().ok()?;
    (authority == host).then_some(origin)
}

/// `https://host` → `wss://host/v1/socket`
fn socket_url(base: &str) -> String {
    let base = base.trim_end_matches('/');
    let base = match base.split_once("://") {
        Some(("https", rest)) => format!("wss://{rest}"),
        Some(("http", rest)) => format!("ws://{rest}"),
        _ => base.to_owned(),
    };
    format!("{base}/v1/socket")
}

#[cfg(test)]
mod tests {
    use super::socket_url;

    #[test]
    fn a_socket_is_as_secure_as_the_page() {
        assert_eq!(
            socket_url("https://chat.example.com/"),
            "wss://chat.example.com/v1/socket"
        );
        assert_eq!(
            socket_url("http://127.0.0.1:8080"),
            "ws://127.0.0.1:8080/v1/socket"
        );
    }
}
