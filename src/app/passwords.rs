//! Passwords: argon2id on a bounded number of blocking threads, with a short queue in front. When it is full, a request
//! is shed: sign-ins must never slow purchases.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use super::Unavailable;
use crate::config::Bounds;
use crate::domain::Password;

/// 19 MiB, two passes, one lane: OWASP's first choice for argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Hashes and verifies passwords.
#[derive(Clone)]
pub struct Passwords {
    argon2: Argon2<'static>,
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
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
        Ok(Self {
            argon2,
            running: Arc::new(Semaphore::new(bounds.password_hashes_in_flight_max)),
            admitted: Arc::new(Semaphore::new(
                bounds.password_hashes_in_flight_max + bounds.password_hashes_queued_max,
            )),
            nobody: nobody.into(),
        })
    }

    /// The PHC string of a new password.
    ///
    /// # Errors
    /// [`Unavailable::Overloaded`] when too many hashes are waiting.
    pub async fn hash(&self, password: Password) -> Result<String, Unavailable> {
        self.run(move |argon2| hash_now(argon2, password.as_bytes()).ok())
            .await?
            .ok_or(Unavailable::Overloaded("the password could not be hashed"))
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

    /// The permits move into the blocking task: a caller who goes away does not make room for one more hash.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Argon2<'static>) -> T + Send + 'static,
    ) -> Result<T, Unavailable> {
        const SHED: Unavailable = Unavailable::Overloaded("too many sign-ins at once");
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| SHED)?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| SHED)?;
        let argon2 = self.argon2.clone();
        tokio::task::spawn_blocking(move || {
            let _permits = (admitted, running);
            work(&argon2)
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
    use super::Passwords;
    use crate::app::Unavailable;
    use crate::config::Bounds;
    use crate::domain::Password;

    fn password(text: &str) -> Password {
        Password::parse_new(text.into()).unwrap()
    }

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let passwords = Passwords::new(&Bounds::default()).unwrap();
        let hash = passwords.hash(password("correct horse")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify(password("correct horse"), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify(password("wrong horse!"), Some(hash)).await.unwrap());
        assert!(!passwords.verify(password("correct horse"), None).await.unwrap());
    }

    #[tokio::test]
    async fn a_full_queue_sheds() {
        let bounds = Bounds { password_hashes_in_flight_max: 1, password_hashes_queued_max: 1, ..Bounds::default() };
        let passwords = Passwords::new(&bounds).unwrap();
        let hashes: Vec<_> = (0..8)
            .map(|_| {
                let passwords = passwords.clone();
                tokio::spawn(async move { passwords.hash(password("correct horse")).await })
            })
            .collect();
        let mut shed = 0;
        for hash in hashes {
            shed += usize::from(matches!(hash.await.unwrap(), Err(Unavailable::Overloaded(_))));
        }
        assert_eq!(shed, 6);
    }
}
