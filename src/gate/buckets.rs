//! Token buckets that all processes share: what bounds how often one user, address or account may ask.

use std::sync::LazyLock;
use std::time::Duration;

use super::redis::{RedisError, RedisGate};
use super::script::Script;

static BUCKET: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("bucket.lua")));

/// A bucket that gets a token back every `refill` until it holds `size`.
#[derive(Debug, Clone, Copy)]
pub struct BucketShape {
    pub refill: Duration,
    pub size: u32,
}

impl RedisGate {
    /// Takes a number of tokens from a bucket, or only looks whether there is one with 0: how many are left, or how long to
    /// wait. Buckets nobody uses vanish.
    ///
    /// # Errors
    /// [`RedisError`].
    pub async fn take_from_bucket(
        &self,
        bucket: &str,
        shape: BucketShape,
        tokens: u32,
    ) -> Result<Result<u32, Duration>, RedisError> {
        let mut connection = self.connection.clone();
        let key = format!("flashsale:bucket:{bucket}");
        let refill_us = u64::try_from(shape.refill.as_micros()).unwrap_or(u64::MAX);
        let keys = [key.as_str()];
        let taken = BUCKET.run(&mut connection, &keys, |call| {
            call.arg(refill_us).arg(shape.size).arg(tokens);
        });
        let (left, wait_us): (i64, u64) = self.bounded(&key, taken).await?;
        Ok(u32::try_from(left).map_err(|_| Duration::from_micros(wait_us)))
    }
}
