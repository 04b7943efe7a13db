//! Signed tokens (JWT, HS256): signed with the first key, verified with all. To rotate, put the new key first and remove the
//! old one when its tokens have expired.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::Secret;

pub const ISSUER: &str = "flashsale";
/// Clocks of API processes may differ by this much.
pub const LEEWAY_S: u64 = 5;

/// The keys of a shop.
pub struct TokenKeys {
    signing: EncodingKey,
    verifying: Vec<DecodingKey>,
}

impl TokenKeys {
    /// # Errors
    /// When there is no key.
    pub fn new(keys: &[Secret<Vec<u8>>]) -> anyhow::Result<Self> {
        let first = keys.first().ok_or_else(|| anyhow::anyhow!("no signing key"))?;
        Ok(Self {
            signing: EncodingKey::from_secret(first.reveal()),
            verifying: keys.iter().map(|key| DecodingKey::from_secret(key.reveal())).collect(),
        })
    }

    /// # Errors
    /// When the claims cannot be encoded.
    pub fn sign(&self, claims: &impl Serialize) -> anyhow::Result<String> {
        Ok(jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.signing)?)
    }

    /// The claims of a token that one of the keys signed and that is valid now; none otherwise, without saying why: a forger
    /// learns nothing.
    pub fn verify<C: DeserializeOwned>(&self, token: &str, validation: &Validation) -> Option<C> {
        for key in &self.verifying {
            match jsonwebtoken::decode::<C>(token, key, validation) {
                Ok(data) => return Some(data.claims),
                Err(error) if matches!(error.kind(), ErrorKind::InvalidSignature) => {}
                Err(_) => return None,
            }
        }
        None
    }
}

/// What every token of ours must say, for readers of one kind.
pub fn validation(audience: &str) -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[audience]);
    validation.validate_nbf = true;
    validation.leeway = LEEWAY_S;
    validation
}
