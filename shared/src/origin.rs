//! Whether a page that asks for something is one of ours.

use http::{HeaderMap, header};

use crate::Settings;

/// Whether the page that asks is ours; `None` if no page asks.
pub fn is_own_origin(settings: &Settings, headers: &HeaderMap) -> Option<bool> {
    let origin = headers.get(header::ORIGIN)?;
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let is_own = origin.to_str().is_ok_and(|origin| {
        let authority = origin.split_once("://").map(|(_, authority)| authority);
        origin_of(&settings.public_url) == origin
            || settings
                .origins
                .iter()
                .any(|allowed| origin_of(allowed) == origin)
            || (authority.is_some() && authority == host)
    });
    Some(is_own)
}

/// The part of a url that names its server: `https://chat.example.com`.
pub fn origin_of(url: &str) -> &str {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url;
    };
    let authority_bytes = rest.find('/').unwrap_or(rest.len());
    &url[..scheme.len() + "://".len() + authority_bytes]
}
