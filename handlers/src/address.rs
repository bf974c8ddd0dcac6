//! Which address a request comes from: the peer's own, or the one that trusted proxies tell.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use http::request::Parts;
use protocol::ErrorCode;
use shared::{App, address::behind_proxies};

use crate::error::Error;

/// The address at the other end, where there is no socket to ask: put it into the request's
/// extensions. It counts before [`ConnectInfo`].
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// Where a request comes from.
#[derive(Clone, Copy)]
pub(crate) struct Address(pub(crate) IpAddr);

impl FromRequestParts<App> for Address {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let told = parts.extensions.get::<Peer>().map(|Peer(address)| *address);
        let connected = || {
            parts
                .extensions
                .get::<ConnectInfo<SocketAddr>>()
                .map(|info| info.0.ip())
        };
        let Some(peer) = told.or_else(connected) else {
            tracing::error!("a request came without its peer's address");
            return Err(ErrorCode::Internal.into());
        };
        Ok(Self(behind_proxies(
            peer,
            &parts.headers,
            &app.settings.trusted_proxies,
        )))
    }
}
