//! The token gate in Redis, shared by all processes.
//!
//! Keys of one sale share a hash tag, so that they lie in one slot of a cluster:
//! `flashsale:{<sale>}:capacity` is a number, `flashsale:{<sale>}:holders` a hash of user → order.
//! All other keys are used one at a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use metrics::gauge;
use redis::{AsyncCommands, RedisResult};
use uuid::Uuid;

use super::connection::{Connection, Servers};
use super::script::Script;
use super::suspects::Suspects;
use super::{Admission, GateRepair, GateState};
use crate::config::{RedisServers, RedisUrl, deadlines};
use crate::domain::{OrderId, SaleId, UserId};

/// An error of Redis or of the way to it.
#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    #[error("REDIS_URL cannot be used: {0}")]
    Url(String),
    #[error("redis: {0}")]
    Command(#[from] redis::RedisError),
    #[error("redis did not answer within {0:?}")]
    TimedOut(Duration),
    #[error("unexpected answer of redis: {0}")]
    Unexpected(&'static str),
}

impl RedisError {
    /// Whether Redis answers, but somebody else's value lies where a gate should be.
    pub fn is_foreign_value(&self) -> bool {
        match self {
            // Inside a script the code is a part of the text only.
            Self::Command(error) => error.code() == Some("WRONGTYPE") || error.to_string().contains("WRONGTYPE"),
            Self::Unexpected(_) => true,
            Self::Url(_) | Self::TimedOut(_) => false,
        }
    }
}

const PROBE_TIME_TO_LIVE: Duration = Duration::from_secs(60);
/// Good probes in a row before Redis is used again after an outage, and before it counts as settled.
const PROBES_TRUSTED: u32 = 3;
const PROBES_SETTLED: u32 = 50;
/// How long a gate outlives its last repair: it is repaired regularly until its sale has ended.
const TIME_TO_LIVE: Duration = Duration::from_secs(24 * 3600);
/// Holders written by one script call, which blocks Redis for as long.
const REPAIR_CHUNK: usize = 2000;
/// Holders read by one command, about as many: a fraction of a millisecond.
const SCAN_COUNT: usize = 500;

/// Redis, by a connection that comes back by itself. While it does not answer, it is marked unavailable and not asked
/// again but by [`probe`](Self::probe), so that requests do not wait for it one after the other.
pub struct RedisGate {
    pub(super) kind: RedisServers,
    pub(super) servers: Arc<Servers>,
    pub(super) connection: Connection,
    take: Script,
    repair: Script,
    size: Script,
    available: AtomicBool,
    /// Good probes since the last failure.
    good_probes: AtomicU32,
    suspects: Suspects,
}

impl RedisGate {
    /// Connects when first used.
    ///
    /// # Errors
    /// [`RedisError::Url`] when the URL cannot be used.
    pub fn new(url: &RedisUrl) -> Result<Self, RedisError> {
        let servers = Arc::new(Servers::new(url).map_err(|e| RedisError::Url(e.to_string()))?);
        Ok(Self {
            kind: url.servers.clone(),
            connection: Connection::new(Arc::clone(&servers)),
            servers,
            take: Script::new(include_str!("take.lua")),
            repair: Script::new(include_str!("repair.lua")),
            size: Script::new(include_str!("size.lua")),
            available: AtomicBool::new(true),
            good_probes: AtomicU32::new(PROBES_SETTLED),
            suspects: Suspects::default(),
        })
    }

    pub fn is_available(&self) -> bool {
        self.available.load(Ordering::Relaxed)
    }

    /// Whether it has been available for a while.
    pub fn is_settled(&self) -> bool {
        self.is_available() && self.good_probes.load(Ordering::Relaxed) >= PROBES_SETTLED
    }

    /// Stops asking Redis until [`probe`](Self::probe) finds it again. Logged once an outage.
    pub fn mark_unavailable(&self, error: &RedisError) {
        self.good_probes.store(0, Ordering::Relaxed);
        gauge!("flashsale_redis_available").set(0.0);
        if self.available.swap(false, Ordering::Relaxed) {
            tracing::warn!(%error, "redis does not answer: going on without it, on the database's authority");
        }
    }

    /// Asks whether Redis takes what is written to it and marks it accordingly; to be called regularly. Some answers in
    /// a row are needed to trust it again: a replica that only reads, or one that comes and goes, is as good as none.
    pub async fn probe(&self) {
        for key in self.suspects.probe_keys() {
            if let Err(error) = self.set_bytes(&key, b"1", PROBE_TIME_TO_LIVE).await {
                return self.mark_unavailable(&error);
            }
        }
        gauge!("flashsale_redis_available").set(f64::from(u8::from(self.is_available())));
        let good = self.good_probes.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if good >= PROBES_TRUSTED {
            self.suspects.clear();
            if !self.available.swap(true, Ordering::Relaxed) {
                tracing::info!("redis answers again");
            }
        }
    }

    /// Takes tokens of one sale for a batch of orders in one round trip; the answers are in their order. A call whose
    /// reply was lost may have taken them.
    ///
    /// # Errors
    /// [`RedisError`].
    pub async fn take(&self, sale: SaleId, orders: &[(UserId, OrderId)]) -> Result<Vec<Admission>, RedisError> {
        let mut connection = self.connection.clone();
        let (capacity, holders) = keys(sale);
        let keys = [capacity.as_str(), holders.as_str()];
        let taken = self.take.run(&mut connection, &keys, |call| {
            let (mut user_text, mut order_text) = (Uuid::encode_buffer(), Uuid::encode_buffer());
            for (user, order) in orders {
                let user: &str = user.hyphenated().encode_lower(&mut user_text);
                let order: &str = order.hyphenated().encode_lower(&mut order_text);
                call.arg(user).arg(order);
            }
        });
        let answers: Option<Vec<String>> = self.bounded(&capacity, taken).await?;
        let Some(answers) = answers else { return Ok(vec![Admission::Unknown; orders.len()]) };
        if answers.len() != orders.len() {
            return Err(RedisError::Unexpected("take.lua answered another number of times than it was asked"));
        }
        answers
            .iter()
            .map(|answer| match answer.as_str() {
                "" => Ok(Admission::Admitted),
                "sold_out" => Ok(Admission::SoldOut),
                held => Uuid::parse_str(held)
                    .map(Admission::Held)
                    .map_err(|_| RedisError::Unexpected("a holder is not an order id")),
            })
            .collect()
    }

    /// A sale's gate as it is now; `None` when it is unknown. The holders are read in pieces, because whatever reads
    /// many at once keeps Redis from admitting anybody meanwhile: one who takes or returns a token while they are read
    /// may be among them or not.
    ///
    /// # Errors
    /// [`RedisError`].
    pub async fn state(&self, sale: SaleId) -> Result<Option<GateState>, RedisError> {
        let mut connection = self.connection.clone();
        let (capacity_key, holders_key) = keys(sale);
        let capacity: Option<String> = self.bounded(&capacity_key, connection.get(&capacity_key)).await?;
        let Some(capacity) = parse_capacity(capacity) else { return Ok(None) };
        let mut holders = HashMap::new();
        let read = async {
            let mut cursor = 0_u64;
            loop {
                let mut scan = redis::cmd("HSCAN");
                scan.arg(&holders_key).arg(cursor).arg("COUNT").arg(SCAN_COUNT);
                let (next, piece): (u64, Vec<(String, String)>) = scan.query_async(&mut connection).await?;
                holders.extend(
                    piece
                        .iter()
                        .filter_map(|(user, order)| Some((Uuid::parse_str(user).ok()?, Uuid::parse_str(order).ok()?))),
                );
                if next == 0 {
                    return Ok(());
                }
                cursor = next;
            }
        };
        self.bounded_by(deadlines::REDIS_RECONCILE, &holders_key, read).await?;
        Ok(Some(GateState { capacity, holders }))
    }

    /// Capacity and number of holders, cheaply; `None` when the gate is unknown.
    ///
    /// # Errors
    /// [`RedisError`].
    pub async fn size(&self, sale: SaleId) -> Result<Option<(i64, i64)>, RedisError> {
        let mut connection = self.connection.clone();
        let (capacity, holders) = keys(sale);
        let keys = [capacity.as_str(), holders.as_str()];
        // Not a transaction: those do not follow a slot that has moved to another server of a cluster.
        let size = self.size.run(&mut connection, &keys, |_| ());
        let (capacity, holders): (Option<String>, i64) = self.bounded(&capacity, size).await?;
        Ok(parse_capacity(capacity).map(|capacity| (capacity, holders)))
    }

    /// Forgets what is kept of a sale: its gate becomes unknown.
    ///
    /// # Errors
    /// [`RedisError`].
    pub async fn forget(&self, sale: SaleId) -> Result<(), RedisError> {
        let mut connection = self.connection.clone();
        let (capacity, holders) = keys(sale);
        self.bounded(&capacity, connection.del(&[&capacity, &holders])).await
    }

    /// Applies a repair, in chunks; the capacity is set with the last, so that a gate half loaded stays unknown.
    ///
    /// # Errors
    /// [`RedisError`].
    pub async fn apply(&self, sale: SaleId, repair: &GateRepair) -> Result<(), RedisError> {
        let mut chunks = Vec::new();
        for remove in repair.remove.chunks(REPAIR_CHUNK) {
            chunks.push((remove, [].as_slice()));
        }
        for put in repair.put.chunks(REPAIR_CHUNK) {
            chunks.push(([].as_slice(), put));
        }
        if chunks.is_empty() {
            chunks.push(([].as_slice(), [].as_slice()));
        }
        let last = chunks.len() - 1;
        for (index, (remove, put)) in chunks.into_iter().enumerate() {
            let capacity = repair.capacity.filter(|_| index == last);
            self.apply_chunk(sale, remove, put, capacity).await?;
        }
        Ok(())
    }

    async fn apply_chunk(
        &self,
        sale: SaleId,
        remove: &[(UserId, OrderId)],
        put: &[(UserId, OrderId)],
        capacity: Option<i64>,
    ) -> Result<(), RedisError> {
        let mut connection = self.connection.clone();
        let (capacity_key, holders_key) = keys(sale);
        let keys = [capacity_key.as_str(), holders_key.as_str()];
        let repaired = self.repair.run::<i64>(&mut connection, &keys, |call| {
            call.arg(capacity.map(|c| c.to_string()).unwrap_or_default());
            call.arg(TIME_TO_LIVE.as_secs()).arg(remove.len());
            for (user, order) in remove.iter().chain(put) {
                call.arg(user.to_string()).arg(order.to_string());
            }
        });
        self.bounded(&capacity_key, repaired).await.map(drop)
    }

    pub(super) async fn get_bytes(&self, key: &str) -> Result<Option<Vec<u8>>, RedisError> {
        let mut connection = self.connection.clone();
        self.bounded(key, connection.get(key)).await
    }

    pub(super) async fn set_bytes(&self, key: &str, bytes: &[u8], time_to_live: Duration) -> Result<(), RedisError> {
        let mut connection = self.connection.clone();
        self.bounded(key, connection.set_ex(key, bytes, time_to_live.as_secs())).await
    }

    /// A command that touches `key`, given up after a while.
    pub(super) async fn bounded<T>(
        &self,
        key: &str,
        command: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, RedisError> {
        self.bounded_by(deadlines::REDIS_COMMAND, key, command).await
    }

    async fn bounded_by<T>(
        &self,
        limit: Duration,
        key: &str,
        command: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, RedisError> {
        let answer = match tokio::time::timeout(limit, command).await {
            Ok(answer) => answer.map_err(RedisError::Command),
            Err(_) => Err(RedisError::TimedOut(limit)),
        };
        if answer.as_ref().is_err_and(|error| !error.is_foreign_value()) {
            self.suspects.note(key);
        }
        answer
    }
}

pub(super) fn keys(sale: SaleId) -> (String, String) {
    (format!("flashsale:{{{sale}}}:capacity"), format!("flashsale:{{{sale}}}:holders"))
}

/// A capacity that is not a number is none: the gate is unknown.
fn parse_capacity(text: Option<String>) -> Option<i64> {
    text.and_then(|text| text.parse().ok())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{RedisError, RedisGate, parse_capacity};
    use crate::config::RedisUrl;

    #[test]
    fn redis_is_trusted_until_it_fails() {
        let redis = RedisGate::new(&RedisUrl::parse("redis://localhost").unwrap()).unwrap();
        assert!(redis.is_available() && redis.is_settled());
        redis.mark_unavailable(&RedisError::TimedOut(Duration::ZERO));
        assert!(!redis.is_available() && !redis.is_settled());
    }

    #[test]
    fn a_capacity_that_is_no_number_is_none() {
        assert_eq!(parse_capacity(Some("20".to_owned())), Some(20));
        assert_eq!(parse_capacity(Some("many".to_owned())), None);
        assert_eq!(parse_capacity(None), None);
    }
}
