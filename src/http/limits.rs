//! Limits as their callers see them: requests in progress, and the `RateLimit` headers of those that are counted
//! (draft-ietf-httpapi-ratelimit-headers).

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use metrics::gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::client::Client;
use super::problem::Problem;
use crate::app::rate_limits::{Allowance, BucketKey, Limit, RateLimits, TooManyRequests};
use crate::app::security_events::{SecurityEvent, SecurityEventKind};
use crate::config::Bounds;

pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The limits of a process.
pub struct Limits {
    places: Arc<Semaphore>,
    places_max: usize,
    pub rates: Arc<RateLimits>,
}

impl Limits {
    pub fn new(bounds: &Bounds, rates: Arc<RateLimits>) -> Self {
        let places_max = bounds.requests_in_flight_max;
        Self { places: Arc::new(Semaphore::new(places_max)), places_max, rates }
    }

    /// A place among the requests in progress, or none.
    pub fn enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// Counts a sign-up or sign-in from an address.
    ///
    /// # Errors
    /// 429 with the time to wait.
    pub async fn take_sign_in(&self, client: &Client) -> Result<Option<Allowance>, Problem> {
        let key = BucketKey::of_address(client.address);
        self.rates.take(Limit::SignIns, key).await.map_err(|exceeded| refuse(&exceeded, client.security_event()))
    }

    /// Forgets who has not asked for a while, and shows how full the process is. For ever.
    pub async fn keep_bounded(self: Arc<Self>) {
        let mut tick = tokio::time::interval(Duration::from_secs(5));
        loop {
            tick.tick().await;
            gauge!("flashsale_requests_in_flight").set((self.places_max - self.places.available_permits()) as f64);
            self.rates.forget_idle();
        }
    }
}

/// 429 for an empty bucket.
pub fn refuse(exceeded: &TooManyRequests, event: SecurityEvent<'_>) -> Problem {
    note_exceeded(exceeded, event);
    Problem::too_many_requests(*exceeded)
}

/// That a bucket is empty is a security event, once.
pub fn note_exceeded(exceeded: &TooManyRequests, event: SecurityEvent<'_>) {
    if exceeded.is_news {
        SecurityEvent { detail: Some(exceeded.limit.name()), ..event }.note(SecurityEventKind::RateLimitExceeded);
    }
}

/// The answer to a request that was counted, with what its caller has left.
pub fn with_allowance(allowance: Option<Allowance>, answer: Result<Response, Problem>) -> Response {
    let mut response = answer.unwrap_or_else(IntoResponse::into_response);
    // A refusal by a narrower limit has its own.
    if let Some(allowance) = allowance.filter(|_| !response.headers().contains_key(RATE_LIMIT)) {
        write_headers(response.headers_mut(), allowance.limit, allowance.remaining, None);
    }
    response
}

/// `r` tokens are left of `q`; an empty bucket of that size is full again after `w` seconds, and has a token after `t`.
pub fn write_headers(headers: &mut HeaderMap, limit: Limit, remaining: u32, wait: Option<Duration>) {
    let (name, shape) = (limit.name(), limit.shape());
    let window = (shape.refill * shape.size).as_secs().max(1);
    let wait = wait.map(|wait| format!(";t={}", wait.as_secs_f64().ceil().max(1.0))).unwrap_or_default();
    let values = [
        (RATE_LIMIT_POLICY, format!("\"{name}\";q={};w={window}", shape.size)),
        (RATE_LIMIT, format!("\"{name}\";r={remaining}{wait}")),
    ];
    for (header, value) in values {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(header, value);
        }
    }
}
