//! One post to the server of a webhook, within a time.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::Full;
use tokio::time::timeout;

use crate::{
    Settings,
    outside::{NoAnswer, Outside, Targets},
    trust::Trust,
};

/// Posts.
pub(super) struct Poster {
    outside: Outside,
    targets: Targets,
    /// How long all of it may take.
    within: Duration,
}

/// What is posted.
pub(super) struct Post {
    pub(super) url: String,
    pub(super) webhook: String,
    pub(super) delivery: String,
    pub(super) signature: String,
    pub(super) body: Bytes,
}

/// Why a post was not taken; whose webhook it is reads this.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotTaken {
    #[error("the url cannot be read")]
    Url(#[from] http::Error),
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    #[error("answered {0}")]
    Status(StatusCode),
    #[error("no answer within {} s", .0.as_secs())]
    Late(Duration),
}

impl Poster {
    pub(super) fn new(settings: &Settings, trust: Trust) -> Self {
        Self {
            outside: Outside::new(trust),
            targets: if settings.webhook_private_targets {
                Targets::Any
            } else {
                Targets::Public
            },
            within: settings.webhook_timeout,
        }
    }

    /// Posts once. Whatever is not an answer of success is a failure, a redirect too. Nothing of the answer is read but its
    /// status.
    pub(super) async fn post(&self, post: Post) -> Result<(), NotTaken> {
        let asked = self.outside.ask(request(post)?, self.targets, 0);
        let answered = timeout(self.within, asked).await;
        let status = answered.map_err(|_| NotTaken::Late(self.within))??.status;
        if status.is_success() {
            Ok(())
        } else {
            Err(NotTaken::Status(status))
        }
    }
}

fn request(post: Post) -> Result<Request<Full<Bytes>>, http::Error> {
    Request::post(post.url)
        .header(header::CONTENT_TYPE, "application/json")
        .header("x-chatx-webhook", post.webhook)
        .header("x-chatx-delivery", post.delivery)
        .header("x-chatx-signature", post.signature)
        .body(Full::new(post.body))
}
