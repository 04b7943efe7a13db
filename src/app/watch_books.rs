//! The continuous watch: a worker looks at the queue, checks the books of the sales that are running or were lately, and
//! repairs what does not balance. It should never have to: that it did is said in one line and counted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::{counter, gauge};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::lead::Lead;
use super::retry::Complaint;
use crate::config::intervals;
use crate::db::{Database, DbError, UnbalancedBook};
use crate::gate::RedisGate;

/// The books are checked again after this many times what the last check took: at most a twentieth of a core.
const COST_FACTOR: u32 = 20;

/// Watches until `stopping`. Every worker measures the queue; the books are checked by the one that leads, or by each of
/// them while there is no Redis to elect one, which does the same work more than once and nothing else.
pub async fn watch_books_until(
    stopping: CancellationToken,
    database: Database,
    redis: Option<Arc<RedisGate>>,
    worker: Uuid,
) {
    let mut tick = tokio::time::interval(intervals::WATCH);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut lead = Lead::default();
    let mut watch = BookWatch { database, complaint: Complaint::default(), checked_at: Instant::now(), pause: None };
    loop {
        tokio::select! {
            biased;
            () = stopping.cancelled() => return,
            _ = tick.tick() => {}
        }
        let leads = match redis.as_deref().filter(|redis| redis.is_available()) {
            Some(redis) => lead.is_ours(redis, worker).await,
            None => true,
        };
        gauge!("flashsale_worker_leads").set(f64::from(u8::from(leads)));
        let looked = watch.look(leads).await;
        lead.note_database(looked.is_err());
        if let Err(error) = looked
            && watch.complaint.is_due(&error)
        {
            tracing::error!(%error, "the books cannot be checked: trying again until they can");
        }
    }
}

struct BookWatch {
    database: Database,
    complaint: Complaint,
    /// When the books were last checked by whoever leads, as far as this worker knows.
    checked_at: Instant,
    /// Until the next check; none before the first.
    pause: Option<Duration>,
}

impl BookWatch {
    async fn look(&mut self, leads: bool) -> Result<(), DbError> {
        let queue = self.database.find_queue_state().await?;
        gauge!("flashsale_queue_depth").set(queue.depth as f64);
        gauge!("flashsale_queue_oldest_age_seconds").set(queue.oldest_age_s);
        gauge!("flashsale_dead_letters").set(queue.dead_letters as f64);
        if !leads {
            // Whoever leads says so: an old finding of ours must not stay.
            gauge!("flashsale_books_unbalanced").set(0.0);
            (self.checked_at, self.pause) = (Instant::now(), None);
        } else if self.pause.is_none_or(|pause| self.checked_at.elapsed() >= pause) {
            let started = Instant::now();
            self.check().await?;
            (self.checked_at, self.pause) =
                (Instant::now(), Some((started.elapsed() * COST_FACTOR).max(intervals::BOOKS_CHECK)));
        }
        gauge!("flashsale_books_check_age_seconds").set(self.checked_at.elapsed().as_secs_f64());
        Ok(())
    }

    async fn check(&self) -> Result<(), DbError> {
        let unbalanced = self.database.check_books(intervals::BOOKS_CHANGED_WITHIN).await?;
        gauge!("flashsale_books_unbalanced").set(unbalanced.len() as f64);
        for book in unbalanced {
            if book.is_repairable {
                self.repair(&book).await?;
            }
        }
        Ok(())
    }

    async fn repair(&self, book: &UnbalancedBook) -> Result<(), DbError> {
        let Some(repair) = self.database.repair_books(book.flash_sale_id).await? else { return Ok(()) };
        let repairs = [
            ("sold", u64::from(repair.sold_before != repair.sold_after)),
            ("live", u64::from(repair.live_before != repair.live_after)),
            ("message", u64::try_from(repair.messages_sent).unwrap_or_default()),
        ];
        for (kind, times) in repairs {
            counter!("flashsale_books_repairs_total", "repair" => kind).increment(times);
        }
        tracing::error!(flash_sale_id = %book.flash_sale_id, found = ?book, done = ?repair, "the books did not balance");
        Ok(())
    }
}
