//! `GET /v1/socket`: who may have a socket, and the turn from HTTP to WebSocket.

use std::net::{IpAddr, SocketAddr};

use axum::{
    Json, Router,
    extract::{ConnectInfo, Query, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts};
use hyper::upgrade::OnUpgrade;
use protocol::{
    ErrorCode,
    error::{ErrorBody, ErrorDetail},
    frame::SUBPROTOCOL,
};
use serde::Deserialize;
use shared::{Refusal, address::behind_proxies, origin::is_own_origin, token::AccessClaims};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tracing::debug;

use crate::{
    Node,
    connection::{self, Passport},
};

pub(crate) fn routes() -> Router<Node> {
    Router::new().route("/v1/socket", get(open))
}

#[derive(Deserialize)]
struct Pass {
    ticket: Option<String>,
}

/// A request that is not let in.
struct Refused(Refusal);

async fn open(
    State(node): State<Node>,
    Query(pass): Query<Pass>,
    mut request: Parts,
) -> Result<Response, Refused> {
    if node.draining.is_cancelled() {
        return Err(ErrorCode::Unavailable.into());
    }
    if is_own_origin(&node.app.settings, &request.headers) == Some(false) {
        return Err(ErrorCode::Forbidden.into());
    }
    let accept = accept_key(&request).ok_or(ErrorCode::Malformed)?;
    let speaks = offers_subprotocol(&request.headers).map_err(|()| ErrorCode::Malformed)?;
    let upgrade = request
        .extensions
        .remove::<OnUpgrade>()
        .ok_or(ErrorCode::Malformed)?;
    let claims = claims(&node, &pass, &request.headers).await?;
    let peer = request.extensions.get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map_or(IpAddr::from([0, 0, 0, 0]), |ConnectInfo(address)| {
        address.ip()
    });
    let passport = Passport {
        user: claims.user(),
        session: claims.sid,
        admin: claims.adm,
        expires_at: claims.expires_at(),
        ip: behind_proxies(peer, &request.headers, &node.app.settings.trusted_proxies),
    };

    let tasks = node.tasks.clone();
    tasks.spawn(async move {
        match upgrade.await {
            Ok(upgraded) => connection::run(node, upgraded, passport).await,
            Err(error) => debug!(%error, "a socket was lost before it was open"),
        }
    });
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if speaks {
        let subprotocol = HeaderValue::from_static(SUBPROTOCOL);
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
    }
    Ok(response)
}

/// Whose ticket or token it is.
async fn claims(node: &Node, pass: &Pass, headers: &HeaderMap) -> Result<AccessClaims, Refusal> {
    if let Some(ticket) = &pass.ticket {
        return node.app.redeem(ticket).await;
    }
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or(ErrorCode::Unauthenticated)?;
    node.app.authenticate(bearer).await
}

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

/// Whether the client names our subprotocol; it may also name none, but not only others.
fn offers_subprotocol(headers: &HeaderMap) -> Result<bool, ()> {
    let values = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let mut offered = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .peekable();
    if offered.peek().is_none() {
        return Ok(false);
    }
    if offered.any(|name| name == SUBPROTOCOL) {
        Ok(true)
    } else {
        Err(())
    }
}

impl From<ErrorCode> for Refused {
    fn from(code: ErrorCode) -> Self {
        Self(code.into())
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Refusal {
            code,
            fields,
            retry_after,
        } = self.0;
        let status =
            StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let detail = ErrorDetail {
            code,
            message: code.message().to_owned(),
            fields,
            request_id: String::new(),
        };
        let mut response = (status, Json(ErrorBody { error: detail })).into_response();
        if let Some(span) = retry_after {
            let seconds = span.as_millis().div_ceil(1_000).max(1);
            response.headers_mut().insert(
                header::RETRY_AFTER,
                HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX)),
            );
        }
        response
    }
}
