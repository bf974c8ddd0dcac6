//! How much more a caller may ask, taken from the limiter and told in the answer.

use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, HeaderName};
use shared::{
    App,
    limiter::{Allowance, Limited},
    settings::Rate,
};

use crate::{error::Result, headers::whole_seconds};

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// The limits that a request is held to, and what is left of the tightest.
#[derive(Clone, Default)]
pub(crate) struct Allowances(Arc<Mutex<Option<Allowance>>>);

impl Allowances {
    /// Takes one token of the bucket `key`.
    ///
    /// # Errors
    /// `rate_limited` when there is none.
    pub(crate) async fn take(&self, app: &App, rate: Rate, key: &str) -> Result<()> {
        match app.limiter.check(rate, key).await {
            Ok(allowance) => {
                self.note(allowance);
                Ok(())
            }
            Err(limited) => {
                let Limited { limit, retry_after } = limited;
                self.note(Allowance {
                    limit,
                    remaining: 0,
                    reset: retry_after,
                });
                Err(limited.into())
            }
        }
    }

    fn note(&self, allowance: Allowance) {
        let mut tightest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tightest.is_none_or(|known| allowance.remaining <= known.remaining) {
            *tightest = Some(allowance);
        }
    }

    /// Writes what is left into the headers of an answer. One that was refused by a limit that is not
    /// kept here says so already.
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        let tightest = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(allowance) = tightest else { return };
        if allowance.remaining > 0 && headers.contains_key(REMAINING) {
            return;
        }
        headers.insert(LIMIT, allowance.limit.into());
        headers.insert(REMAINING, allowance.remaining.into());
        headers.insert(RESET, whole_seconds(allowance.reset));
    }
}

/// Writes that nothing is left, and after how long there is, into the headers of a refusal.
pub(crate) fn tell_used_up(headers: &mut HeaderMap, retry_after: std::time::Duration) {
    headers.insert(REMAINING, 0.into());
    headers.insert(RESET, whole_seconds(retry_after));
}
