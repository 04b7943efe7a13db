//! `If-None-Match`: who knows what we would answer hears 304.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};

/// The entity tags that the caller knows.
pub struct IfNoneMatch(Option<HeaderValue>);

impl IfNoneMatch {
    /// Whether this tag is among them, by the weak comparison of RFC 9110.
    pub fn knows(&self, etag: &[u8]) -> bool {
        let strong = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag).to_vec();
        let is_known = |tag: &[u8]| strong(tag.trim_ascii()) == strong(etag) || tag.trim_ascii() == b"*";
        self.0.as_ref().is_some_and(|known| known.as_bytes().split(|byte| *byte == b',').any(is_known))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.headers.get(header::IF_NONE_MATCH).cloned()))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::IfNoneMatch;

    #[test]
    fn tags_are_compared_weakly() {
        let knows = |known: &'static str| IfNoneMatch(Some(HeaderValue::from_static(known))).knows(b"\"a\"");
        assert!(knows("\"a\"") && knows("\"b\", W/\"a\"") && knows("*"));
        assert!(!knows("\"b\"") && !knows("a") && !knows(""));
        assert!(!IfNoneMatch(None).knows(b"\"a\""));
    }
}
