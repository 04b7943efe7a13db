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
mod process;
mod redis;

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::{OrderId, SaleId, UserId};

pub use process::ProcessGate;
pub use redis::{RedisError, RedisGate};

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

/// The gate of a process: Redis when there is one and it answers, its own memory otherwise.
pub struct TokenGate {
    redis: Option<Arc<RedisGate>>,
    process: ProcessGate,
}

impl TokenGate {
    pub fn new(redis: Option<Arc<RedisGate>>) -> Self {
        Self { redis, process: ProcessGate::default() }
    }

    /// Asks for a token for `order_id` in one round trip, and says which gate answered: what is kept in
    /// `orders.reserved_token`.
    pub async fn take(&self, sale: SaleId, user: UserId, order: OrderId) -> (Admission, &'static str) {
        if let Some(redis) = &self.redis
            && redis.is_available()
        {
            match redis.take(sale, user, order).await {
                Ok(Admission::Unknown) => return (Admission::Unknown, "none"),
                Ok(admission) => return (admission, "redis"),
                // Reconciling clears it away.
                Err(error) if error.is_foreign_value() => return (Admission::Unknown, "none"),
                // The script may have run: the token is then held under this order id, which the database will know.
                Err(error) => redis.mark_unavailable(&error),
            }
        }
        match self.process.take(sale, user, order) {
            Admission::Unknown => (Admission::Unknown, "none"),
            admission => (admission, "process"),
        }
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
