//! The documents that describe the interface, and a page to read them that needs no other server.

use axum::{Json, Router, middleware::map_response, response::Response, routing::get};
use http::{HeaderValue, header};
use shared::App;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::SwaggerUi;

use crate::asyncapi;

/// `/docs`, `/v1/openapi.json` and `/v1/asyncapi.json`.
pub(crate) fn routes(api: OpenApi) -> Router<App> {
    let asyncapi = asyncapi::document();
    Router::from(SwaggerUi::new("/docs").url("/v1/openapi.json", api))
        .layer(map_response(let_page_work))
        .route("/v1/asyncapi.json", get(async move || Json(asyncapi)))
}

/// The page runs its own scripts and writes its own styles; everything else answers nothing to run.
async fn let_page_work(mut response: Response) -> Response {
    let policy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                  frame-ancestors 'none'";
    response.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(policy),
    );
    response
}
