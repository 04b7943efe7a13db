//! Who is calling: the bearer of a token or of the session cookie. Checked before what was sent.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum_extra::extract::CookieJar;

use super::client::Client;
use super::problem::Problem;
use super::state::Api;
use crate::app::security_events::{SecurityEvent, SecurityEventKind};
use crate::app::sessions::Session;

/// The HttpOnly cookie that carries a session.
pub const SESSION_COOKIE: &str = "flashsale_session";

/// The code of a request with a cookie that another site's page sent.
const FOREIGN_ORIGIN: &str = "foreign_origin";

/// A caller who is signed in.
pub struct Caller(pub Session);

/// A caller who may administer sales now, by the database.
pub struct Administrator(pub Session);

impl FromRequestParts<Api> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let session = session(&parts.method, &parts.headers, api);
        if session.as_ref().is_err_and(|problem| problem.code == FOREIGN_ORIGIN) {
            let Ok(client) = Client::from_request_parts(parts, api).await;
            client.note(SecurityEventKind::ForeignOrigin);
        }
        session.map(Self)
    }
}

impl FromRequestParts<Api> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let session = session(&parts.method, &parts.headers, api)?;
        let Ok(client) = Client::from_request_parts(parts, api).await;
        if api.database.is_administrator(session.user_id).await? {
            return Ok(Self(session));
        }
        SecurityEvent { user_id: Some(session.user_id), detail: Some(parts.uri.path()), ..client.security_event() }
            .note(SecurityEventKind::Forbidden);
        Err(forbidden())
    }
}

/// The session of a request: from `Authorization` if there is one, from the cookie otherwise.
///
/// # Errors
/// 401, or 403 for a cookie sent by another site's page.
pub fn session(method: &Method, headers: &HeaderMap, api: &Api) -> Result<Session, Problem> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let token = value.to_str().ok().and_then(bearer_token).ok_or_else(Problem::unauthorized)?;
        return api.sessions.verify(token).map_err(|_| Problem::unauthorized());
    }
    let jar = CookieJar::from_headers(headers);
    let cookie = jar.get(SESSION_COOKIE).ok_or_else(Problem::unauthorized)?;
    let session = api.sessions.verify(cookie.value()).map_err(|_| Problem::unauthorized())?;
    if !method.is_safe() && !is_same_origin(headers) {
        return Err(foreign_origin());
    }
    Ok(session)
}

pub fn forbidden() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "forbidden", "Only an administrator may do this")
}

pub fn foreign_origin() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        FOREIGN_ORIGIN,
        "A request with a session cookie that changes something must come from our own page (see Origin)",
    )
}

fn bearer_token(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whether `Origin` names the host that the request was sent to. Browsers send it with every request that writes.
fn is_same_origin(headers: &HeaderMap) -> bool {
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    match (origin.and_then(|origin| origin.split_once("://")), host) {
        (Some((_, origin)), Some(host)) => origin.eq_ignore_ascii_case(host),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    use super::{bearer_token, is_same_origin};

    #[test]
    fn the_scheme_is_case_insensitive() {
        assert_eq!(bearer_token("bEARER abc"), Some("abc"));
        assert_eq!(bearer_token("Basic abc"), None);
        assert_eq!(bearer_token("abc"), None);
    }

    #[test]
    fn only_our_own_page_writes_with_a_cookie() {
        let same = |pairs: &[(&'static str, &'static str)]| {
            let headers: HeaderMap = pairs
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                .collect();
            is_same_origin(&headers)
        };
        assert!(same(&[("host", "shop.example:8080"), ("origin", "https://shop.example:8080")]));
        assert!(!same(&[("host", "shop.example"), ("origin", "https://evil.example")]));
        assert!(!same(&[("host", "shop.example"), ("origin", "null")]));
        assert!(!same(&[("host", "shop.example")]));
    }
}
