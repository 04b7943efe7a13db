//! Whether this worker is the one that does what one of them does. A worker whose database fails leaves the lead to one that
//! can read it.

use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::gate::RedisGate;

/// Longer than a lead lasts that is not renewed.
const ABSTAIN: Duration = Duration::from_secs(3);

/// What one loop of a worker knows of its own fitness to lead.
#[derive(Debug, Default)]
pub struct Lead {
    failed_at: Option<Instant>,
}

impl Lead {
    /// Takes the lead or renews it, unless the database failed lately, Redis does not answer, or another worker has it.
    pub async fn is_ours(&self, redis: &RedisGate, worker: Uuid) -> bool {
        if !redis.is_available() || self.failed_at.is_some_and(|at| at.elapsed() < ABSTAIN) {
            return false;
        }
        match redis.lead(worker).await {
            Ok(leads) => leads,
            Err(error) => {
                redis.mark_unavailable(&error);
                false
            }
        }
    }

    /// How the last call to the database went.
    pub fn note_database(&mut self, has_failed: bool) {
        self.failed_at = has_failed.then(Instant::now);
    }
}
