//! Accounts elsewhere that people log in by, as they are shown to them. How they are come by is [`crate::oidc`]'s to know.

use protocol::{UserId, accounts::Identity};

use crate::{
    App,
    store::{self, KeptIdentity},
};

/// The identities of `user`, the oldest first.
///
/// # Errors
/// When the store cannot answer.
pub async fn of(app: &App, user: UserId) -> store::Result<Vec<Identity>> {
    let kept = app.store.identities(user).await?;
    let shown = |kept: KeptIdentity| Identity {
        id: kept.id,
        provider: app.oidc.of_issuer(&kept.issuer),
        issuer: kept.issuer,
        label: kept.label,
        created_at: kept.created_at,
        used_at: kept.used_at,
    };
    Ok(kept.into_iter().map(shown).collect())
}
