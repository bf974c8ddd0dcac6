//! Tickets to sockets: issued to who shows an access token, and burnt when they are redeemed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use protocol::{ErrorCode, Timestamp};
use redis::{AsyncTypedCommands, ExistenceCheck, SetExpiry, SetOptions};
use uuid::Uuid;

use crate::{
    Refusal,
    redis_link::{Away, Redis},
    token::{AccessClaims, Secrets, ticket::Ticket},
};

/// Issues and redeems tickets. Cloning gives the same.
#[derive(Clone)]
pub struct Tickets {
    secrets: Secrets,
    life: Duration,
    burnt: Arc<Mutex<Burnt>>,
    /// Where nodes tell each other what is burnt. While it is away a ticket is burnt on each node.
    redis: Option<Redis>,
    capacity: usize,
}

/// The tickets that were redeemed here and would still be good, with when they stop being.
type Burnt = HashMap<Uuid, i64>;

const CAPACITY: usize = 100_000;

impl Tickets {
    /// Tickets that are good for `life`, burnt in Redis if there is one.
    pub fn new(secrets: Secrets, life: Duration, redis: Option<Redis>) -> Self {
        Self {
            secrets,
            life,
            burnt: Arc::default(),
            redis,
            capacity: CAPACITY,
        }
    }

    /// A new ticket for whom `claims` speak of.
    pub fn issue(&self, claims: &AccessClaims, now: Timestamp) -> String {
        let until_ms = now.after(self.life).min(claims.expires_at()).unix_ms();
        Ticket {
            id: Uuid::new_v4(),
            until_ms,
            claims: claims.clone(),
        }
        .text(&self.secrets)
    }

    /// Takes a ticket, once.
    ///
    /// # Errors
    /// `unauthenticated` for one that is used, too old or none.
    pub async fn redeem(&self, text: &str, now: Timestamp) -> Result<AccessClaims, Refusal> {
        let ticket = Ticket::parse(text, &self.secrets, now).ok_or(ErrorCode::Unauthenticated)?;
        if !self.burn_here(&ticket, now)? {
            return Err(ErrorCode::Unauthenticated.into());
        }
        match self.burn_everywhere(&ticket, now).await {
            // Without Redis a stolen ticket could be used once on each node, within its 30 seconds.
            Ok(true) | Err(Away) => Ok(ticket.claims),
            Ok(false) => Err(ErrorCode::Unauthenticated.into()),
        }
    }

    /// Whether it was not burnt in this process before.
    fn burn_here(&self, ticket: &Ticket, now: Timestamp) -> Result<bool, Refusal> {
        let mut burnt = self.burnt.lock().unwrap_or_else(PoisonError::into_inner);
        if burnt.len() >= self.capacity {
            burnt.retain(|_, until_ms| *until_ms > now.unix_ms());
        }
        if burnt.len() >= self.capacity {
            return Err(Refusal::from(ErrorCode::RateLimited).retry_after(Duration::from_secs(1)));
        }
        Ok(burnt.insert(ticket.id, ticket.until_ms).is_none())
    }

    /// Whether it was not burnt on any node before.
    async fn burn_everywhere(&self, ticket: &Ticket, now: Timestamp) -> Result<bool, Away> {
        let Some(redis) = &self.redis else {
            return Ok(true);
        };
        let key = redis.key(&format!("ticket:{}", ticket.id.simple()));
        let left_ms = u64::try_from(ticket.until_ms - now.unix_ms())
            .unwrap_or(0)
            .max(1);
        // Longer than it is good for, so that nodes whose clocks differ agree.
        let options = SetOptions::default()
            .conditional_set(ExistenceCheck::NX)
            .with_expiration(SetExpiry::PX(left_ms + 60_000));
        let set: Option<String> = redis
            .ask(async |mut connection| connection.set_options(key, 1, options).await)
            .await?;
        Ok(set.is_some())
    }
}

#[cfg(test)]
mod tests {
    use protocol::accounts::UserSummary;

    use super::*;
    use crate::Clock;

    #[tokio::test]
    async fn more_than_can_be_remembered_are_refused_until_some_are_too_old() {
        let clock = Clock::manual(Timestamp::from_unix_ms(1_700_000_000_000));
        let secrets = Secrets::new(&"secret".into());
        let tickets = Tickets {
            capacity: 2,
            ..Tickets::new(secrets, Duration::from_secs(30), None)
        };
        let user = UserSummary {
            id: clock.id(),
            username: "ada".into(),
            display_name: "Ada".into(),
        };
        let claims = AccessClaims::new(
            user,
            clock.id(),
            false,
            clock.now(),
            Duration::from_secs(900),
        );
        let redeem = async || {
            tickets
                .redeem(&tickets.issue(&claims, clock.now()), clock.now())
                .await
        };
        assert_eq!(redeem().await, Ok(claims.clone()));
        assert_eq!(redeem().await, Ok(claims.clone()));
        assert_eq!(redeem().await.unwrap_err().code, ErrorCode::RateLimited);
        clock.advance(Duration::from_secs(31));
        assert_eq!(redeem().await, Ok(claims.clone()));
    }
}
