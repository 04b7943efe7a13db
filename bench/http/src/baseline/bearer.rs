//! Who is calling: the bearer token, verified by the engine's own code.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use flashsale::app::sessions::Sessions;
use uuid::Uuid;

/// The user of a request; anything but a valid token is answered 401.
pub struct Bearer(pub Uuid);

impl<S: AsRef<Sessions> + Send + Sync> FromRequestParts<S> for Bearer {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, StatusCode> {
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| value.strip_prefix("Bearer ")).ok_or(StatusCode::UNAUTHORIZED)?;
        state.as_ref().verify(token).map(|session| Self(session.user_id)).map_err(|_| StatusCode::UNAUTHORIZED)
    }
}
