//! Sessions: signed tokens that every API process can verify by itself, and those that ended before they expire.

use std::collections::{HashMap, HashSet};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::Validation;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::tokens::{ISSUER, LEEWAY_S, TokenKeys, validation};
use crate::config::Secret;
use crate::domain::UserId;

const AUDIENCE: &str = "flashsale";
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

/// Sessions that ended before their tokens expire.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndedSessions {
    pub sessions: HashSet<Uuid>,
    /// Users all of whose sessions ended, and when by the database's clock.
    pub users: HashMap<UserId, DateTime<Utc>>,
}

impl EndedSessions {
    fn contains(&self, claims: &Claims) -> bool {
        self.sessions.contains(&claims.sid)
            || self.users.get(&claims.sub).is_some_and(|ended_at| {
                // The clock that the token was issued by may be ahead of the database's.
                claims.iat <= (*ended_at + TimeDelta::seconds(LEEWAY_S.cast_signed())).timestamp()
            })
    }
}

/// The sessions of a shop.
pub struct Sessions {
    keys: TokenKeys,
    validation: Validation,
    ended: RwLock<EndedSessions>,
    hash_key: Secret<[u8; 32]>,
}

impl Sessions {
    /// # Errors
    /// When there is no key.
    pub fn new(keys: &[Secret<Vec<u8>>]) -> anyhow::Result<Self> {
        let first = keys.first().ok_or_else(|| anyhow::anyhow!("no signing key"))?;
        Ok(Self {
            keys: TokenKeys::new(keys)?,
            validation: validation(AUDIENCE),
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
        Ok((self.keys.sign(&claims)?, session))
    }

    /// # Errors
    /// [`InvalidSession`], without saying why: a forger learns nothing.
    pub fn verify(&self, token: &str) -> Result<Session, InvalidSession> {
        let claims: Claims = self.keys.verify(token, &self.validation).ok_or(InvalidSession)?;
        let expires_at = DateTime::from_timestamp(claims.exp, 0).ok_or(InvalidSession)?;
        if self.ended.read().unwrap_or_else(PoisonError::into_inner).contains(&claims) {
            return Err(InvalidSession);
        }
        Ok(Session { user_id: claims.sub, session_id: claims.sid, expires_at })
    }

    /// A session was ended somewhere.
    pub fn note_ended(&self, session_id: Uuid) {
        self.ended.write().unwrap_or_else(PoisonError::into_inner).sessions.insert(session_id);
    }

    /// All sessions of a user that began before this were ended.
    pub fn note_user_ended(&self, user_id: UserId, ended_at: DateTime<Utc>) {
        self.ended.write().unwrap_or_else(PoisonError::into_inner).users.insert(user_id, ended_at);
    }

    /// All that ended and whose tokens have not expired.
    pub fn replace_ended(&self, ended: EndedSessions) {
        *self.ended.write().unwrap_or_else(PoisonError::into_inner) = ended;
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
    fn the_sessions_of_a_user_end_together_and_later_ones_do_not() {
        let sessions = sessions(&["a"]);
        let user = Uuid::from_u128(7);
        let (token, _) = sessions.issue(user).unwrap();
        let now = chrono::Utc::now();
        sessions.note_user_ended(user, now - chrono::TimeDelta::seconds(60));
        assert!(sessions.verify(&token).is_ok(), "it began after that");
        sessions.note_user_ended(Uuid::from_u128(8), now);
        assert!(sessions.verify(&token).is_ok(), "another user");
        sessions.note_user_ended(user, now - chrono::TimeDelta::seconds(2));
        assert_eq!(sessions.verify(&token), Err(InvalidSession), "clocks may differ by this much");
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
