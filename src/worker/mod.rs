//! Floor 4: the worker. Settle loops drain the queue; chores delete old rows and, in one of the workers, keep Redis equal to
//! the database.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::app::publish_sales::{prune_until, publish_sales_until, reconcile_gates_until};
use crate::app::settle_orders::settle_until;
use crate::app::watch_books::watch_books_until;
use crate::config::{Bounds, deadlines};
use crate::db::{Database, DbError, Outage};
use crate::gate::RedisGate;

/// Works until `stopping`; batches under way are finished. Says to `outage` how its calls to the database go.
///
/// # Errors
/// [`DbError::Url`].
pub async fn work_until(
    stopping: CancellationToken,
    url: &str,
    bounds: &Bounds,
    redis: Option<Arc<RedisGate>>,
    outage: &Arc<Outage>,
) -> Result<(), DbError> {
    let pool =
        |size, name| Ok::<_, DbError>(Database::new(url, size, name, deadlines::SETTLE_STATEMENT)?.telling(outage));
    let settling = pool(bounds.settle_loops, "flashsale worker")?;
    let chores = pool(4, "flashsale worker chores")?;
    let batch_max = i32::try_from(bounds.settle_batch_max).unwrap_or(i32::MAX);
    let mut tasks = JoinSet::new();
    for _ in 0..bounds.settle_loops {
        tasks.spawn(settle_until(stopping.clone(), settling.clone(), batch_max));
    }
    tasks.spawn(prune_until(stopping.clone(), chores.clone()));
    let worker = Uuid::new_v4();
    tasks.spawn(watch_books_until(stopping.clone(), chores.clone(), redis.clone(), worker));
    if let Some(redis) = redis {
        tasks.spawn(publish_sales_until(stopping.clone(), chores.clone(), Arc::clone(&redis), worker));
        tasks.spawn(reconcile_gates_until(stopping.clone(), chores, redis, worker));
    }
    tracing::info!(loops = bounds.settle_loops, batch_max, "settling purchases");
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            // A panic in one task: the others stop too, and the process ends for its supervisor to start it again.
            tracing::error!(%error, "a task of the worker broke off");
            stopping.cancel();
        }
    }
    tracing::info!("the worker has stopped");
    Ok(())
}
