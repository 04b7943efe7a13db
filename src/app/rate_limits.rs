//! How often one user, address or account may ask: token buckets in Redis, which all processes share, or in the memory of
//! this process while there is no Redis. See docs/decisions/0011-rate-limits.md.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use metrics::counter;
use moka::sync::Cache;

use crate::domain::UserId;
use crate::gate::{BucketShape, RedisGate};

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Purchase attempts of one user: enough for an impatient person, too few for a script.
    Orders,
    /// Sign-ups and sign-ins from one address: many people may share one.
    SignIns,
    /// Idempotency keys of one caller, each a row for 24 hours.
    Keys,
    /// Wrong passwords for one account from one address, or from one browser it was signed in with before.
    Guesses,
    /// Wrong passwords for one account from everywhere else together.
    AccountGuesses,
    /// Wrong passwords for one account from one address while those of everywhere together are used up.
    FirstGuesses,
}

impl Limit {
    const ALL: [Self; 6] =
        [Self::Orders, Self::SignIns, Self::Keys, Self::Guesses, Self::AccountGuesses, Self::FirstGuesses];

    /// As in the headers, the metrics and the logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::SignIns => "sign_ins",
            Self::Keys => "idempotency_keys",
            Self::Guesses => "guesses",
            Self::AccountGuesses => "account_guesses",
            Self::FirstGuesses => "first_guesses",
        }
    }

    /// How many at once, and how long each takes to come back.
    pub const fn shape(self) -> BucketShape {
        let (size, refill_ms) = match self {
            Self::Orders => (20, 200),
            Self::SignIns | Self::Keys => (50, 200),
            Self::Guesses => (10, 5_000),
            Self::AccountGuesses => (100, 10_000),
            Self::FirstGuesses => (2, 300_000),
        };
        BucketShape { size, refill: Duration::from_millis(refill_ms) }
    }
}

/// Whose bucket it is. Says nothing of a person to who reads Redis, and has one size whatever strangers send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BucketKey(u128);

impl BucketKey {
    pub const fn of_user(user_id: UserId) -> Self {
        Self(user_id.as_u128())
    }

    /// An address of version 6 counts as its network of 64 bits, which one household has all of.
    pub fn of_address(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => u128::from(address.to_bits()),
            IpAddr::V6(address) => address.to_bits() >> 64 << 64,
        })
    }

    /// Of both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        // The one side is a hash that nobody outside can choose.
        Self(self.0 ^ other.0.rotate_left(64))
    }

    /// From the first 16 bytes of a hash.
    pub fn of_hash(hash: &[u8]) -> Self {
        Self(hash.iter().take(16).fold(0, |key, byte| key << 8 | u128::from(*byte)))
    }
}

/// What is left of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    pub limit: Limit,
    pub remaining: u32,
}

/// A bucket is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many {}: wait for {retry_after:?}", .limit.name())]
pub struct TooManyRequests {
    pub limit: Limit,
    pub retry_after: Duration,
    /// Whether its owner was not waiting already: to be logged once, not with every impatient request.
    pub is_news: bool,
}

type ProcessBuckets =
    RateLimiter<BucketKey, DefaultKeyedStateStore<BucketKey>, DefaultClock, StateInformationMiddleware>;

/// Who is being waited for: more than this many are forgotten, the oldest first, and each after the longest wait there is.
const WAITING_MAX: u64 = 100_000;
const WAITING_TIME_MAX: Duration = Duration::from_secs(300);

/// The buckets of a process, and those it shares.
pub struct RateLimits {
    /// None when limits are off.
    process: Option<[ProcessBuckets; Limit::ALL.len()]>,
    redis: Option<Arc<RedisGate>>,
    /// Until when a bucket is known to be empty.
    waiting: Cache<(Limit, BucketKey), Instant>,
}

impl RateLimits {
    /// With `enabled` off nobody is limited.
    pub fn new(enabled: bool, redis: Option<Arc<RedisGate>>) -> Self {
        let waiting = Cache::builder().max_capacity(WAITING_MAX).time_to_live(WAITING_TIME_MAX).build();
        Self { process: enabled.then(|| Limit::ALL.map(process_buckets)), redis, waiting }
    }

    /// Takes a token: from the bucket that all processes share when Redis answers, else from this process's own. None when
    /// nobody is limited.
    ///
    /// # Errors
    /// [`TooManyRequests`].
    pub async fn take(&self, limit: Limit, key: BucketKey) -> Result<Option<Allowance>, TooManyRequests> {
        if self.process.is_none() {
            return Ok(None);
        }
        match self.ask_redis(limit, key, 1).await {
            Some(answer) => self.answer(limit, key, answer).map(Some),
            None => self.take_here(limit, key),
        }
    }

    /// Takes a token from this process's own bucket, without asking anybody: for what a crowd does.
    ///
    /// # Errors
    /// [`TooManyRequests`].
    pub fn take_here(&self, limit: Limit, key: BucketKey) -> Result<Option<Allowance>, TooManyRequests> {
        let Some(process) = &self.process else { return Ok(None) };
        let answer = match process[limit as usize].check_key(&key) {
            Ok(state) => Ok(state.remaining_burst_capacity()),
            Err(until) => Err(until.wait_time_from(DefaultClock::default().now())),
        };
        self.answer(limit, key, answer).map(Some)
    }

    /// Takes a token from the shared bucket only, after [`take_here`](Self::take_here); while Redis does not answer, that one
    /// was all.
    ///
    /// # Errors
    /// [`TooManyRequests`].
    pub async fn take_shared(&self, limit: Limit, key: BucketKey) -> Result<(), TooManyRequests> {
        if self.process.is_some()
            && let Some(answer) = self.ask_redis(limit, key, 1).await
        {
            self.answer(limit, key, answer)?;
        }
        Ok(())
    }

    /// Looks whether there is a token, and takes none.
    ///
    /// # Errors
    /// [`TooManyRequests`].
    pub async fn look(&self, limit: Limit, key: BucketKey) -> Result<(), TooManyRequests> {
        if self.process.is_none() {
            return Ok(());
        }
        let left = self.waiting.get(&(limit, key)).map(|until| until.saturating_duration_since(Instant::now()));
        let answer = match left.filter(|left| !left.is_zero()) {
            Some(left) => Err(left),
            None => self.ask_redis(limit, key, 0).await.unwrap_or(Ok(0)),
        };
        self.answer(limit, key, answer).map(drop)
    }

    /// Forgets the process's buckets that are full. To be called every few seconds.
    pub fn forget_idle(&self) {
        for buckets in self.process.iter().flatten() {
            buckets.retain_recent();
        }
    }

    async fn ask_redis(&self, limit: Limit, key: BucketKey, tokens: u32) -> Option<Result<u32, Duration>> {
        let redis = self.redis.as_ref().filter(|redis| redis.is_available())?;
        let bucket = format!("{}:{:032x}", limit.name(), key.0);
        match redis.take_from_bucket(&bucket, limit.shape(), tokens).await {
            Ok(answer) => Some(answer),
            Err(error) => {
                if !error.is_foreign_value() {
                    redis.mark_unavailable(&error);
                }
                None
            }
        }
    }

    fn answer(
        &self,
        limit: Limit,
        key: BucketKey,
        answer: Result<u32, Duration>,
    ) -> Result<Allowance, TooManyRequests> {
        answer.map(|remaining| Allowance { limit, remaining }).map_err(|retry_after| {
            counter!("flashsale_rate_limited_total", "limit" => limit.name()).increment(1);
            let now = Instant::now();
            let known = self.waiting.get(&(limit, key));
            self.waiting.insert((limit, key), now + retry_after);
            TooManyRequests { limit, retry_after, is_news: known.is_none() }
        })
    }
}

fn process_buckets(limit: Limit) -> ProcessBuckets {
    let BucketShape { refill, size } = limit.shape();
    let quota = Quota::with_period(refill).unwrap_or(Quota::per_second(NonZeroU32::MIN));
    RateLimiter::keyed(quota.allow_burst(NonZeroU32::new(size).unwrap_or(NonZeroU32::MIN)))
        .with_middleware::<StateInformationMiddleware>()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{BucketKey, Limit, RateLimits};

    const KEY: BucketKey = BucketKey(7);

    #[tokio::test]
    async fn a_bucket_is_empty_after_its_size_and_others_are_not() {
        let limits = RateLimits::new(true, None);
        let size = Limit::Orders.shape().size;
        for left in (0..size).rev() {
            assert_eq!(limits.take(Limit::Orders, KEY).await.unwrap().unwrap().remaining, left);
        }
        let exceeded = limits.take(Limit::Orders, KEY).await.unwrap_err();
        assert!(exceeded.is_news && exceeded.retry_after <= Limit::Orders.shape().refill, "{exceeded:?}");
        assert!(!limits.take(Limit::Orders, KEY).await.unwrap_err().is_news, "said once");
        assert!(limits.take(Limit::Orders, BucketKey(8)).await.is_ok(), "another's bucket");
        assert!(limits.take(Limit::SignIns, KEY).await.is_ok(), "another limit");
    }

    #[tokio::test]
    async fn looking_takes_nothing_and_sees_an_empty_bucket() {
        let limits = RateLimits::new(true, None);
        for _ in 0..Limit::Guesses.shape().size {
            limits.look(Limit::Guesses, KEY).await.unwrap();
            limits.take(Limit::Guesses, KEY).await.unwrap();
        }
        limits.take(Limit::Guesses, KEY).await.unwrap_err();
        assert!(limits.look(Limit::Guesses, KEY).await.is_err());
        assert!(limits.look(Limit::Guesses, BucketKey(8)).await.is_ok());
    }

    #[tokio::test]
    async fn nobody_is_limited_when_limits_are_off() {
        let limits = RateLimits::new(false, None);
        for _ in 0..200 {
            assert_eq!(limits.take(Limit::Orders, KEY).await, Ok(None));
        }
    }

    #[test]
    fn neighbours_share_a_bucket_only_within_a_household() {
        let key = |text: &str| BucketKey::of_address(text.parse::<IpAddr>().unwrap());
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        assert_eq!(key("192.0.2.1"), key("::ffff:192.0.2.1"));
    }
}
