//! Settling: one loop takes messages off the queue in batches, one transaction each.

use std::time::{Duration, Instant, SystemTime};

use metrics::{counter, histogram};
use tokio_util::sync::CancellationToken;

use super::retry::{Complaint, RetryPause};
use crate::config::intervals;
use crate::db::{Database, DbError, FollowedOrder, SettledBatch};
use crate::telemetry::{PURCHASES, trace_settled};

/// Messages settled one by one after a batch failed.
const SINGLY_MAX: i32 = 100;

/// Settles until `stopping`; the batch under way is finished. An empty queue is looked at again soon, less often the
/// longer it stays empty.
pub async fn settle_until(stopping: CancellationToken, database: Database, batch_max: i32) {
    let (mut retry, mut complaint) = (RetryPause::default(), Complaint::default());
    let mut idle = intervals::QUEUE_POLL_MIN;
    while !stopping.is_cancelled() {
        let pause = match settle_once(&database, batch_max).await {
            Ok(batch) => {
                retry.reset();
                // A full batch: more is waiting.
                if batch.messages >= batch_max {
                    continue;
                }
                idle = idle_pause(batch.messages, idle);
                idle
            }
            Err(error) => {
                if complaint.is_due(&error) {
                    tracing::error!(%error, "nothing can be settled: trying again until it can");
                }
                retry.next()
            }
        };
        tokio::select! {
            () = stopping.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// When to look again at a queue that had so many messages, after this pause.
fn idle_pause(messages: i32, before: Duration) -> Duration {
    let pause = if messages > 0 { intervals::QUEUE_POLL_MIN } else { before * 2 };
    pause.min(intervals::QUEUE_POLL_MAX)
}

/// Settles one batch. A batch that fails for a reason that will not pass is settled message by message, so that the
/// one at fault is set aside and the rest go on.
///
/// # Errors
/// [`DbError`]; the messages are back in the queue, or settled and only the answer was lost.
pub async fn settle_once(database: &Database, batch_max: i32) -> Result<SettledBatch, DbError> {
    let (started, started_at) = (Instant::now(), SystemTime::now());
    let batch = match database.settle_orders(batch_max).await {
        Err(error) if !error.is_transient() => {
            let singly = database.settle_orders_singly(SINGLY_MAX.min(batch_max)).await?;
            tracing::warn!(%error, "a batch could not be settled: its messages were settled one by one");
            singly
        }
        batch => batch?,
    };
    if batch.messages > 0 {
        record(&batch, started.elapsed());
        batch.followed.iter().for_each(|order| follow(order, started_at));
    }
    Ok(batch)
}

/// Says which request this was, where somebody follows it.
fn follow(order: &FollowedOrder, started: SystemTime) {
    let FollowedOrder { order_id, outcome, correlation } = order;
    let request_id = correlation.request_id.as_deref().unwrap_or("none");
    tracing::debug!(target: PURCHASES, request_id, %order_id, outcome, "order settled");
    trace_settled(correlation, *order_id, outcome, started);
}

fn record(batch: &SettledBatch, took: Duration) {
    histogram!("flashsale_settle_orders_batch_size").record(f64::from(batch.messages));
    histogram!("flashsale_settle_orders_seconds").record(took.as_secs_f64());
    for (outcome, orders) in [("success", batch.succeeded), ("failed", batch.failed), ("duplicate", batch.duplicates)] {
        counter!("flashsale_orders_settled_total", "outcome" => outcome)
            .increment(u64::try_from(orders).unwrap_or_default());
    }
    if batch.dead_lettered > 0 {
        counter!("flashsale_dead_letters_total").increment(u64::try_from(batch.dead_lettered).unwrap_or_default());
        tracing::error!(messages = batch.dead_lettered, "messages were set aside: see ops.dead_letters");
    }
}

#[cfg(test)]
mod tests {
    use super::idle_pause;
    use crate::config::intervals::{QUEUE_POLL_MAX, QUEUE_POLL_MIN};

    #[test]
    fn a_queue_is_looked_at_less_often_the_longer_it_is_empty() {
        let mut pause = QUEUE_POLL_MIN;
        while pause < QUEUE_POLL_MAX {
            let next = idle_pause(0, pause);
            assert_eq!(next, (pause * 2).min(QUEUE_POLL_MAX));
            pause = next;
        }
        assert_eq!(idle_pause(0, pause), QUEUE_POLL_MAX);
        assert_eq!(idle_pause(1, pause), QUEUE_POLL_MIN, "who buys now is not the last");
    }
}
