//! Sessions: signed tokens (JWT, HS256) that every API process can verify by itself, and those ended by logout.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::config::Secret;
use crate::domain::UserId;

const ISSUER: &str = "flashsale";
const AUDIENCE: &str = "flashsale";
/// Clocks of API processes may differ by this much.
const LEEWAY_S: u64 = 5;
/// How long a session lasts.
pub const SESSION_TIME: Duration = Duration::from_secs(12 * 3600);

/// Who is calling: the verified content of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    pub user_id: UserId,
    pub session_id: Uuid,
    pub expires_at: DateTime<Utc>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: Uuid,
    sid: Uuid,
    iat: i64,
    nbf: i64,
    exp: i64,
}

/// The token is not one of ours, has expired, or its session has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session is not valid")]
pub struct InvalidSession;

/// Signs with the first key, verifies with all: to rotate, put the new key first and remove the old one when its tokens
/// have expired.
pub struct Sessions {
    signing: EncodingKey,
    verifying: Vec<DecodingKey>,
    validation: Validation,
    ended: RwLock<HashSet<Uuid>>,
    hash_key: Secret<[u8; 32]>,
}

impl Sessions {
    /// # Errors
    /// When there is no key.
    pub fn new(keys: &[Secret<Vec<u8>>]) -> anyhow::Result<Self> {
        let first = keys.first().ok_or_else(|| anyhow::anyhow!("no signing key"))?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY_S;
        Ok(Self {
            signing: EncodingKey::from_secret(first.reveal()),
            verifying: keys.iter().map(|key| DecodingKey::from_secret(key.reveal())).collect(),
            validation,
            ended: RwLock::default(),
            hash_key: Secret::new(Sha256::digest([b"fingerprints", first.reveal().as_slice()].concat()).into()),
        })
    }

    /// A token for a new session of a user.
    ///
    /// # Errors
    /// When the token cannot be encoded.
    pub fn issue(&self, user_id: UserId) -> anyhow::Result<(String, Session)> {
        let now = Utc::now();
        let session = Session { user_id, session_id: Uuid::new_v4(), expires_at: now + SESSION_TIME };
        let claims = Claims {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: user_id,
            sid: session.session_id,
            iat: now.timestamp(),
            nbf: now.timestamp(),
            exp: session.expires_at.timestamp(),
        };
        Ok((jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing)?, session))
    }

    /// # Errors
    /// [`InvalidSession`], without saying why: a forger learns nothing.
    pub fn verify(&self, token: &str) -> Result<Session, InvalidSession> {
        let mut claims = None;
        for key in &self.verifying {
            match jsonwebtoken::decode::<Claims>(token, key, &self.validation) {
                Ok(data) => claims = Some(data.claims),
                Err(error) if matches!(error.kind(), ErrorKind::InvalidSignature) => continue,
                Err(_) => {}
            }
            break;
        }
        let claims = claims.ok_or(InvalidSession)?;
        let expires_at = DateTime::from_timestamp(claims.exp, 0).ok_or(InvalidSession)?;
        if self.ended.read().unwrap_or_else(PoisonError::into_inner).contains(&claims.sid) {
            return Err(InvalidSession);
        }
        Ok(Session { user_id: claims.sub, session_id: claims.sid, expires_at })
    }

    /// A session was ended somewhere.
    pub fn note_ended(&self, session_id: Uuid) {
        self.ended.write().unwrap_or_else(PoisonError::into_inner).insert(session_id);
    }

    /// All sessions that were ended and whose tokens have not expired.
    pub fn replace_ended(&self, ended: Vec<Uuid>) {
        *self.ended.write().unwrap_or_else(PoisonError::into_inner) = ended.into_iter().collect();
    }

    /// A hash that only holders of the signing key can make, of parts that cannot run into each other.
    pub fn keyed_hash(&self, parts: &[&[u8]]) -> Vec<u8> {
        let mut hash = Sha256::new_with_prefix(self.hash_key.reveal());
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.finalize().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header};
    use serde_json::json;
    use uuid::Uuid;

    use super::{InvalidSession, Sessions};
    use crate::config::Secret;

    fn sessions(keys: &[&str]) -> Sessions {
        let keys: Vec<_> = keys.iter().map(|key| Secret::new(key.repeat(32).into_bytes())).collect();
        Sessions::new(&keys).unwrap()
    }

    fn sign(claims: &serde_json::Value, header: &Header, key: &str) -> String {
        jsonwebtoken::encode(header, claims, &EncodingKey::from_secret(key.repeat(32).as_bytes())).unwrap()
    }

    #[test]
    fn a_token_names_its_user_until_its_session_ends() {
        let sessions = sessions(&["a"]);
        let user = Uuid::from_u128(7);
        let (token, session) = sessions.issue(user).unwrap();
        assert_eq!(sessions.verify(&token).map(|s| s.user_id), Ok(user));
        sessions.note_ended(session.session_id);
        assert_eq!(sessions.verify(&token), Err(InvalidSession));
    }

    #[test]
    fn keys_rotate() {
        let (token, _) = sessions(&["a"]).issue(Uuid::from_u128(7)).unwrap();
        assert!(sessions(&["b", "a"]).verify(&token).is_ok());
        assert!(sessions(&["b"]).verify(&token).is_err());
    }

    #[test]
    fn forged_and_unfit_tokens_are_refused() {
        let sessions = sessions(&["a"]);
        let now = chrono::Utc::now().timestamp();
        let good = json!({"iss": "flashsale", "aud": "flashsale", "sub": Uuid::nil(), "sid": Uuid::nil(),
            "iat": now, "nbf": now, "exp": now + 60});
        let header = Header::default();
        assert!(sessions.verify(&sign(&good, &header, "a")).is_ok(), "the base of the cases below");
        for (change, value) in [
            ("iss", json!("other")),
            ("aud", json!("other")),
            ("exp", json!(now - 60)),
            ("nbf", json!(now + 60)),
            ("sub", json!("root")),
            ("exp", json!(null)),
            ("nbf", json!(null)),
        ] {
            let mut claims = good.clone();
            claims[change] = value;
            assert!(sessions.verify(&sign(&claims, &header, "a")).is_err(), "{change}");
        }
        let other_algorithm = Header::new(jsonwebtoken::Algorithm::HS384);
        assert!(sessions.verify(&sign(&good, &other_algorithm, "a")).is_err());
        let token = sign(&good, &header, "a");
        let payload = token.split('.').nth(1).unwrap();
        // {"alg":"none"} in base64url.
        assert!(sessions.verify(&format!("eyJhbGciOiJub25lIn0.{payload}.")).is_err());
        for garbage in ["", "a.b.c", "é"] {
            assert!(sessions.verify(garbage).is_err());
        }
    }
}
