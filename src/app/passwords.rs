//! Passwords: argon2id on a bounded number of blocking threads, with a short queue in front. When it is full, a request
//! is shed: sign-ins must never slow purchases.

use std::sync::Arc;
use std::time::Instant;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use metrics::{counter, histogram};
use tokio::sync::Semaphore;

use super::Unavailable;
use crate::config::Bounds;
use crate::domain::{Email, Password};

/// 19 MiB, two passes, one lane: OWASP's first choice for argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Why a new password was not hashed.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    #[error("the password is one of those that guessers try first")]
    TooCommon,
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Hashes and verifies passwords.
#[derive(Clone)]
pub struct Passwords {
    argon2: Argon2<'static>,
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
    admitted_max: usize,
    /// What an unknown user's password is compared with, so that it takes as long as a known one's.
    nobody: Arc<str>,
}

impl Passwords {
    /// # Errors
    /// When argon2 cannot be set up.
    pub fn new(bounds: &Bounds) -> anyhow::Result<Self> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|e| anyhow::anyhow!("argon2: {e}"))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobody = hash_now(&argon2, uuid::Uuid::new_v4().as_bytes())?;
        let admitted_max = bounds.password_hashes_in_flight_max + bounds.password_hashes_queued_max;
        Ok(Self {
            argon2,
            running: Arc::new(Semaphore::new(bounds.password_hashes_in_flight_max)),
            admitted: Arc::new(Semaphore::new(admitted_max)),
            admitted_max,
            nobody: nobody.into(),
        })
    }

    /// The PHC string of a new password for an account.
    ///
    /// # Errors
    /// [`HashError`].
    pub async fn hash(&self, email: Email, password: Password) -> Result<String, HashError> {
        self.run(move |argon2| {
            if password.is_common(&email) {
                return Err(HashError::TooCommon);
            }
            let hash = hash_now(argon2, password.as_bytes());
            hash.map_err(|_| Unavailable::Overloaded("the password could not be hashed").into())
        })
        .await?
    }

    /// Whether a password matches a stored PHC string. With `None` it takes as long and answers no.
    ///
    /// # Errors
    /// [`Unavailable::Overloaded`] when too many hashes are waiting.
    pub async fn verify(&self, password: Password, stored: Option<String>) -> Result<bool, Unavailable> {
        let nobody = Arc::clone(&self.nobody);
        self.run(move |argon2| {
            let phc = stored.as_deref().unwrap_or(&nobody);
            let matches =
                PasswordHash::new(phc).is_ok_and(|hash| argon2.verify_password(password.as_bytes(), &hash).is_ok());
            matches && stored.is_some()
        })
        .await
    }

    /// Passwords that are being hashed or wait for it.
    pub fn waiting(&self) -> usize {
        self.admitted_max - self.admitted.available_permits()
    }

    /// The permits move into the blocking task: a caller who goes away does not make room for one more hash.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Argon2<'static>) -> T + Send + 'static,
    ) -> Result<T, Unavailable> {
        const SHED: Unavailable = Unavailable::Overloaded("too many sign-ins at once");
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| {
            counter!("flashsale_password_hashes_shed_total").increment(1);
            SHED
        })?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| SHED)?;
        let argon2 = self.argon2.clone();
        tokio::task::spawn_blocking(move || {
            let _permits = (admitted, running);
            let started = Instant::now();
            let done = work(&argon2);
            histogram!("flashsale_password_hash_seconds").record(started.elapsed().as_secs_f64());
            done
        })
        .await
        .map_err(|_| Unavailable::Overloaded("the password could not be hashed"))
    }
}

fn hash_now(argon2: &Argon2<'static>, password: &[u8]) -> anyhow::Result<String> {
    let hash = argon2.hash_password(password).map_err(|e| anyhow::anyhow!("argon2: {e}"))?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::{HashError, Passwords};
    use crate::app::Unavailable;
    use crate::config::Bounds;
    use crate::domain::{Email, Password};

    fn ann() -> Email {
        Email::parse("ann@example.org").unwrap()
    }

    fn password(text: &str) -> Password {
        Password::parse_new(text.into()).unwrap()
    }

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let passwords = Passwords::new(&Bounds::default()).unwrap();
        let hash = passwords.hash(ann(), password("correct horse")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify(password("correct horse"), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify(password("wrong horse!"), Some(hash)).await.unwrap());
        assert!(!passwords.verify(password("correct horse"), None).await.unwrap());
        assert!(matches!(passwords.hash(ann(), password("password1")).await, Err(HashError::TooCommon)));
    }

    #[tokio::test]
    async fn a_full_queue_sheds() {
        let bounds = Bounds { password_hashes_in_flight_max: 1, password_hashes_queued_max: 1, ..Bounds::default() };
        let passwords = Passwords::new(&bounds).unwrap();
        let hashes: Vec<_> = (0..8)
            .map(|_| {
                let passwords = passwords.clone();
                tokio::spawn(async move { passwords.hash(ann(), password("correct horse")).await })
            })
            .collect();
        let mut shed = 0;
        for hash in hashes {
            shed += usize::from(matches!(hash.await.unwrap(), Err(HashError::Unavailable(Unavailable::Overloaded(_)))));
        }
        assert_eq!(shed, 6);
    }
}
