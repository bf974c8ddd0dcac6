//! Giving out tokens: in the body of an answer, or in cookies.

use axum::Json;
use http::HeaderMap;
use protocol::{
    SessionId,
    accounts::{Me, SignedIn, TokenPlace},
};
use shared::{
    App,
    store::{Grant, NewSession},
    token::RefreshToken,
};

use crate::{cookies, error::Result};

/// What register, login and refresh answer.
pub(crate) type Answer = (HeaderMap, Json<SignedIn>);

/// What the first pair of tokens of a session is made from.
pub(crate) fn first_grant(me: Me, session: &NewSession) -> Grant {
    Grant {
        me,
        session: session.id,
        generation: 0,
        issued_at: session.at,
    }
}

/// Makes the tokens of a grant, and puts them where they are wanted.
pub(crate) async fn give(app: &App, grant: Grant, place: TokenPlace) -> Result<Answer> {
    let mut signed_in = app.sign_in(grant).await?;
    let mut headers = HeaderMap::new();
    if place == TokenPlace::Cookies
        && let (Some(access), Some(refresh)) = (
            signed_in.access_token.take(),
            signed_in.refresh_token.take(),
        )
    {
        cookies::set(&app.settings, &mut headers, &access, &refresh);
    }
    Ok((headers, Json(signed_in)))
}

/// Checks that no page of another site asks for cookies.
pub(crate) fn check_origin(app: &App, place: TokenPlace, headers: &HeaderMap) -> Result<()> {
    match place {
        TokenPlace::Cookies => cookies::check_origin(app, headers),
        TokenPlace::Body => Ok(()),
    }
}

/// The session of the refresh cookie, if it is one of ours.
pub(crate) fn session_in_cookie(app: &App, headers: &HeaderMap) -> Option<SessionId> {
    let text = cookies::cookie(headers, cookies::REFRESH)?;
    RefreshToken::parse(text, &app.secrets).map(|token| token.session)
}
