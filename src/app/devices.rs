//! Browsers that an account was signed in with before. Each has a bucket of its own for wrong passwords, so that strangers who
//! guess at the account cannot keep its owner out (OWASP: device cookies).

use std::time::Duration;

use chrono::Utc;
use jsonwebtoken::Validation;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::tokens::{ISSUER, TokenKeys, validation};
use crate::config::Secret;

/// How long a browser stays known.
pub const DEVICE_TIME: Duration = Duration::from_secs(180 * 24 * 3600);
const AUDIENCE: &str = "flashsale device";

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    /// The account, as a hash.
    sub: String,
    device: Uuid,
    nbf: i64,
    exp: i64,
}

/// Signs and verifies what a known browser holds.
pub struct Devices {
    keys: TokenKeys,
    validation: Validation,
}

impl Devices {
    /// # Errors
    /// When there is no key.
    pub fn new(keys: &[Secret<Vec<u8>>]) -> anyhow::Result<Self> {
        Ok(Self { keys: TokenKeys::new(keys)?, validation: validation(AUDIENCE) })
    }

    /// A token for a browser that has just signed in to an account.
    ///
    /// # Errors
    /// When the token cannot be encoded.
    pub fn issue(&self, account: &[u8]) -> anyhow::Result<String> {
        let now = Utc::now();
        self.keys.sign(&Claims {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: hex(account),
            device: Uuid::new_v4(),
            nbf: now.timestamp(),
            exp: (now + DEVICE_TIME).timestamp(),
        })
    }

    /// The browser behind a token, if it is known to this account.
    pub fn verify(&self, token: &str, account: &[u8]) -> Option<Uuid> {
        let claims: Claims = self.keys.verify(token, &self.validation)?;
        (claims.sub == hex(account)).then_some(claims.device)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::Devices;
    use crate::app::sessions::Sessions;
    use crate::config::Secret;

    #[test]
    fn a_browser_is_known_to_its_own_account_only() {
        let keys = [Secret::new(vec![7; 32])];
        let devices = Devices::new(&keys).unwrap();
        let token = devices.issue(b"ann").unwrap();
        assert!(devices.verify(&token, b"ann").is_some());
        assert_eq!(devices.verify(&token, b"bob"), None);
        let other = Devices::new(&[Secret::new(vec![8; 32])]).unwrap();
        assert_eq!(other.verify(&token, b"ann"), None);
        let sessions = Sessions::new(&keys).unwrap();
        assert!(sessions.verify(&token).is_err(), "a device is no session");
        let (session, _) = sessions.issue(Uuid::nil()).unwrap();
        assert_eq!(devices.verify(&session, b"ann"), None, "a session is no device");
    }
}
