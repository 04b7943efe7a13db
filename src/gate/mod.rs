//! Floor 2: the token gate and the shared read cache. The only place that names Redis.
//!
//! The gate turns a crowd away before it reaches the database. It knows two things of a sale: its capacity and who
//! holds a token (user → order). A free token is `capacity − holders`, so there is no counter that could drift: taking
//! and returning are idempotent by order id, and reconciling means making the holders equal to the live orders in the
//! database. A gate without a capacity is *unknown*, never empty and never full.
//!
//! With Redis the gate is shared by all processes. While Redis cannot be reached, or when there is none, each process
//! has its own; the database decides in any case.

mod board_cache;
mod buckets;
mod connection;
mod leadership;
mod process;
mod redis;
mod script;
mod suspects;
mod whereabouts;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::batcher::{BatchBounds, Batcher};
use crate::config::deadlines;
use crate::domain::{OrderId, SaleId, UserId};

pub use buckets::BucketShape;
pub use process::ProcessGate;
pub use redis::{RedisError, RedisGate};
pub use whereabouts::Whereabouts;

/// What the gate says to a request for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// The token is taken under the order id that was asked with.
    Admitted,
    /// The user holds a token already, under this order id.
    Held(OrderId),
    /// No token is free.
    SoldOut,
    /// The gate knows nothing of this sale: ask the database.
    Unknown,
}

/// A sale's gate at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GateState {
    pub capacity: i64,
    pub holders: HashMap<UserId, OrderId>,
}

/// A change that brings a gate nearer to the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GateRepair {
    /// Holders to be written, whoever is there.
    pub put: Vec<(UserId, OrderId)>,
    /// Holders to be removed, if they still hold under this order id.
    pub remove: Vec<(UserId, OrderId)>,
    /// The capacity to be set, after the rest.
    pub capacity: Option<i64>,
}

impl GateRepair {
    pub const fn is_empty(&self) -> bool {
        self.put.is_empty() && self.remove.is_empty() && self.capacity.is_none()
    }
}

/// Requests for tokens of one sale that go to Redis together.
const BOUNDS: BatchBounds =
    BatchBounds { batch_max: 500, in_flight_max: 2, queue_max: 32_768, queue_wait_max: deadlines::REDIS_COMMAND };

type Lane = Batcher<(UserId, OrderId), Admission>;

/// The gate of a process: Redis when there is one and it answers, its own memory otherwise.
pub struct TokenGate {
    redis: Option<Arc<RedisGate>>,
    process: ProcessGate,
    /// One lane to Redis a sale, made when it is first needed.
    lanes: Mutex<HashMap<SaleId, Lane>>,
}

impl TokenGate {
    pub fn new(redis: Option<Arc<RedisGate>>) -> Self {
        Self { redis, process: ProcessGate::default(), lanes: Mutex::default() }
    }

    /// Asks for a token for `order_id`, and says which gate answered: what is kept in `orders.reserved_token`.
    pub async fn take(&self, sale: SaleId, user: UserId, order: OrderId) -> (Admission, &'static str) {
        if let Some(redis) = self.redis() {
            // Redis may have taken a token although no answer came: it is then held under this order id, which the
            // database will know.
            if let Ok(admission) = self.lane(sale, redis).submit((user, order)).await {
                return (admission, if admission == Admission::Unknown { "none" } else { "redis" });
            }
        }
        match self.process.take(sale, user, order) {
            Admission::Unknown => (Admission::Unknown, "none"),
            admission => (admission, "process"),
        }
    }

    fn lane(&self, sale: SaleId, redis: &Arc<RedisGate>) -> Lane {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.entry(sale).or_insert_with(|| start_lane(sale, Arc::clone(redis))).clone()
    }

    /// Returns the tokens of orders that came to nothing, each if it is still held under that order. A return that is
    /// lost is made up for by reconciling.
    pub async fn give_back(&self, sale: SaleId, orders: Vec<(UserId, OrderId)>) {
        let repair = GateRepair { remove: orders, ..GateRepair::default() };
        self.process.apply(sale, &repair);
        if let Some(redis) = self.redis()
            && let Err(error) = redis.apply(sale, &repair).await
        {
            redis.mark_unavailable(&error);
        }
    }

    /// The gate in this process's memory.
    pub const fn process(&self) -> &ProcessGate {
        &self.process
    }

    /// The gate in Redis, if there is a Redis and it answers.
    pub fn redis(&self) -> Option<&Arc<RedisGate>> {
        self.redis.as_ref().filter(|redis| redis.is_available())
    }
}

fn start_lane(sale: SaleId, redis: Arc<RedisGate>) -> Lane {
    Batcher::start(BOUNDS, move |orders: Vec<(UserId, OrderId)>| {
        let redis = Arc::clone(&redis);
        async move {
            match redis.take(sale, &orders).await {
                Ok(admissions) => admissions,
                // Reconciling clears it away.
                Err(error) if error.is_foreign_value() => vec![Admission::Unknown; orders.len()],
                // Without answers the callers go on without Redis.
                Err(error) => {
                    redis.mark_unavailable(&error);
                    Vec::new()
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{Admission, GateRepair, TokenGate};

    const SALE: Uuid = Uuid::from_u128(1);
    const ANN: Uuid = Uuid::from_u128(2);
    const BOB: Uuid = Uuid::from_u128(3);

    #[test]
    fn a_repair_that_changes_anything_is_not_empty() {
        assert!(GateRepair::default().is_empty());
        assert!(!GateRepair { put: vec![(ANN, BOB)], ..GateRepair::default() }.is_empty());
        assert!(!GateRepair { remove: vec![(ANN, BOB)], ..GateRepair::default() }.is_empty());
        assert!(!GateRepair { capacity: Some(0), ..GateRepair::default() }.is_empty());
    }

    #[tokio::test]
    async fn without_redis_the_process_admits() {
        let gate = TokenGate::new(None);
        let (first, second) = (Uuid::from_u128(10), Uuid::from_u128(11));
        assert_eq!(gate.take(SALE, ANN, first).await, (Admission::Unknown, "none"));
        gate.process().apply(SALE, &GateRepair { capacity: Some(1), ..GateRepair::default() });
        assert_eq!(gate.take(SALE, ANN, first).await, (Admission::Admitted, "process"));
        assert_eq!(gate.take(SALE, ANN, second).await, (Admission::Held(first), "process"));
        assert_eq!(gate.take(SALE, BOB, second).await, (Admission::SoldOut, "process"));
        gate.give_back(SALE, vec![(ANN, second)]).await;
        assert_eq!(gate.take(SALE, BOB, second).await.0, Admission::SoldOut, "it is not held under that order");
        gate.give_back(SALE, vec![(ANN, first)]).await;
        assert_eq!(gate.take(SALE, BOB, second).await, (Admission::Admitted, "process"));
    }
}
