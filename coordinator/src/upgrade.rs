//! `GET /v1/socket`: who may have a socket.

use std::net::{IpAddr, SocketAddr};

use axum::{
    Json, Router,
    extract::{ConnectInfo, Query, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use hyper::upgrade::OnUpgrade;
use protocol::{
    ErrorCode,
    bots::Scope,
    error::{ErrorBody, ErrorDetail},
    frame::SUBPROTOCOL,
};
use serde::Deserialize;
use shared::{
    Refusal, address::behind_proxies, caller::must_have, origin::is_own_origin, token::AccessClaims,
};
use tracing::{debug, error};

use crate::{
    Node,
    connection::{self, Begun, Passport},
    handshake::Handshake,
};

pub(crate) fn routes() -> Router<Node> {
    Router::new().route("/v1/socket", get(open))
}

/// What stands behind the question mark.
#[derive(Deserialize)]
pub(crate) struct Pass {
    ticket: Option<String>,
}

async fn open(State(node): State<Node>, Query(pass): Query<Pass>, mut request: Parts) -> Response {
    let request_id = node.app.clock.id::<()>().to_string();
    let upgrade = request.extensions.remove::<OnUpgrade>();
    let peer = request.extensions.get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map_or(IpAddr::from([0, 0, 0, 0]), |ConnectInfo(address)| {
        address.ip()
    });
    let admitted = match upgrade {
        Some(upgrade) => admit(&node, &pass, &request, peer)
            .await
            .map(|admitted| (admitted, upgrade)),
        None => Err(ErrorCode::Malformed.into()),
    };
    match admitted {
        Ok((admitted, upgrade)) => admitted.switch(node, upgrade),
        Err(refusal) => {
            debug!(request.id = request_id, error = %refusal, "a socket is refused");
            refused(refusal, request_id)
        }
    }
}

/// A request that is let in.
pub(crate) struct Admitted {
    /// What is answered.
    pub(crate) handshake: Handshake,
    /// Who asked.
    pub(crate) passport: Passport,
}

/// Whether a request gets a socket.
pub(crate) async fn admit(
    node: &Node,
    pass: &Pass,
    request: &Parts,
    peer: IpAddr,
) -> Result<Admitted, Refusal> {
    if node.draining.is_cancelled() {
        return Err(ErrorCode::Unavailable.into());
    }
    if is_own_origin(&node.app.settings, &request.headers) == Some(false) {
        return Err(ErrorCode::Forbidden.into());
    }
    let handshake = Handshake::read(request, SUBPROTOCOL).ok_or(ErrorCode::Malformed)?;
    let claims = claims(node, pass, &request.headers).await?;
    must_have(claims.scp, Some(Scope::MessagesRead))?;
    let passport = Passport {
        user: claims.user(),
        session: claims.sid,
        admin: claims.adm,
        scopes: claims.scp,
        expires_at: claims.expires_at(),
        ip: behind_proxies(peer, &request.headers, &node.app.settings.trusted_proxies),
    };
    Ok(Admitted {
        handshake,
        passport,
    })
}

impl Admitted {
    /// Answers that the protocol is switched, and serves the socket from then on.
    fn switch(self, node: Node, upgrade: OnUpgrade) -> Response {
        let Self {
            handshake,
            passport,
        } = self;
        node.tasks.clone().spawn(async move {
            match upgrade.await {
                Ok(upgraded) => match Begun::below(upgraded) {
                    // In a task of its own, which keeps nothing of this one.
                    Some(begun) => drop(
                        node.tasks
                            .clone()
                            .spawn(connection::run(node, begun, &passport)),
                    ),
                    None => error!("a listener leads to sockets that is not plain TCP"),
                },
                Err(error) => debug!(%error, "a socket was lost before it was open"),
            }
        });
        handshake.into_response()
    }
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

fn refused(refusal: Refusal, request_id: String) -> Response {
    let Refusal {
        code,
        fields,
        retry_after,
    } = refusal;
    let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let message = code.message().to_owned();
    let error = ErrorDetail {
        code,
        message,
        fields,
        request_id,
    };
    let mut response = (status, Json(ErrorBody { error })).into_response();
    if let Some(span) = retry_after {
        let seconds = u64::try_from(span.as_millis().div_ceil(1_000).max(1)).unwrap_or(u64::MAX);
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
