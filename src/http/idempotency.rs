//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header) on any POST.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use uuid::Uuid;

use super::auth;
use super::client::{RequestId, client_address};
use super::json::read_body;
use super::limits::refuse;
use super::problem::{PROBLEM_JSON, Problem};
use super::state::Api;
use crate::app::idempotency::IdempotencyKeys;
use crate::app::rate_limits::{BucketKey, Limit};
use crate::app::security_events::SecurityEvent;
use crate::config::RETRY_AFTER;
use crate::db::{KeyClaim, KeyState};

/// Every POST there is.
const TAKE_A_KEY: [&str; 6] = ["/users", "/users/authenticate", "/sales", "/sales/update", "/sales/end", "/orders"];
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The status kept for a request that may be run again: signing in makes a new token each time, and tokens are not kept.
const RUN_AGAIN: u16 = 0;

/// The key of a request, if it has one.
pub struct IdempotencyKey(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        idempotency_key(&parts.headers).map(Self)
    }
}

/// The key of a request, 1 to 255 visible ASCII characters, with or without the quotes of a structured string.
///
/// # Errors
/// 400 for anything else.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().ok().map(|text| text.trim().trim_matches('"'));
    match key {
        Some(key) if (1..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()) => {
            Ok(Some(key.to_owned()))
        }
        _ => Err(Problem::invalid_request("Idempotency-Key: must be 1 to 255 visible ASCII characters")),
    }
}

/// Gives the first answer to a key again, or runs the request and keeps its answer.
pub async fn idempotent(api: &Api, request: Request, next: Next) -> Result<Response, Problem> {
    if request.method() != Method::POST || !request.headers().contains_key("idempotency-key") {
        return Ok(next.run(request).await);
    }
    let Some(caller) = caller(&request, api) else { return Ok(next.run(request).await) };
    let Some(key) = idempotency_key(request.headers())? else { return Ok(next.run(request).await) };
    let bucket = BucketKey::of_hash(&api.sessions.keyed_hash(&[caller.as_bytes()]));
    let request_id = RequestId::of(request.extensions());
    let event = SecurityEvent { request_id: request_id.as_str(), ..SecurityEvent::default() };
    api.limits.rates.take(Limit::Keys, bucket).await.map_err(|exceeded| refuse(&exceeded, event))?;
    let (parts, body) = request.into_parts();
    let body = read_body(body).await?;
    // Keyed, because bodies hold passwords and fingerprints are kept.
    let fingerprint = api.sessions.keyed_hash(&[parts.uri.path().as_bytes(), &body]);
    let claim = KeyClaim { caller, key, fingerprint, claimant: Uuid::new_v4() };
    let keeps_answer = parts.uri.path() != "/users/authenticate";
    match api.keys.claim(claim.clone()).await? {
        KeyState::Claimed => {}
        KeyState::Finished { status: RUN_AGAIN, .. } => {
            return Ok(next.run(Request::from_parts(parts, Body::from(body))).await);
        }
        KeyState::Finished { status, body } => return Ok(replay(status, body)),
        KeyState::Running => return Err(still_running()),
        KeyState::Mismatch => return Err(reused()),
    }
    // The request runs to its end and its answer is kept even if the caller goes away meanwhile.
    let request = Request::from_parts(parts, Body::from(body));
    let keys = Arc::clone(&api.keys);
    let run = tokio::spawn(async move { run_and_keep(&keys, claim, keeps_answer, next.run(request).await).await });
    run.await.unwrap_or_else(|_| Err(Problem::of_status(StatusCode::INTERNAL_SERVER_ERROR)))
}

async fn run_and_keep(
    keys: &IdempotencyKeys,
    claim: KeyClaim,
    keeps_answer: bool,
    response: Response,
) -> Result<Response, Problem> {
    let status = response.status();
    let is_unread = response.extensions().get::<Problem>().is_some_and(|problem| problem.code == "invalid_request");
    if is_unread || !is_final(status) {
        keys.finish(claim, None).await;
        return Ok(response);
    }
    if !keeps_answer {
        keys.finish(claim, Some((RUN_AGAIN, Vec::new()))).await;
        return Ok(response);
    }
    let (mut parts, body) = response.into_parts();
    let bytes = match parts.extensions.get::<Problem>() {
        Some(problem) => problem.body("replayed"),
        None => match body.collect().await {
            Ok(body) => body.to_bytes().to_vec(),
            Err(_) => return Err(Problem::of_status(StatusCode::INTERNAL_SERVER_ERROR)),
        },
    };
    keys.finish(claim, Some((status.as_u16(), bytes.clone()))).await;
    parts.headers.remove(header::CONTENT_LENGTH);
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

/// Whose key it is: a user's, or for requests before signing in an address's. `None` for a session that is not valid,
/// which the handler will refuse, and at addresses that take no key.
fn caller(request: &Request, api: &Api) -> Option<String> {
    if !TAKE_A_KEY.contains(&request.uri().path()) {
        return None;
    }
    let is_before_sign_in = matches!(request.uri().path(), "/users" | "/users/authenticate");
    if is_before_sign_in {
        let address = client_address(request.headers(), request.extensions(), &api.trusted_proxies);
        return Some(format!("address {address}"));
    }
    let session = auth::session(request.method(), request.headers(), api).ok()?;
    Some(format!("user {}", session.user_id))
}

/// Whether an answer would be the same for the same request later. A refusal for lack of rights, time or room is not.
fn is_final(status: StatusCode) -> bool {
    !status.is_server_error()
        && !matches!(
            status,
            StatusCode::UNAUTHORIZED
                | StatusCode::FORBIDDEN
                | StatusCode::REQUEST_TIMEOUT
                | StatusCode::PAYLOAD_TOO_LARGE
                | StatusCode::UNSUPPORTED_MEDIA_TYPE
                | StatusCode::TOO_MANY_REQUESTS
        )
}

fn replay(status: u16, body: Vec<u8>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = if status.is_success() { "application/json" } else { PROBLEM_JSON };
    let mut response = (status, body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

pub fn still_running() -> Problem {
    Problem {
        retry_after: Some(RETRY_AFTER),
        ..Problem::new(
            StatusCode::CONFLICT,
            "idempotency_key_in_use",
            "A request with this Idempotency-Key is still running: ask again shortly",
        )
    }
}

pub fn reused() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "idempotency_key_reused",
        "This Idempotency-Key was used for another request: use a new one",
    )
}
