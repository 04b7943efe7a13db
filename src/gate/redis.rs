//! The token gate in Redis, shared by all processes.
//!
//! Keys of one sale share a hash tag, so that they lie in one slot of a cluster:
//! `flashsale:{<sale>}:capacity` is a number, `flashsale:{<sale>}:holders` a hash of user → order.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use metrics::gauge;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncCommands, RedisResult, Script};
use uuid::Uuid;

use super::{Admission, GateRepair, GateState};
use crate::config::deadlines;
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
            // Inside a pipeline the code is a part of the text only.
            Self::Command(error) => error.code() == Some("WRONGTYPE") || error.to_string().contains("WRONGTYPE"),
            Self::Unexpected(_) => true,
            Self::Url(_) | Self::TimedOut(_) => false,
        }
    }
}

const PROBE_KEY: &str = "flashsale:probe";
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

/// A connection to Redis that comes back by itself. While Redis does not answer, it is marked unavailable and not asked
/// again but by [`probe`](Self::probe), so that requests do not wait for it one after the other.
pub struct RedisGate {
    connection: ConnectionManager,
    take: Script,
    repair: Script,
    available: AtomicBool,
    /// Good probes since the last failure.
    good_probes: AtomicU32,
    /// For whole gates, which take longer than any answer to a purchase may.
    reconciling: ConnectionManager,
}

impl RedisGate {
    /// Connects when first used.
    ///
    /// # Errors
    /// [`RedisError::Url`] when the URL cannot be parsed.
    pub fn new(url: &str) -> Result<Self, RedisError> {
        let client = redis::Client::open(url).map_err(|e| RedisError::Url(e.to_string()))?;
        let connect = |answer: Duration| {
            let config = ConnectionManagerConfig::new()
                .set_response_timeout(Some(answer))
                .set_connection_timeout(Some(deadlines::REDIS_COMMAND))
                .set_number_of_retries(1)
                .set_max_delay(deadlines::REDIS_COMMAND);
            ConnectionManager::new_lazy_with_config(client.clone(), config)
        };
        Ok(Self {
            connection: connect(deadlines::REDIS_COMMAND)?,
            reconciling: connect(deadlines::REDIS_RECONCILE)?,
            take: Script::new(include_str!("take.lua")),
            repair: Script::new(include_str!("repair.lua")),
            available: AtomicBool::new(true),
            good_probes: AtomicU32::new(PROBES_SETTLED),
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
        match self.set_bytes(PROBE_KEY, b"1", PROBE_TIME_TO_LIVE).await {
            Ok(()) => {
                gauge!("flashsale_redis_available").set(f64::from(u8::from(self.is_available())));
                let good = self.good_probes.fetch_add(1, Ordering::Relaxed).saturating_add(1);
                if good >= PROBES_TRUSTED && !self.available.swap(true, Ordering::Relaxed) {
                    tracing::info!("redis answers again");
                }
            }
            Err(error) => self.mark_unavailable(&error),
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
        let mut call = self.take.key(capacity);
        call.key(holders);
        let (mut user_text, mut order_text) = (Uuid::encode_buffer(), Uuid::encode_buffer());
        for (user, order) in orders {
            let user: &str = user.hyphenated().encode_lower(&mut user_text);
            let order: &str = order.hyphenated().encode_lower(&mut order_text);
            call.arg(user).arg(order);
        }
        let answers: Option<Vec<String>> = bounded(call.invoke_async(&mut connection)).await?;
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
        let mut connection = self.reconciling.clone();
        let (capacity, holders_key) = keys(sale);
        let capacity: Option<String> = bounded(connection.get(capacity)).await?;
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
        bounded_by(deadlines::REDIS_RECONCILE, read).await?;
        Ok(Some(GateState { capacity, holders }))
    }

    /// Capacity and number of holders, cheaply; `None` when the gate is unknown.
    ///
    /// # Errors
    /// [`RedisError`].
    pub async fn size(&self, sale: SaleId) -> Result<Option<(i64, i64)>, RedisError> {
        let mut connection = self.connection.clone();
        let (capacity, holders) = keys(sale);
        let mut pipe = redis::pipe();
        pipe.atomic().get(capacity).hlen(holders);
        let (capacity, holders): (Option<String>, i64) = bounded(pipe.query_async(&mut connection)).await?;
        Ok(parse_capacity(capacity).map(|capacity| (capacity, holders)))
    }

    /// Forgets what is kept of a sale: its gate becomes unknown.
    ///
    /// # Errors
    /// [`RedisError`].
    pub async fn forget(&self, sale: SaleId) -> Result<(), RedisError> {
        let mut connection = self.connection.clone();
        let (capacity, holders) = keys(sale);
        bounded(connection.del(&[capacity, holders])).await
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
        let mut connection = self.reconciling.clone();
        let (capacity_key, holders_key) = keys(sale);
        let mut call = self.repair.key(capacity_key);
        call.key(holders_key)
            .arg(capacity.map(|c| c.to_string()).unwrap_or_default())
            .arg(TIME_TO_LIVE.as_secs())
            .arg(remove.len());
        for (user, order) in remove.iter().chain(put) {
            call.arg(user.to_string()).arg(order.to_string());
        }
        bounded(call.invoke_async::<i64>(&mut connection)).await.map(drop)
    }

    pub(super) fn connection(&self) -> ConnectionManager {
        self.connection.clone()
    }

    pub(super) async fn get_bytes(&self, key: &str) -> Result<Option<Vec<u8>>, RedisError> {
        let mut connection = self.connection.clone();
        bounded(connection.get(key)).await
    }

    pub(super) async fn set_bytes(&self, key: &str, bytes: &[u8], time_to_live: Duration) -> Result<(), RedisError> {
        let mut connection = self.connection.clone();
        bounded(connection.set_ex(key, bytes, time_to_live.as_secs())).await
    }
}

fn keys(sale: SaleId) -> (String, String) {
    (format!("flashsale:{{{sale}}}:capacity"), format!("flashsale:{{{sale}}}:holders"))
}

/// A capacity that is not a number is none: the gate is unknown.
fn parse_capacity(text: Option<String>) -> Option<i64> {
    text.and_then(|text| text.parse().ok())
}

pub(super) async fn bounded<T>(command: impl Future<Output = RedisResult<T>>) -> Result<T, RedisError> {
    bounded_by(deadlines::REDIS_COMMAND, command).await
}

async fn bounded_by<T>(limit: Duration, command: impl Future<Output = RedisResult<T>>) -> Result<T, RedisError> {
    match tokio::time::timeout(limit, command).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(RedisError::TimedOut(limit)),
    }
}
