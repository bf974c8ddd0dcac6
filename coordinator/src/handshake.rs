//! The turn from HTTP to WebSocket, for sockets of clients and links of nodes. Who may take it is
//! theirs to say.

use axum::response::{IntoResponse, Response};
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// A request for a WebSocket.
pub(crate) struct Handshake {
    /// Whether the other side named our subprotocol.
    pub(crate) speaks: bool,
    /// Proves to the other side that its handshake was understood.
    accept: HeaderValue,
    subprotocol: &'static str,
}

impl Handshake {
    /// Reads a request; `None` if it asks for no WebSocket, or only for other subprotocols.
    pub(crate) fn read(request: &Parts, subprotocol: &'static str) -> Option<Self> {
        let accept = accept_key(request)?;
        let speaks = offers(&request.headers, subprotocol)?;
        Some(Self {
            speaks,
            accept,
            subprotocol,
        })
    }

    /// The answer that the protocol is switched.
    pub(crate) fn into_response(self) -> Response {
        let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
        response.headers_mut().extend(self.headers());
        response
    }

    /// The same as it is written.
    pub(crate) fn into_bytes(self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(HEAD_BYTES);
        bytes.put_slice(b"HTTP/1.1 101 Switching Protocols\r\n");
        for (name, value) in self.headers() {
            bytes.put_slice(name.as_str().as_bytes());
            bytes.put_slice(b": ");
            bytes.put_slice(value.as_bytes());
            bytes.put_slice(b"\r\n");
        }
        bytes.put_slice(b"\r\n");
        bytes.freeze()
    }

    fn headers(self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let subprotocol = HeaderValue::from_static(self.subprotocol);
        let spoken = (header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
        [
            (header::CONNECTION, HeaderValue::from_static("upgrade")),
            (header::UPGRADE, HeaderValue::from_static("websocket")),
            (header::SEC_WEBSOCKET_ACCEPT, self.accept),
        ]
        .into_iter()
        .chain(self.speaks.then_some(spoken))
    }
}

/// About as long is the head of the answer.
const HEAD_BYTES: usize = 192;

/// The answer to the request's key; `None` if it is no WebSocket handshake.
fn accept_key(request: &Parts) -> Option<HeaderValue> {
    let headers = &request.headers;
    let has = |name, wanted: &str| {
        let values = headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let mut words = values.flat_map(|value| value.split(','));
        words.any(|word| word.trim().eq_ignore_ascii_case(wanted))
    };
    let is_handshake = request.method == Method::GET
        && has(header::CONNECTION, "upgrade")
        && has(header::UPGRADE, "websocket")
        && has(header::SEC_WEBSOCKET_VERSION, "13");
    let key = headers
        .get(header::SEC_WEBSOCKET_KEY)
        .filter(|_| is_handshake)?;
    HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok()
}

/// Whether the other side names our subprotocol; `None` if it names only others.
fn offers(headers: &HeaderMap, subprotocol: &str) -> Option<bool> {
    let values = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let named = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let mut named = named.map(str::trim).peekable();
    if named.peek().is_none() {
        return Some(false);
    }
    named.any(|name| name == subprotocol).then_some(true)
}
