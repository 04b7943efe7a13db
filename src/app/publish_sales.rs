//! A worker's chores: the shared read cache and the gate in Redis are kept equal to the database, and old rows deleted.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::lead::Lead;
use super::reconcile_gate::{GateReconciler, ReconcileError, sales_with_gate};
use super::retry::Complaint;
use crate::config::intervals;
use crate::db::Database;
use crate::domain::SaleSnapshot;
use crate::gate::RedisGate;

/// Rows of each kind deleted by one call.
const PRUNE_ROWS_MAX: i32 = 10_000;

/// Keeps the shared read cache up to date until `stopping`, while `worker` is the one that leads.
pub async fn publish_sales_until(stopping: CancellationToken, database: Database, redis: Arc<RedisGate>, worker: Uuid) {
    let mut tick = ticker(intervals::BOARD_REFRESH / 2);
    let mut chore = RedisChore::new("the sales cannot be kept up to date in Redis: trying again until they can");
    let mut led = false;
    while chore.is_next(&stopping, &mut tick).await {
        redis.probe().await;
        let leads = chore.lead.is_ours(&redis, worker).await;
        if leads {
            chore.done(&redis, publish_sales(&database, &redis).await);
        }
        if leads && !led {
            tracing::info!("this worker keeps Redis up to date");
        }
        led = leads;
    }
    if let Err(error) = redis.resign(worker).await {
        tracing::debug!(%error, "another worker leads once the lease is over");
    }
}

/// Makes the gates equal to the database until `stopping`, while `worker` is the one that leads. A loop of its own: comparing
/// many large gates takes seconds, and the read cache must not grow old meanwhile.
pub async fn reconcile_gates_until(
    stopping: CancellationToken,
    database: Database,
    redis: Arc<RedisGate>,
    worker: Uuid,
) {
    let mut reconciler = GateReconciler::default();
    let mut tick = ticker(intervals::RECONCILE);
    let mut chore = RedisChore::new("the gates cannot be compared with the database: trying again until they can");
    while chore.is_next(&stopping, &mut tick).await {
        if chore.lead.is_ours(&redis, worker).await {
            chore.done(&redis, reconcile_gates(&database, &redis, &mut reconciler).await);
        }
    }
}

/// Writes the sales to the read cache.
///
/// # Errors
/// [`ReconcileError`].
pub async fn publish_sales(database: &Database, redis: &RedisGate) -> Result<(), ReconcileError> {
    let now = database.list_sales().await?;
    Ok(redis.put_sales(now.database_time, &now.sales).await?)
}

/// Makes the gates of the sales near their windows equal to the database.
///
/// # Errors
/// [`ReconcileError`].
pub async fn reconcile_gates(
    database: &Database,
    redis: &RedisGate,
    reconciler: &mut GateReconciler,
) -> Result<(), ReconcileError> {
    let now = database.list_sales().await?;
    let mut sales: Vec<&SaleSnapshot> = sales_with_gate(&now.sales, now.database_time).collect();
    reconciler.begin_round(&mut sales);
    for sale in sales {
        reconciler.reconcile_redis(redis, database, sale).await?;
    }
    Ok(())
}

/// How a chore that needs Redis and the database goes on, and what it says.
struct RedisChore {
    complaint: Complaint,
    says: &'static str,
    lead: Lead,
}

impl RedisChore {
    fn new(says: &'static str) -> Self {
        Self { complaint: Complaint::default(), says, lead: Lead::default() }
    }

    /// Waits for the next time; false when it is time to stop.
    async fn is_next(&self, stopping: &CancellationToken, tick: &mut Interval) -> bool {
        tokio::select! {
            // Or the lead could be taken again after it was given up.
            biased;
            () = stopping.cancelled() => false,
            _ = tick.tick() => true,
        }
    }

    fn done(&mut self, redis: &RedisGate, done: Result<(), ReconcileError>) {
        self.lead.note_database(matches!(done, Err(ReconcileError::Database(_))));
        match done {
            Ok(()) => {}
            Err(ReconcileError::Database(error)) if self.complaint.is_due(&error) => {
                tracing::error!(%error, "{}", self.says);
            }
            Err(ReconcileError::Database(_)) => {}
            Err(ReconcileError::Redis(error)) => redis.mark_unavailable(&error),
        }
    }
}

fn ticker(period: Duration) -> Interval {
    let mut ticker = tokio::time::interval(period);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticker
}

/// Deletes old rows until `stopping`.
pub async fn prune_until(stopping: CancellationToken, database: Database) {
    let mut prune = ticker(intervals::PRUNE);
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            _ = prune.tick() => {}
        }
        if let Err(error) = database.prune(PRUNE_ROWS_MAX).await
            && !error.is_outage()
        {
            tracing::warn!(%error, again_in_s = Duration::as_secs(&intervals::PRUNE), "old rows were not deleted");
        }
    }
}
