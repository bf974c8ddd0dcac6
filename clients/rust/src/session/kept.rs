//! A session that several runs of a program use, perhaps at the same time. Where it is kept is the
//! program's business; that it is renewed by one of them at a time is this module's.

use std::{fmt, io, sync::Arc, time::Duration};

use protocol::{Timestamp, UserId, accounts::SignedIn};
use serde::{Deserialize, Serialize};
use tokio::{task::spawn_blocking, time::timeout};

use crate::{Error, Result};

/// A session as another run of the program needs it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// Whose it is.
    pub user: UserId,
    /// That person's unique name.
    pub username: String,
    /// What the server takes until `expires_at`.
    pub access_token: String,
    /// When it no longer does, by the clock of this machine.
    pub expires_at: Timestamp,
    /// What gets the next pair, once.
    pub refresh_token: String,
}

/// Where a program keeps a session.
pub trait Keep: Send + Sync {
    /// The time, by the clock of this machine.
    fn now(&self) -> Timestamp;

    /// Waits until no other process has it locked, and locks it. May block.
    ///
    /// # Errors
    /// When it cannot be locked.
    fn lock(&self) -> io::Result<Box<dyn Kept>>;
}

/// The place where a session is kept, while nobody else reads or writes it.
pub trait Kept: Send {
    /// What is kept, if anything.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read(&mut self) -> io::Result<Option<Saved>>;

    /// Keeps this instead, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    fn write(&mut self, saved: &Saved) -> io::Result<()>;
}

/// Longest that another process may take for a renewal.
const LOCKED_MOST: Duration = Duration::from_secs(45);

/// Locks the place without keeping a worker thread waiting.
pub(super) async fn lock(keep: &Arc<dyn Keep>) -> Result<Box<dyn Kept>> {
    let keep = Arc::clone(keep);
    let locked = timeout(LOCKED_MOST, spawn_blocking(move || keep.lock()));
    match locked.await {
        Ok(Ok(locked)) => locked.map_err(failed),
        Ok(Err(error)) => Err(Error::Keep(error.to_string())),
        Err(_) => Err(Error::Keep("another program holds it".to_owned())),
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it is used as a function of `map_err`"
)]
pub(super) fn failed(error: io::Error) -> Error {
    Error::Keep(error.to_string())
}

impl Saved {
    /// What a server answered at `now`.
    pub(super) fn of(signed_in: &SignedIn, now: Timestamp) -> Result<Self> {
        let missing = || Error::Protocol("an answer without tokens".to_owned());
        Ok(Self {
            user: signed_in.user.user.id,
            username: signed_in.user.user.username.clone(),
            access_token: signed_in.access_token.clone().ok_or_else(missing)?,
            expires_at: now.after(Duration::from_secs(signed_in.expires_in)),
            refresh_token: signed_in.refresh_token.clone().ok_or_else(missing)?,
        })
    }
}

/// Shows no token.
impl fmt::Debug for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saved")
            .field("user", &self.user)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}
