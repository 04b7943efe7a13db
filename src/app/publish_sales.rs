//! A worker's chores: the shared read cache and the gate in Redis are kept equal to the database, and old rows deleted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::reconcile_gate::{GateReconciler, ReconcileError, sales_with_gate};
use super::retry::Complaint;
use crate::config::intervals;
use crate::db::Database;
use crate::gate::RedisGate;

/// Rows of each kind deleted by one call.
const PRUNE_ROWS_MAX: i32 = 10_000;

/// Keeps Redis up to date until `stopping`. Every worker does so: all of it is idempotent.
pub async fn publish_sales_until(stopping: CancellationToken, database: Database, redis: Arc<RedisGate>) {
    let mut reconciler = GateReconciler::default();
    let mut tick = tokio::time::interval(intervals::BOARD_REFRESH / 2);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut reconcile_at = Instant::now();
    let mut complaint = Complaint::default();
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            _ = tick.tick() => {}
        }
        redis.probe().await;
        if !redis.is_available() {
            continue;
        }
        let reconcile = Instant::now() >= reconcile_at;
        if reconcile {
            reconcile_at = Instant::now() + intervals::RECONCILE;
        }
        match publish_once(&database, &redis, reconcile.then_some(&mut reconciler)).await {
            Ok(()) => {}
            Err(ReconcileError::Database(error)) if complaint.is_due(&error) => {
                tracing::error!(%error, "the sales cannot be kept up to date in Redis: trying again until they can");
            }
            Err(ReconcileError::Database(_)) => {}
            Err(ReconcileError::Redis(error)) => redis.mark_unavailable(&error),
        }
    }
}

/// Writes the sales to the read cache and, with a reconciler, makes the gates equal to the database.
///
/// # Errors
/// [`ReconcileError`].
pub async fn publish_once(
    database: &Database,
    redis: &RedisGate,
    reconciler: Option<&mut GateReconciler>,
) -> Result<(), ReconcileError> {
    let now = database.list_sales().await?;
    redis.put_sales(now.database_time, &now.sales).await?;
    if let Some(reconciler) = reconciler {
        for sale in sales_with_gate(&now.sales, now.database_time) {
            reconciler.reconcile_redis(redis, database, sale).await?;
        }
    }
    Ok(())
}

/// Deletes old rows until `stopping`.
pub async fn prune_until(stopping: CancellationToken, database: Database) {
    let mut prune = tokio::time::interval(intervals::PRUNE);
    prune.set_missed_tick_behavior(MissedTickBehavior::Delay);
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
