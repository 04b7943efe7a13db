//! Limits: requests in progress, and how often a user or an address may ask.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use metrics::gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::Problem;
use crate::config::Bounds;
use crate::domain::UserId;

/// Purchases of one user: enough for an impatient person, too few for a script.
const ORDERS_PER_SECOND: u32 = 5;
const ORDERS_BURST: u32 = 20;
/// Sign-ups and sign-ins from one address: many people may share one.
const SIGN_INS_PER_SECOND: u32 = 5;
const SIGN_INS_BURST: u32 = 50;

/// The limits of a process.
pub struct Limits {
    places: Arc<Semaphore>,
    places_max: usize,
    rates: Option<Rates>,
}

/// Idempotency keys of one caller, each a row for 24 hours.
const KEYS_PER_SECOND: u32 = 5;
const KEYS_BURST: u32 = 50;

struct Rates {
    orders: DefaultKeyedRateLimiter<UserId>,
    sign_ins: DefaultKeyedRateLimiter<IpAddr>,
    keys: DefaultKeyedRateLimiter<String>,
    clock: DefaultClock,
}

impl Limits {
    /// With `rate_limits` off only the requests in progress are bounded.
    pub fn new(bounds: &Bounds, rate_limits: bool) -> Self {
        Self {
            places: Arc::new(Semaphore::new(bounds.requests_in_flight_max)),
            places_max: bounds.requests_in_flight_max,
            rates: rate_limits.then(|| Rates {
                orders: RateLimiter::keyed(quota(ORDERS_PER_SECOND, ORDERS_BURST)),
                sign_ins: RateLimiter::keyed(quota(SIGN_INS_PER_SECOND, SIGN_INS_BURST)),
                keys: RateLimiter::keyed(quota(KEYS_PER_SECOND, KEYS_BURST)),
                clock: DefaultClock::default(),
            }),
        }
    }

    /// A place among the requests in progress, or none.
    pub fn enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// Counts a purchase attempt of a user.
    ///
    /// # Errors
    /// 429 with the time to wait.
    pub fn check_order(&self, user: UserId) -> Result<(), Problem> {
        self.rates.as_ref().map_or(Ok(()), |rates| rates.check(&rates.orders, &user))
    }

    /// Counts an idempotency key of a caller.
    ///
    /// # Errors
    /// 429 with the time to wait.
    pub fn check_key(&self, caller: &String) -> Result<(), Problem> {
        self.rates.as_ref().map_or(Ok(()), |rates| rates.check(&rates.keys, caller))
    }

    /// Counts a sign-up or sign-in from an address.
    ///
    /// # Errors
    /// 429 with the time to wait.
    pub fn check_sign_in(&self, address: IpAddr) -> Result<(), Problem> {
        self.rates.as_ref().map_or(Ok(()), |rates| rates.check(&rates.sign_ins, &address))
    }

    /// Forgets who has not asked for a while, and shows how full the process is. For ever.
    pub async fn keep_bounded(self: Arc<Self>) {
        let mut tick = tokio::time::interval(Duration::from_secs(5));
        loop {
            tick.tick().await;
            gauge!("flashsale_requests_in_flight").set((self.places_max - self.places.available_permits()) as f64);
            if let Some(rates) = &self.rates {
                rates.orders.retain_recent();
                rates.sign_ins.retain_recent();
                rates.keys.retain_recent();
            }
        }
    }
}

impl Rates {
    fn check<K: Clone + Eq + Hash>(&self, limiter: &DefaultKeyedRateLimiter<K>, key: &K) -> Result<(), Problem> {
        limiter.check_key(key).map_err(|until| Problem::too_many_requests(until.wait_time_from(self.clock.now())))
    }
}

fn quota(per_second: u32, burst: u32) -> Quota {
    let at_least_one = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
    Quota::per_second(at_least_one(per_second)).allow_burst(at_least_one(burst))
}
