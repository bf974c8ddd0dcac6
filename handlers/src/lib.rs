//! The HTTP half of ChatX: what is asked and answered without a socket. It keeps nothing between
//! two requests and starts no tasks, so it runs wherever a request can be handed to it.
//!
//! A handler is found by its path; every module begins with its routes.
//!
//! | path | module |
//! |---|---|
//! | `/v1/auth/register` `login` `refresh` `logout` `password` `csrf` | `auth` |
//! | `/v1/auth/verify`, `/v1/auth/verify/resend` | `verify` |
//! | `/v1/auth/reset`, `/v1/auth/reset/confirm` | `reset` |
//! | `/v1/auth/providers`, `/v1/auth/oidc/{provider}`, `…/callback` | `oidc` |
//! | `/v1/users/me/identities`, `…/identities/{identity}` | `identities` |
//! | `/v1/users/me/totp`, `…/totp/confirm`, `…/totp/codes` | `totp` |
//! | `/v1/auth/sessions`, `/v1/auth/sessions/{session}` | `sessions` |
//! | `/v1/users`, `/v1/users/me`, `/v1/users/{user}` | `users` |
//! | `/v1/rooms`, `/v1/rooms/{room}`, `…/restore`, `/v1/users/me/rooms`, `…/deleted` | `rooms` |
//! | `/v1/rooms/{room}/members`, `…/members/me`, `…/members/{user}` | `members` |
//! | `/v1/rooms/{room}/bans`, `…/bans/{user}` | `bans` |
//! | `/v1/rooms/{room}/invites`, `…/invites/{code}` | `invites` |
//! | `/v1/rooms/{room}/messages`, `…/messages/{seq}` | `messages` |
//! | `…/messages/{seq}/reactions/{emoji}` | `reactions` |
//! | `…/messages/{seq}/pin`, `/v1/rooms/{room}/pins` | `pins` |
//! | `…/messages/{seq}/history`, `/v1/rooms/{room}/receipts` | `receipts` |
//! | `…/messages/{seq}/report`, `/v1/rooms/{room}/reports`, `…/reports/{report}` | `reports` |
//! | `/v1/dms`, `/v1/users/me/blocks`, `…/blocks/{user}` | `dms` |
//! | `/v1/users/me/export`, leaving for good | `leaving` |
//! | `/v1/rooms/{room}/files`, `/v1/files/{file}`, `…/thumbnail` | `files` |
//! | `/v1/rooms/{room}/read`, `/v1/rooms/{room}/events` | `reads` |
//! | `/v1/search` | `search` |
//! | `/v1/bots`, `…/bots/{bot}`, `…/tokens`, `…/tokens/{token}` | `bots` |
//! | `/v1/webhooks`, `…/webhooks/{webhook}`, `…/replay` | `webhooks` |
//! | `/v1/rooms/{room}/hooks`, `…/hooks/{hook}`, `/v1/hooks/{token}` | `hooks` |
//! | `/v1/socket` | `socket` |
//! | `/v1/admin/audit`, `/v1/admin/nodes` | `admin` |
//! | `/v1/admin/users`, `…/rooms`, `…/reports`, `…/storage` | `administration` |
//! | `/livez`, `/readyz`, `/.well-known/jwks.json` | `health` |
//! | `/docs`, `/v1/openapi.json`, `/v1/asyncapi.json` | `docs` |

mod request;

mod allowances;
mod error;
mod headers;

mod address;
mod cookies;

mod caller;
mod input;
mod scopes;

mod auth;
mod identities;
mod oidc;
mod reset;
mod sessions;
mod tokens;
mod totp;
mod users;
mod verify;

mod bans;
mod bots;
mod dms;
mod files;
mod leaving;
mod hooks;
mod invites;
mod members;
mod messages;
mod pins;
mod reactions;
mod reads;
mod receipts;
mod reports;
mod rooms;
mod search;
mod webhooks;

mod admin;
mod administration;
mod health;
mod socket;

mod asyncapi;
mod docs;
mod openapi;

use axum::{
    Extension, Router, middleware,
    routing::{any, get},
};
use shared::App;
use socket::Sockets;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;

pub use address::Peer;

/// Everything that is served over HTTP, but for the page and the sockets themselves: where they are
/// served too, merge their routes. The peer's address is read from [`axum::extract::ConnectInfo`] or
/// [`Peer`].
pub fn router(app: App) -> Router {
    assemble(app, Sockets::Here, Router::new())
}

/// The same, for where no sockets are served: asking for one there finds nothing.
pub fn router_without_sockets(app: App) -> Router {
    assemble(
        app,
        Sockets::Elsewhere,
        Router::new().route("/v1/socket", get(error::not_found)),
    )
}

fn assemble(app: App, sockets: Sockets, more: Router<App>) -> Router {
    let (routes, api) = table().split_for_parts();
    let routes = routes
        .merge(more)
        .merge(docs::routes(openapi::completed(api)))
        .route("/v1/{*unknown}", any(error::not_found))
        .fallback(error::not_found)
        .layer(CatchPanicLayer::custom(error::panicked));
    let routes = match headers::cors(&app.settings) {
        Some(cors) => routes.layer(cors),
        None => routes,
    };
    routes
        .layer(Extension(sockets))
        .layer(middleware::from_fn_with_state(
            app.clone(),
            request::accompany,
        ))
        .with_state(app)
}

/// The OpenAPI document of what [`router`] serves.
pub fn openapi() -> utoipa::openapi::OpenApi {
    openapi::completed(table().into_openapi())
}

fn table() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(auth::routes())
        .merge(verify::routes())
        .merge(reset::routes())
        .merge(oidc::routes())
        .merge(identities::routes())
        .merge(totp::routes())
        .merge(sessions::routes())
        .merge(users::routes())
        .merge(rooms::routes())
        .merge(members::routes())
        .merge(bans::routes())
        .merge(invites::routes())
        .merge(messages::routes())
        .merge(reactions::routes())
        .merge(pins::routes())
        .merge(receipts::routes())
        .merge(reports::routes())
        .merge(dms::routes())
        .merge(files::routes())
        .merge(leaving::routes())
        .merge(reads::routes())
        .merge(search::routes())
        .merge(bots::routes())
        .merge(hooks::routes())
        .merge(webhooks::routes())
        .merge(socket::routes())
        .merge(admin::routes())
        .merge(administration::routes())
        .merge(health::routes())
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use http::Request;
    use protocol::{ErrorBody, ErrorCode};
    use shared::{Clock, Settings, hints::Hints};
    use tokio_util::{sync::CancellationToken, task::TaskTracker};
    use tower::ServiceExt;

    use super::*;

    async fn panics() {
        panic!("a secret of the server");
    }

    #[tokio::test]
    async fn a_panic_is_answered_and_tells_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("chatx.db").display());
        let settings = Settings {
            database_url: url.into(),
            ..Settings::default()
        };
        let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
        let hints = Some(Hints::in_process().0);
        let app = App::connect(settings, Clock::system(), hints, &tracker, &cancel)
            .await
            .unwrap();
        let router = assemble(
            app,
            Sockets::Here,
            Router::new().route("/panics", get(panics)),
        );
        let request = Request::get("/panics").body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.status(), 500);
        let body = to_bytes(response.into_body(), 4_096).await.unwrap();
        let body: ErrorBody = serde_json::from_slice(&body).unwrap();
        assert_eq!(body.error.code, ErrorCode::Internal);
        assert_eq!(body.error.message, ErrorCode::Internal.message());
    }
}
