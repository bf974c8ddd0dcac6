//! Stands where sockets will be served.
use axum::Router;
pub struct Coordinator;
impl Coordinator {
    pub fn start(_: shared::App, _: tokio::sync::mpsc::Receiver<shared::hints::Hint>) -> Self { Self }
    pub fn router(&self) -> Router { Router::new() }
    pub fn internal_router(&self) -> Router { Router::new() }
    pub async fn drain(&self) {}
}
