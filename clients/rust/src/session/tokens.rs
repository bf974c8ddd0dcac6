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

use super::kept::{self, Keep, Saved};
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
    /// Where the program keeps it, if it does.
    keep: Option<Arc<dyn Keep>>,
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

    /// Goes on with what was kept.
    pub(super) fn kept(http: Http, saved: &Saved, keep: Arc<dyn Keep>) -> Self {
        let mut pair = Pair::of_saved(saved, &*keep);
        pair.keep = Some(keep);
        let pair = Arc::new(Mutex::new(pair));
        Self { http, pair }
    }

    /// Has every later pair kept.
    pub(super) async fn keep(&self, keep: Arc<dyn Keep>) {
        self.pair.lock().await.keep = Some(keep);
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
    let keep = pair.keep.clone();
    let mut kept = match &keep {
        Some(keep) => Some(kept::lock(keep).await?),
        None => None,
    };
    if let (Some(keep), Some(kept)) = (&keep, &mut kept)
        && let Some(saved) = kept.read().map_err(kept::failed)?
        && saved.access_token != *pair.access.token
    {
        // Another program has renewed it meanwhile.
        let found = Pair::of_saved(&saved, &**keep);
        (pair.access, pair.refresh) = (found.access, found.refresh);
        if Instant::now() < pair.access.renew_at {
            return Ok(pair.access.clone());
        }
    }
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
    let renewed = answered.and_then(|answer| {
        let signed_in: SignedIn = answer.read()?;
        Ok((Pair::of(&signed_in)?, signed_in))
    });
    match renewed {
        Ok((renewed, signed_in)) => {
            (pair.access, pair.refresh) = (renewed.access, renewed.refresh);
            if let (Some(keep), Some(kept)) = (&keep, &mut kept) {
                let saved = Saved::of(&signed_in, keep.now())?;
                kept.write(&saved).map_err(kept::failed)?;
            }
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
        let token = signed_in.access_token.as_deref().ok_or_else(missing)?;
        let refresh = signed_in.refresh_token.clone().ok_or_else(missing)?;
        Ok(Self::new(Access::living(token, life), refresh))
    }

    fn of_saved(saved: &Saved, keep: &dyn Keep) -> Self {
        let life = saved.expires_at.since(keep.now());
        let access = Access::living(&saved.access_token, life);
        Self::new(access, saved.refresh_token.clone())
    }

    const fn new(access: Access, refresh: String) -> Self {
        Self {
            access,
            refresh,
            over: None,
            keep: None,
        }
    }
}

impl Access {
    /// A token that lives for `life` from now on.
    fn living(token: &str, life: Duration) -> Self {
        let ahead = (life / 4).clamp(AHEAD_LEAST, AHEAD_MOST);
        Self {
            token: token.into(),
            renew_at: Instant::now() + life.saturating_sub(ahead).max(life / 4),
        }
    }
}

/// Shows nothing.
impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Access(…)")
    }
}
