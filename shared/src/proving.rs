//! Showing once more who one is, before something that a session which was left open must not be enough for.

use std::time::Duration;

use protocol::{ErrorCode, text::Password};

use crate::{App, Caller, Refusal};

/// For so long after a login somebody without a password has shown who they are.
const FRESH: Duration = Duration::from_secs(600);

/// Checks that it is the caller who asks: by their password, or by their having come just now, if they have none. Answers
/// the hash that the password was checked against.
///
/// # Errors
/// `invalid_credentials`.
pub async fn prove(
    app: &App,
    caller: &Caller,
    shown: Option<&Password>,
) -> Result<Option<String>, Refusal> {
    let known = app.store.credentials_of(caller.user.id).await?;
    let seen = known.password_hash;
    let is_theirs = match (shown, seen.as_deref()) {
        (Some(password), Some(hash)) => app.passwords.verify(password.as_str(), Some(hash)).await?,
        (_, None) => has_just_come(app, caller).await?,
        (None, Some(_)) => false,
    };
    if is_theirs {
        Ok(seen)
    } else {
        Err(ErrorCode::InvalidCredentials.into())
    }
}

async fn has_just_come(app: &App, caller: &Caller) -> Result<bool, Refusal> {
    let now = app.clock.now();
    let sessions = app
        .store
        .sessions(caller.user.id, caller.session, now)
        .await?;
    let own = sessions.iter().find(|session| session.current);
    Ok(own.is_some_and(|own| own.created_at > now.before(FRESH)))
}
