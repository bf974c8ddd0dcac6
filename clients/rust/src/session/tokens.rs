//! The two tokens of a session, and their renewal: before the end of the access token, once for all
//! who wait, and to its end even when nobody waits any more.

use std::{fmt, sync::Arc, time::Duration};

use hyper::Method;
use protocol::accounts::{RefreshBody, SignedIn};
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    time::{Instant, sleep},
};
use tracing::{debug, warn};

use crate::{
    Error, Result,
    http::{Call, Http},
};

/// The tokens of one session.
pub(super) struct Tokens {
    http: Http,
    pair: Arc<Mutex<Pair>>,
}

/// What lets one in for a while.
#[derive(Clone)]
pub(crate) struct Access {
    /// What `Authorization: Bearer` carries.
    pub(crate) token: Arc<str>,
    /// When it is time for another: shortly before the server stops taking this one.
    pub(crate) renew_at: Instant,
}

struct Pair {
    access: Access,
    refresh: String,
    /// What ended the session, once it has.
    over: Option<Error>,
}

/// A token is renewed so long before its end, or in the last quarter of a life that is shorter.
const AHEAD_MOST: Duration = Duration::from_secs(30);
/// Tokens end on a whole second, which comes up to one second early.
const AHEAD_LEAST: Duration = Duration::from_millis(1_250);
/// The answer to a renewal may be lost. The server then gives the same pair again, but only for 15 s,
/// after which it takes the old token for a stolen one: so it is asked again soon, or not at all.
const TRIES: u32 = 5;
const TRY_AGAIN: Duration = Duration::from_millis(200);

impl Tokens {
    pub(super) fn new(http: Http, signed_in: &SignedIn) -> Result<Self> {
        let pair = Arc::new(Mutex::new(Pair::of(signed_in)?));
        Ok(Self { http, pair })
    }

    pub(super) async fn refresh_token(&self) -> String {
        self.pair.lock().await.refresh.clone()
    }

    /// An access token that is good for a while yet.
    pub(super) async fn access(&self) -> Result<Access> {
        let pair = Arc::clone(&self.pair).lock_owned().await;
        if Instant::now() < pair.access.renew_at {
            return Ok(pair.access.clone());
        }
        self.renewed(pair).await
    }

    /// A new access token in the place of `stale`; the one that somebody else got meanwhile will do.
    pub(super) async fn renew(&self, stale: &Access) -> Result<Access> {
        let pair = Arc::clone(&self.pair).lock_owned().await;
        if pair.access.token != stale.token {
            return Ok(pair.access.clone());
        }
        self.renewed(pair).await
    }

    /// Renews the pair while it is locked. It is a task of its own, because a renewal that is given
    /// up half way leaves a refresh token that is used up.
    async fn renewed(&self, pair: OwnedMutexGuard<Pair>) -> Result<Access> {
        if let Some(over) = &pair.over {
            return Err(over.clone());
        }
        let renewal = tokio::spawn(renew(self.http.clone(), pair));
        renewal
            .await
            .map_err(|_| Error::Unreachable("the renewal was stopped".to_owned()))?
    }
}

async fn renew(http: Http, mut pair: OwnedMutexGuard<Pair>) -> Result<Access> {
    let refresh_token = Some(pair.refresh.clone());
    let call = Call::new(Method::POST, "/v1/auth/refresh").with(&RefreshBody { refresh_token });
    let mut tries = 1;
    let answered = loop {
        match http.make(&call, None).await {
            Err(Error::Unreachable(why)) if tries < TRIES => {
                debug!(%why, tries, "renewing the access token is not answered");
                sleep(TRY_AGAIN * tries).await;
                tries += 1;
            }
            answered => break answered,
        }
    };
    match answered.and_then(|answer| Pair::of(&answer.read()?)) {
        Ok(renewed) => {
            *pair = renewed;
            Ok(pair.access.clone())
        }
        Err(error) => {
            if error.is_sign_out() {
                warn!("the session is over");
                pair.over = Some(error.clone());
            }
            Err(error)
        }
    }
}

impl Pair {
    fn of(signed_in: &SignedIn) -> Result<Self> {
        let missing = || Error::Protocol("an answer without tokens".to_owned());
        let life = Duration::from_secs(signed_in.expires_in);
        let ahead = (life / 4).clamp(AHEAD_LEAST, AHEAD_MOST);
        let access = Access {
            token: signed_in
                .access_token
                .as_deref()
                .ok_or_else(missing)?
                .into(),
            renew_at: Instant::now() + life.saturating_sub(ahead).max(life / 4),
        };
        let refresh = signed_in.refresh_token.clone().ok_or_else(missing)?;
        Ok(Self {
            access,
            refresh,
            over: None,
        })
    }
}

/// Shows nothing.
impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Access(…)")
    }
}
