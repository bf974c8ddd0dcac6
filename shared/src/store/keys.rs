//! The keys that sign access tokens, sealed. The store cannot open them.

use protocol::Timestamp;

use super::{Result, Store, columns::At, pool::on};
use crate::token::keys::SealedKey;

impl Store {
    /// The keys that are believed, the one that signs first.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn signing_keys(&self) -> Result<Vec<SealedKey>> {
        let rows: Vec<(String, Vec<u8>)> = on!(self.reader(), connection => sqlx::query_as(
            "select kid, sealed from signing_keys order by generation desc limit 2",
        )
        .fetch_all(connection))?;
        Ok(rows
            .into_iter()
            .map(|(kid, sealed)| SealedKey { kid, sealed })
            .collect())
    }

    /// Keeps `key` as the first one, unless there is one already, and answers what there is then: nodes
    /// that start at the same time agree on one.
    ///
    /// # Errors
    /// [`super::Error::Unavailable`].
    pub async fn first_signing_key(
        &self,
        key: &SealedKey,
        at: Timestamp,
    ) -> Result<Vec<SealedKey>> {
        let _kept: Option<i32> = on!(self.writer(), connection => sqlx::query_scalar(
            "insert into signing_keys (generation, kid, sealed, created_at) values (1, $1, $2, $3) \
             on conflict do nothing returning generation",
        )
        .bind(&key.kid)
        .bind(&key.sealed)
        .bind(At(at))
        .fetch_optional(connection))?;
        self.signing_keys().await
    }
}
