//! What an access token says: JWT, EdDSA, a few minutes of life.

use std::time::Duration;

use protocol::{SessionId, Timestamp, UserId, accounts::UserSummary, bots::Scopes};
use serde::{Deserialize, Serialize};

/// The claims of an access token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// The account.
    pub sub: UserId,
    /// The session that it belongs to.
    pub sid: SessionId,
    /// The username.
    pub name: String,
    /// The display name.
    pub dn: String,
    /// Whether they have server-admin rights.
    pub adm: bool,
    /// What a bot's token opens; nothing is withheld from a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scp: Option<Scopes>,
    /// When it was made, in seconds since 1970.
    pub iat: i64,
    /// When it stops being good, in seconds since 1970.
    pub exp: i64,
}

impl AccessClaims {
    /// Claims that are good from `issued_at` for `life`.
    pub fn new(
        user: UserSummary,
        session: SessionId,
        admin: bool,
        issued_at: Timestamp,
        life: Duration,
    ) -> Self {
        let iat = issued_at.unix_s();
        let life_s = i64::try_from(life.as_secs()).unwrap_or(i64::MAX);
        Self {
            sub: user.id,
            sid: session,
            name: user.username,
            dn: user.display_name,
            adm: admin,
            scp: None,
            iat,
            exp: iat.saturating_add(life_s),
        }
    }

    /// Whom it speaks of.
    pub fn user(&self) -> UserSummary {
        UserSummary {
            id: self.sub,
            username: self.name.clone(),
            display_name: self.dn.clone(),
        }
    }

    /// When it stops being good.
    pub fn expires_at(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.exp.saturating_mul(1_000))
    }
}
