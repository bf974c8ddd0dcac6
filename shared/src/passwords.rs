//! Hashing and checking passwords, and the list of those that are tried first. It keeps none.

use std::{
    collections::HashSet,
    sync::{Arc, LazyLock},
};

use argon2::{Argon2, Params, PasswordHasher, PasswordVerifier};
use protocol::text::Password;
use tokio::sync::Semaphore;

/// Argon2id, 19 MiB and two passes, a bounded number at a time and never on the threads that serve
/// sockets. Cloning is cheap.
#[derive(Clone)]
pub struct Passwords {
    /// As many as there are cores: more at once would only take memory.
    cores: Arc<Semaphore>,
}

/// Why a password was neither hashed nor checked.
#[derive(Debug, thiserror::Error)]
#[error("the password could not be hashed")]
pub struct HashError(#[source] Option<argon2::password_hash::Error>);

/// What the password of an unknown user is checked against, so that the answer takes as long as for a
/// known one. No password has this hash: it was made of random bytes that nobody kept.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$SnWeTQXqEvX1w63LrQM8LQ$bQxvMzr4iA2c2xQG3pQyq0Ysh5CzqwJ8rEoYb7n2y0M";

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

impl Passwords {
    /// At most `parallelism` hashes at a time.
    pub fn new(parallelism: usize) -> Self {
        Self {
            cores: Arc::new(Semaphore::new(parallelism.max(1))),
        }
    }

    /// Hashes `password` into a PHC string, which holds the salt and the parameters.
    ///
    /// # Errors
    /// When the machine has no memory or randomness for it.
    pub async fn hash(&self, password: &str) -> Result<String, HashError> {
        let password = password.to_owned();
        self.work(move || {
            let hash = argon2().hash_password(password.as_bytes());
            hash.map(|hash| hash.to_string())
                .map_err(|error| HashError(Some(error)))
        })
        .await?
    }

    /// Whether `password` has this hash. `None`, for nobody's, does the same work and says no.
    pub async fn verify(&self, password: &str, hash: Option<&str>) -> bool {
        let (password, known) = (password.to_owned(), hash.is_some());
        let hash = hash.unwrap_or(NOBODY).to_owned();
        let verified = self
            .work(move || {
                argon2()
                    .verify_password(password.as_bytes(), hash.as_str())
                    .is_ok()
            })
            .await;
        known && verified.unwrap_or(false)
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let _turn = self.cores.acquire().await.map_err(|_| HashError(None))?;
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| HashError(None))
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
        assert!(passwords.verify("plain sailing 1843", Some(&hash)).await);
        assert!(!passwords.verify("plain sailing 1844", Some(&hash)).await);
        assert!(!passwords.verify("plain sailing 1843", None).await);
        assert!(
            !passwords
                .verify("plain sailing 1843", Some("no hash"))
                .await
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
