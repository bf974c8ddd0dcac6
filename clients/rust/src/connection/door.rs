//! Getting in: a ticket, a socket, and its first frame. What a failure means for the next try is said
//! here, when to try is not.

use std::time::Duration;

use protocol::frame::{Ready, SUBPROTOCOL, ServerFrame};
use tokio::time::timeout;
use tokio_tungstenite::{
    client_async_with_config,
    tungstenite::{
        self,
        client::IntoClientRequest as _,
        http::{HeaderValue, header, response},
        protocol::WebSocketConfig,
    },
};
use tracing::debug;

use super::{
    Ended,
    link::{Close, Heard, Link},
};
use crate::{
    Error, Session,
    http::{escape, refusal},
    network::Network,
    session::Access,
};

/// A socket that is ready.
pub(super) struct Opened {
    pub(super) link: Link,
    pub(super) ready: Ready,
    /// The token that it lives as long as.
    pub(super) access: Access,
}

/// Why there is none.
#[derive(Debug)]
pub(super) enum NotOpened {
    /// Try again, no sooner than the server says.
    Later(Duration),
    /// Try again with another token.
    Stale(Access),
    /// Do not try again.
    Never(Ended),
}

/// A server's frame has at most 256 KiB by the contract; what is far above is none.
const FRAME_MAX_BYTES: usize = 4 * 1_024 * 1_024;
/// The library clears and holds so many bytes for each socket.
const READ_BUFFER_BYTES: usize = 16 * 1_024;

/// Opens a socket, at `elsewhere` if the server named another place.
pub(super) async fn open(
    session: Session,
    elsewhere: Option<String>,
    within: Duration,
) -> Result<Opened, NotOpened> {
    let access = session.access().await.map_err(not_opened)?;
    // A server that is stopped takes the question and never answers it.
    let Ok(asked) = timeout(within, session.socket_ticket(None)).await else {
        debug!("a ticket did not come in time");
        return Err(NotOpened::Later(Duration::ZERO));
    };
    let ticket = asked.map_err(not_opened)?;
    let mut url = elsewhere.unwrap_or(ticket.url);
    url.push_str(if url.contains('?') {
        "&ticket="
    } else {
        "?ticket="
    });
    escape(&ticket.ticket, &mut url);
    match timeout(within, enter(session.network(), &url, access)).await {
        Ok(entered) => entered,
        Err(_) => {
            debug!("a socket was not ready in time");
            Err(NotOpened::Later(Duration::ZERO))
        }
    }
}

async fn enter(network: &Network, url: &str, access: Access) -> Result<Opened, NotOpened> {
    let mut request = url
        .into_client_request()
        .map_err(|error| upgrade(error, &access))?;
    let headers = request.headers_mut();
    headers.insert(
        header::SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_static(SUBPROTOCOL),
    );
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .max_message_size(Some(FRAME_MAX_BYTES))
        .max_frame_size(Some(FRAME_MAX_BYTES));
    let entered = async {
        let stream = network.connect(request.uri()).await?;
        client_async_with_config(request, stream, Some(config)).await
    };
    let (socket, _) = entered.await.map_err(|error| upgrade(error, &access))?;
    let mut link = Link::new(socket);
    match link.next().await {
        Heard::Frame(frame) => match *frame {
            ServerFrame::Ready(ready) => Ok(Opened {
                link,
                ready,
                access,
            }),
            _ => Err(NotOpened::Never(Ended::Unusable(
                "a socket that does not begin with ready".to_owned(),
            ))),
        },
        Heard::Unknown => Err(NotOpened::Never(Ended::Unusable(
            "a first frame that is none of the contract".to_owned(),
        ))),
        Heard::Ended(close) => Err(after(close, access)),
    }
}

/// What the end of a socket means for the next.
pub(super) fn after(close: Close, access: Access) -> NotOpened {
    match close {
        // 1005 and 1006 stand for no code at all; 1012 and 1013 are said by proxies that restart.
        Close::Lost | Close::Said(1001 | 1005 | 1006 | 1011 | 1012 | 1013 | 4408, _) => {
            NotOpened::Later(Duration::ZERO)
        }
        Close::Said(4401, _) => NotOpened::Stale(access),
        Close::Said(code, reason) => NotOpened::Never(Ended::Server { code, reason }),
    }
}

/// What a failed call means for the next try.
pub(super) fn not_opened(error: Error) -> NotOpened {
    if error.is_sign_out() {
        return NotOpened::Never(Ended::SignedOut);
    }
    match error {
        Error::Refused(refusal) if refusal.is_passing() || refusal.status >= 500 => {
            NotOpened::Later(refusal.retry_after.unwrap_or_default())
        }
        Error::Refused(refusal) => NotOpened::Never(Ended::Refused(refusal)),
        error => {
            debug!(%error, "a socket cannot be asked for");
            NotOpened::Later(Duration::ZERO)
        }
    }
}

/// What a failed upgrade means for the next try.
fn upgrade(error: tungstenite::Error, access: &Access) -> NotOpened {
    match error {
        tungstenite::Error::Http(response) => {
            let (
                response::Parts {
                    status, headers, ..
                },
                body,
            ) = response.into_parts();
            let error = refusal(status, &headers, body.as_deref().unwrap_or_default());
            if status.as_u16() == 401 {
                // The ticket came too late, or the token with which it was got is no good any more.
                return NotOpened::Stale(access.clone());
            }
            not_opened(error)
        }
        tungstenite::Error::Url(error) => NotOpened::Never(Ended::Unusable(error.to_string())),
        error => {
            debug!(%error, "a socket cannot be opened");
            NotOpened::Later(Duration::ZERO)
        }
    }
}
