//! Who asks: the access token of a request, checked before its handler runs.

use std::{net::IpAddr, ops::Deref};

use axum::extract::{FromRequestParts, MatchedPath};
use http::{HeaderMap, header, request::Parts};
use protocol::{ErrorCode, UserId};
use shared::{App, Caller, audit::By, caller::must_have, token::AccessClaims};

use crate::{
    address::Address,
    allowances::Allowances,
    cookies,
    error::{Error, Result},
    request::RequestId,
    scopes,
};

/// Somebody who has proved who they are, and has not asked too often.
pub(crate) struct Authenticated {
    caller: Caller,
    /// What their access token says.
    pub(crate) claims: AccessClaims,
    /// The limits that the request is held to.
    pub(crate) allowances: Allowances,
}

impl Deref for Authenticated {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl FromRequestParts<App> for Authenticated {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let (token, carrier) = access_token(&parts.headers).ok_or(ErrorCode::Unauthenticated)?;
        let claims = app.authenticate(token).await?;
        tracing::Span::current().record("user.id", tracing::field::display(claims.sub));
        if carrier == Carrier::Cookie && !parts.method.is_safe() {
            cookies::check_csrf(app, &parts.headers, claims.sid)?;
        }
        let route = parts.extensions.get::<MatchedPath>();
        let route = route.map_or("", MatchedPath::as_str);
        must_have(claims.scp, scopes::needed(&parts.method, route))?;
        let Stranger {
            ip,
            request_id,
            allowances,
            ..
        } = Stranger::from_request_parts(parts, app).await?;
        allowances
            .take(
                app,
                app.settings.rates.http,
                &format!("http:{}", claims.sub),
            )
            .await?;
        let (user, session, admin) = (claims.user(), claims.sid, claims.adm);
        Ok(Self {
            caller: Caller {
                user,
                session,
                ip,
                request_id,
                admin,
                scopes: claims.scp,
            },
            claims,
            allowances,
        })
    }
}

/// How a token came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Carrier {
    Bearer,
    Cookie,
}

/// A token in the header counts before one in a cookie, and is all that counts when it is there.
fn access_token(headers: &HeaderMap) -> Option<(&str, Carrier)> {
    let Some(authorization) = headers.get(header::AUTHORIZATION) else {
        return cookies::cookie(headers, cookies::ACCESS).map(|token| (token, Carrier::Cookie));
    };
    let (scheme, token) = authorization.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some((token.trim(), Carrier::Bearer))
}

/// Whoever sent a request, logged in or not.
pub(crate) struct Stranger {
    /// Where they come from.
    pub(crate) ip: IpAddr,
    /// Names the request.
    pub(crate) request_id: String,
    /// The limits that they are held to.
    pub(crate) allowances: Allowances,
    /// What they sent along.
    pub(crate) headers: HeaderMap,
}

impl Stranger {
    /// How the audit log names them, once it is known who they are.
    pub(crate) fn by(&self, actor: Option<UserId>) -> By {
        By {
            actor,
            ip: self.ip,
            request_id: self.request_id.clone(),
        }
    }
}

impl FromRequestParts<App> for Stranger {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let Address(ip) = Address::from_request_parts(parts, app).await?;
        let extensions = &parts.extensions;
        let id = extensions
            .get::<RequestId>()
            .map(|RequestId(id)| id.clone());
        Ok(Self {
            ip,
            request_id: id.unwrap_or_default(),
            allowances: extensions.get::<Allowances>().cloned().unwrap_or_default(),
            headers: parts.headers.clone(),
        })
    }
}
