//! What a good token is, told a second time: from RFC 7519 and the contract, without the code that is judged.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use uuid::Uuid;

/// How far clocks may differ, in seconds, and a second more for the time a test takes.
const LEEWAY_S: i64 = 6;

/// The key that signs, the one before it, and one that is nobody's.
pub const KEYS: [&[u8]; 3] = [
    b"the key that signs, at least 32 bytes long",
    b"the key before it, at least 32 bytes long",
    b"nobody's key, which has 32 bytes and more",
];

/// Signs `header.payload` with HMAC-SHA256.
pub fn sign(header: &[u8], payload: &[u8], key: &[u8]) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = URL_SAFE_NO_PAD.encode(mac(signed.as_bytes(), key).finalize().into_bytes());
    format!("{signed}.{signature}")
}

fn mac(signed: &[u8], key: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is a key");
    mac.update(signed);
    mac
}

/// Whose token this is, if it must or may be accepted; why not otherwise.
pub fn user_of(token: &str, now: i64) -> Result<Uuid, &'static str> {
    let (signed, signature) = token.rsplit_once('.').ok_or("no signature")?;
    let (header, payload) = signed.split_once('.').ok_or("no payload")?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| "a signature that is no base64url")?;
    let is_ours = KEYS[..2].iter().any(|key| mac(signed.as_bytes(), key).verify_slice(&signature).is_ok());
    is_ours.then_some(()).ok_or("signed by somebody else")?;
    let parse = |part: &str| -> Option<Value> { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok() };
    let header = parse(header).ok_or("a header that is no JSON")?;
    (header["alg"] == "HS256").then_some(()).ok_or("another algorithm")?;
    let claims = parse(payload).ok_or("a payload that is no JSON")?;
    (claims["iss"] == "flashsale").then_some(()).ok_or("another issuer")?;
    (claims["aud"] == "flashsale").then_some(()).ok_or("another audience")?;
    let time = |claim: &str| claims[claim].as_i64();
    time("exp").filter(|exp| *exp >= now - LEEWAY_S).ok_or("expired, or never expires")?;
    time("nbf").filter(|nbf| *nbf <= now + LEEWAY_S).ok_or("not valid yet")?;
    let id = |claim: &str| claims[claim].as_str().and_then(|text| Uuid::parse_str(text).ok());
    id("sid").ok_or("no session")?;
    id("sub").ok_or("no user")
}
