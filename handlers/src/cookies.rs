//! Tokens in cookies: how browsers carry a session, and what proves that a page of ours sent them.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use protocol::{ErrorCode, SessionId};
use shared::{
    App, Settings,
    oidc::{VISIT_LIFE, Visit},
    origin::is_own_origin,
};

use crate::error::{Error, Result};

/// Carries the access token on every request.
pub(crate) const ACCESS: &str = "chatx_access";
/// Carries the refresh token to where it is used.
pub(crate) const REFRESH: &str = "chatx_refresh";
/// Carries a visit to a provider.
pub(crate) const VISIT: &str = "chatx_visit";
/// Where visits go, and come back.
const VISIT_PATH: &str = "/v1/auth/oidc";
/// Where the refresh token is used.
const REFRESH_PATH: &str = "/v1/auth";

/// The value of the cookie `name`.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let values = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut pairs = values
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(key, value)| (key == name && !value.is_empty()).then_some(value))
}

/// Sets both tokens.
pub(crate) fn set(settings: &Settings, headers: &mut HeaderMap, access: &str, refresh: &str) {
    append(
        headers,
        written(settings, ACCESS, access, "/", settings.access_token),
    );
    append(
        headers,
        written(
            settings,
            REFRESH,
            refresh,
            REFRESH_PATH,
            settings.refresh_token,
        ),
    );
}

/// Removes both.
pub(crate) fn clear(settings: &Settings, headers: &mut HeaderMap) {
    append(headers, written(settings, ACCESS, "", "/", Duration::ZERO));
    append(
        headers,
        written(settings, REFRESH, "", REFRESH_PATH, Duration::ZERO),
    );
}

/// Gives a visit to its browser: no other one can come back with its answer.
pub(crate) fn set_visit(app: &App, headers: &mut HeaderMap, visit: &Visit) {
    let sealed = visit.sealed(&app.secrets);
    append(
        headers,
        written(&app.settings, VISIT, &sealed, VISIT_PATH, VISIT_LIFE),
    );
}

/// Takes it away.
pub(crate) fn clear_visit(settings: &Settings, headers: &mut HeaderMap) {
    append(
        headers,
        written(settings, VISIT, "", VISIT_PATH, Duration::ZERO),
    );
}

fn append(headers: &mut HeaderMap, cookie: String) {
    let mut value =
        HeaderValue::try_from(cookie).expect("tokens are of characters that fit a header");
    value.set_sensitive(true);
    headers.append(header::SET_COOKIE, value);
}

fn written(settings: &Settings, name: &str, value: &str, path: &str, life: Duration) -> String {
    let secure = if is_kept_secure(&settings.public_url) {
        "; Secure"
    } else {
        ""
    };
    format!(
        "{name}={value}; Path={path}; Max-Age={}; HttpOnly{secure}; SameSite=Lax",
        life.as_secs()
    )
}

/// Browsers send `Secure` cookies over https, and over plain http to the machine itself. Only a
/// server whose own url says that it is reached by plain http over a network does without.
fn is_kept_secure(public_url: &str) -> bool {
    let Some(rest) = public_url.strip_prefix("http://") else {
        return true;
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost"
        || host.ends_with(".localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Checks a state-changing request that was let in by a cookie of `session`: browsers send cookies
/// whoever asks, so the page must show what only a page of ours can read.
pub(crate) fn check_csrf(app: &App, headers: &HeaderMap, session: SessionId) -> Result<()> {
    let token = headers
        .get("x-csrf-token")
        .and_then(|token| token.to_str().ok());
    let is_ours = token.is_some_and(|token| app.secrets.is_csrf_token(token, session));
    if is_ours && is_own_origin(&app.settings, headers) == Some(true) {
        Ok(())
    } else {
        Err(ErrorCode::Csrf.into())
    }
}

/// Checks a request that asks for cookies: no other site may log its visitors in here.
///
/// # Errors
/// `csrf` when a browser says that it comes from elsewhere.
pub(crate) fn check_origin(app: &App, headers: &HeaderMap) -> Result<()> {
    match is_own_origin(&app.settings, headers) {
        Some(false) => Err(Error::from(ErrorCode::Csrf)),
        Some(true) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_stay_secure_where_browsers_keep_them() {
        for url in [
            "https://chat.example.com",
            "http://127.0.0.1:8080",
            "http://localhost",
            "http://[::1]:8080/",
        ] {
            assert!(is_kept_secure(url), "{url}");
        }
        assert!(!is_kept_secure("http://192.168.1.7:8080"));
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(
            header::COOKIE,
            "a=1; xchatx_access=no; chatx_access=yes".parse().unwrap(),
        );
        assert_eq!(cookie(&headers, ACCESS), Some("yes"));
        assert_eq!(cookie(&headers, REFRESH), None);
    }
}
