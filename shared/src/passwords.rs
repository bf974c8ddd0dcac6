//! Hashing and checking passwords, and the list of those that are tried first. It keeps none.

use std::{
    collections::HashSet,
    sync::{Arc, LazyLock},
    time::Duration,
};

use argon2::{Argon2, Params, PasswordHasher, PasswordVerifier};
use protocol::{ErrorCode, text::Password};
use tokio::sync::Semaphore;

use crate::Refusal;

/// Argon2id, 19 MiB and two passes, a bounded number at a time and never on the threads that serve
/// sockets. Cloning is cheap.
#[derive(Clone)]
pub struct Passwords {
    /// As many as there are cores: more at once would only take memory.
    cores: Arc<Semaphore>,
    /// Those who work and those who wait for them. When all places are taken, one more is refused.
    places: Arc<Semaphore>,
}

/// Why a password was neither hashed nor checked.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// Too many wait already.
    #[error("too many passwords wait to be hashed")]
    Busy,
    /// The machine has no memory or randomness for it.
    #[error("the password could not be hashed")]
    Failed(#[source] Option<argon2::password_hash::Error>),
}

/// What a client is told. A failure is not its own doing and is logged here, once.
impl From<HashError> for Refusal {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy => Self::from(ErrorCode::Unavailable).retry_after(BUSY_FOR),
            HashError::Failed(_) => {
                tracing::error!(%error, "passwords cannot be hashed");
                ErrorCode::Internal.into()
            }
        }
    }
}

/// For each core, so that nobody waits longer than a few seconds.
const PLACES_PER_CORE: usize = 64;
const BUSY_FOR: Duration = Duration::from_secs(2);

/// What the password of an unknown user is checked against, so that the answer takes as long as for a
/// known one. No password has this hash: it was made of random bytes that nobody kept.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$SnWeTQXqEvX1w63LrQM8LQ$bQxvMzr4iA2c2xQG3pQyq0Ysh5CzqwJ8rEoYb7n2y0M";

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

impl Passwords {
    /// At most `parallelism` hashes at a time.
    pub fn new(parallelism: usize) -> Self {
        let cores = parallelism.max(1);
        Self {
            cores: Arc::new(Semaphore::new(cores)),
            places: Arc::new(Semaphore::new(cores * PLACES_PER_CORE)),
        }
    }

    /// Hashes `password` into a PHC string, which holds the salt and the parameters.
    ///
    /// # Errors
    /// [`HashError`].
    pub async fn hash(&self, password: &str) -> Result<String, HashError> {
        let password = password.to_owned();
        self.work(move || {
            let hash = argon2().hash_password(password.as_bytes());
            hash.map(|hash| hash.to_string())
                .map_err(|error| HashError::Failed(Some(error)))
        })
        .await?
    }

    /// Whether `password` has this hash. `None`, for nobody's, does the same work and says no.
    ///
    /// # Errors
    /// [`HashError`]; then it is not known whether it has.
    pub async fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool, HashError> {
        let (password, known) = (password.to_owned(), hash.is_some());
        let hash = hash.unwrap_or(NOBODY).to_owned();
        let verified = self.work(move || {
            argon2()
                .verify_password(password.as_bytes(), hash.as_str())
                .is_ok()
        });
        Ok(verified.await? && known)
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let _place = self.places.try_acquire().map_err(|_| HashError::Busy)?;
        let turn = Arc::clone(&self.cores).acquire_owned().await;
        let turn = turn.map_err(|_| HashError::Failed(None))?;
        // The turn goes along: who gives up waiting does not stop the work that has begun.
        let work = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        work.await.map_err(|_| HashError::Failed(None))
    }
}

fn argon2() -> Argon2<'static> {
    let params =
        Params::new(MEMORY_KIB, PASSES, LANES, None).expect("these parameters are allowed");
    Argon2::from(params)
}

/// Whether this is one of the passwords that are tried first. Cases do not count.
pub fn is_common(password: &Password) -> bool {
    COMMON.contains(password.as_str().to_lowercase().as_str())
}

/// Where the list is from, and under which licence, stands beside it.
static COMMON: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    include_str!("../data/common-passwords.txt")
        .lines()
        .collect()
});

#[cfg(test)]
mod tests {
    use protocol::Limits;

    use super::*;

    #[tokio::test]
    async fn only_the_same_password_is_right() {
        let passwords = Passwords::new(2);
        let hash = passwords.hash("plain sailing 1843").await.unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert_ne!(
            hash,
            passwords.hash("plain sailing 1843").await.unwrap(),
            "each has its salt"
        );
        for (password, hash, right) in [
            ("plain sailing 1843", Some(hash.as_str()), true),
            ("plain sailing 1844", Some(hash.as_str()), false),
            ("plain sailing 1843", None, false),
            ("plain sailing 1843", Some("no hash"), false),
        ] {
            assert_eq!(passwords.verify(password, hash).await.unwrap(), right);
        }
    }

    #[tokio::test]
    async fn no_more_wait_than_can_be_served() {
        let passwords = Passwords::new(1);
        let all =
            (0..PLACES_PER_CORE + 8).map(|_| passwords.verify("plain sailing", Some("no hash")));
        let answers = futures_util::future::join_all(all).await;
        let busy = |answer: &&Result<bool, HashError>| matches!(answer, Err(HashError::Busy));
        assert_eq!(answers.iter().filter(busy).count(), 8);
        assert!(
            !passwords
                .verify("plain sailing", Some("no hash"))
                .await
                .unwrap()
        );
    }

    #[test]
    fn nobody_costs_as_much_as_somebody() {
        let hash = argon2::password_hash::phc::PasswordHash::new(NOBODY).unwrap();
        let params = Params::try_from(&hash).unwrap();
        assert_eq!(
            (
                params.m_cost(),
                params.t_cost(),
                params.p_cost(),
                hash.hash.unwrap().len()
            ),
            (MEMORY_KIB, PASSES, LANES, Params::DEFAULT_OUTPUT_LEN),
        );
        assert!(hash.salt.is_some());
    }

    #[test]
    fn passwords_that_are_tried_first_are_known() {
        let limits = Limits::default();
        for (raw, common) in [
            ("1234567890", true),
            ("Qwertyuiop", true),
            ("correct horse battery staple", false),
        ] {
            assert_eq!(
                is_common(&Password::parse(raw, &limits).unwrap()),
                common,
                "{raw}"
            );
        }
    }
}
