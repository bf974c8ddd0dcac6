//! Who shows a bot's token: one question to the store at most, remembered for a moment. What was
//! revoked meanwhile [`crate::revocations`] knows.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use protocol::{ErrorCode, Timestamp};
use tokio::time::Instant;

use crate::{
    Refusal,
    revocations::Revocations,
    store::{Store, TokenOwner},
    token::{AccessClaims, BearerHash, bearer::bearer_hash},
};

/// Believes bots' tokens. Cloning gives the same.
#[derive(Clone)]
pub struct BotTokens {
    store: Store,
    revocations: Revocations,
    /// How long an answer of the store is believed. Shorter than revocations are remembered, by far.
    fresh_for: Duration,
    known: Arc<Mutex<HashMap<BearerHash, (AccessClaims, Instant)>>>,
}

const FRESH_FOR: Duration = Duration::from_secs(10);
/// More bots than that within a moment cost a question each.
const CAPACITY: usize = 10_000;

impl BotTokens {
    /// Those of `store`. Where a process may be frozen between requests, nothing is remembered: what
    /// was revoked meanwhile would have to be asked for as well.
    pub fn new(store: Store, revocations: Revocations, is_frozen_between_requests: bool) -> Self {
        Self {
            store,
            revocations,
            fresh_for: if is_frozen_between_requests {
                Duration::ZERO
            } else {
                FRESH_FOR
            },
            known: Arc::default(),
        }
    }

    /// Who showed `token`.
    ///
    /// # Errors
    /// `unauthenticated` for one that is not good, `unavailable` while the store is away.
    pub async fn authenticate(&self, token: &str, now: Timestamp) -> Result<AccessClaims, Refusal> {
        let hash = bearer_hash(token);
        if let Some(claims) = self.known(&hash) {
            let is_good =
                now < claims.expires_at() && !self.revocations.is_revoked(claims.sid).await?;
            return is_good
                .then_some(claims)
                .ok_or_else(|| ErrorCode::Unauthenticated.into());
        }
        // Counted from before the question: what is revoked after it is told of.
        let asked_at = Instant::now();
        let owner = self.store.owner_of_token(&hash, now).await?;
        let claims = claims(owner.ok_or(ErrorCode::Unauthenticated)?, now);
        self.remember(hash, &claims, asked_at);
        Ok(claims)
    }

    fn known(&self, hash: &BearerHash) -> Option<AccessClaims> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (claims, at) = known.get(hash)?;
        (at.elapsed() < self.fresh_for).then(|| claims.clone())
    }

    fn remember(&self, hash: BearerHash, claims: &AccessClaims, asked_at: Instant) {
        if self.fresh_for.is_zero() {
            return;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= CAPACITY {
            known.retain(|_, (_, at)| at.elapsed() < self.fresh_for);
        }
        if known.len() < CAPACITY {
            known.insert(hash, (claims.clone(), asked_at));
        }
    }
}

fn claims(owner: TokenOwner, now: Timestamp) -> AccessClaims {
    let life = owner.expires_at.since(now);
    AccessClaims {
        scp: Some(owner.scopes),
        ..AccessClaims::new(owner.user, owner.session, false, now, life)
    }
}
