//! The shared read cache: the sales as a worker last read them from the database, for all API processes.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::redis::{RedisError, RedisGate};
use crate::domain::SaleSnapshot;

const KEY: &str = "flashsale:sales";
/// Longer than any pause of a worker that is alive, so that its readers fall back to the database soon after it died.
const TIME_TO_LIVE: Duration = Duration::from_secs(2);

#[derive(Serialize, Deserialize)]
struct CachedSales {
    database_time: DateTime<Utc>,
    sales: Vec<SaleSnapshot>,
}

impl RedisGate {
    /// Keeps the sales as they were at `database_time` for every API process.
    ///
    /// # Errors
    /// [`RedisError`].
    pub async fn put_sales(&self, database_time: DateTime<Utc>, sales: &[SaleSnapshot]) -> Result<(), RedisError> {
        let cached = CachedSales { database_time, sales: sales.to_vec() };
        let bytes =
            serde_json::to_vec(&cached).map_err(|_| RedisError::Unexpected("the sales cannot be written as JSON"))?;
        self.set_bytes(KEY, &bytes, TIME_TO_LIVE).await
    }

    /// The sales that a worker keeps here and the database's time they were read at; `None` when there are none or
    /// they cannot be read (another version wrote them).
    ///
    /// # Errors
    /// [`RedisError`].
    pub async fn get_sales(&self) -> Result<Option<(DateTime<Utc>, Vec<SaleSnapshot>)>, RedisError> {
        let Some(bytes) = self.get_bytes(KEY).await? else { return Ok(None) };
        Ok(serde_json::from_slice::<CachedSales>(&bytes).ok().map(|cached| (cached.database_time, cached.sales)))
    }
}
