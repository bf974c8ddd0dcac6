//! The HTTP half as a Lambda function: turns what API Gateway (both kinds) and function URLs hand over
//! into the request that the client made. The runtime's loop is `lambda_http`'s.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr},
};

use axum::{Router, response::Response};
use handlers::Peer;
use http::Uri;
use lambda_http::{Request, RequestExt as _, request::RequestContext};
use tower::{Service, ServiceExt as _};

/// `router`, for requests as Lambda hands them over.
pub fn service(
    router: Router,
) -> impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static
{
    router.map_request(as_the_client_made_it)
}

fn as_the_client_made_it(mut request: Request) -> Request {
    let context = request.request_context_ref();
    // Events that were made by hand name no client: all of these share the limits of one address.
    let address = context.and_then(address);
    let peer = Peer(address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
    let path = path(request.raw_http_path(), context);
    let target = match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    request.extensions_mut().insert(peer);
    // What is no path is left as it came, to be answered 404.
    if let Ok(target) = target.parse::<Uri>() {
        *request.uri_mut() = target;
    }
    request
}

/// The client's address, from the gateway itself: no header can forge it.
fn address(context: &RequestContext) -> Option<IpAddr> {
    let address = match context {
        RequestContext::ApiGatewayV1(context) => context.identity.source_ip.as_deref(),
        RequestContext::ApiGatewayV2(context) => context.http.source_ip.as_deref(),
        _ => None,
    };
    address?.parse().ok()
}

/// The path without the stage, which the second kind of gateway writes in front of it.
fn path<'a>(raw: &'a str, context: Option<&RequestContext>) -> &'a str {
    let Some(RequestContext::ApiGatewayV2(context)) = context else {
        return raw;
    };
    let stage = context.stage.as_deref().unwrap_or_default();
    let after_stage = raw
        .strip_prefix('/')
        .and_then(|path| path.strip_prefix(stage));
    after_stage
        .filter(|path| !stage.is_empty() && path.starts_with('/'))
        .unwrap_or(raw)
}
