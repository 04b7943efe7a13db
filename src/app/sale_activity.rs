//! Attempts to buy, counted by sale and answer in memory and added up in the database once a second.
//!
//! They are statistics: a process that is killed takes the counts of its last second with it, and a call whose reply was
//! lost may be counted twice. The books are the orders. Requests that are refused before their body is read (nobody signed
//! in, the process is full) name no sale and are not counted.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use chrono::Timelike;
use tokio_util::sync::CancellationToken;

use super::sale_board::SaleBoard;
use crate::config::intervals;
use crate::db::{AttemptAnswer, Database, DbError};
use crate::domain::{RefusalReason, SaleId};

/// Sales with counters, above which those that are no longer on the board lose theirs.
const SALES_KEPT_MAX: usize = 1000;
/// The counter of attempts that became orders; those of refusals follow in the order of [`RefusalReason::ALL`].
const ACCEPTED: usize = 0;

type Counters = [AtomicU64; 1 + RefusalReason::ALL.len()];

/// What this process has counted since its last report. Counting takes no lock.
#[derive(Default)]
pub struct ActivityCounters {
    sales: ArcSwap<HashMap<SaleId, Arc<Counters>>>,
}

impl ActivityCounters {
    /// Counts an attempt.
    pub fn note(&self, sale: SaleId, answer: AttemptAnswer) {
        self.add(sale, answer, 1);
    }

    fn add(&self, sale: SaleId, answer: AttemptAnswer, attempts: u64) {
        let place = answer.map_or(ACCEPTED, |reason| 1 + reason as usize);
        let sales = self.sales.load();
        let counter = sales.get(&sale).and_then(|counters| counters.get(place));
        match counter {
            Some(counter) => drop(counter.fetch_add(attempts, Ordering::Relaxed)),
            None => {
                self.sales.rcu(|sales| {
                    let mut sales = HashMap::clone(sales);
                    sales.entry(sale).or_default();
                    sales
                });
                if let Some(counter) = self.sales.load().get(&sale).and_then(|counters| counters.get(place)) {
                    counter.fetch_add(attempts, Ordering::Relaxed);
                }
            }
        }
    }

    /// Says what was counted since the last time, and has the queue sampled. What could not be said is kept for the next
    /// time.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn flush(&self, database: &Database) -> Result<(), DbError> {
        let taken = self.take();
        let noted = database.note_activity(&taken).await;
        if noted.is_err() {
            for (sale, answer, attempts) in taken {
                self.add(sale, answer, attempts.unsigned_abs());
            }
        }
        noted
    }

    fn take(&self) -> Vec<(SaleId, AttemptAnswer, i64)> {
        let mut taken = Vec::new();
        for (sale, counters) in self.sales.load().iter() {
            let answers = std::iter::once(None).chain(RefusalReason::ALL.into_iter().map(Some));
            for (answer, counter) in answers.zip(counters.iter()) {
                let attempts = counter.swap(0, Ordering::Relaxed);
                if attempts > 0 {
                    taken.push((*sale, answer, i64::try_from(attempts).unwrap_or(i64::MAX)));
                }
            }
        }
        taken
    }

    /// Forgets sales that nobody can attempt any more, when there are many and all about them was said.
    fn keep_bounded(&self, board: &SaleBoard) {
        if self.sales.load().len() <= SALES_KEPT_MAX {
            return;
        }
        let known: HashSet<SaleId> = board.current().sales.iter().map(|sale| sale.flash_sale_id).collect();
        self.sales.rcu(|sales| {
            let mut sales = HashMap::clone(sales);
            sales.retain(|sale, counters| {
                known.contains(sale) || counters.iter().any(|counter| counter.load(Ordering::Relaxed) > 0)
            });
            sales
        });
    }
}

/// Flushes shortly after every second of the database's clock, and once more at the end, when `stopping`.
pub async fn note_activity_until(
    stopping: CancellationToken,
    activity: Arc<ActivityCounters>,
    board: Arc<SaleBoard>,
    database: Database,
) {
    loop {
        tokio::select! {
            () = stopping.cancelled() => break,
            () = tokio::time::sleep(until_next_second(&board)) => {}
        }
        match activity.flush(&database).await {
            Ok(()) => activity.keep_bounded(&board),
            // An outage has been said.
            Err(error) if error.is_transient() => {
                tracing::debug!(%error, "what was counted is kept for later")
            }
            Err(error) => tracing::error!(%error, "what was counted cannot be said"),
        }
    }
    if let Err(error) = activity.flush(&database).await {
        tracing::warn!(%error, "the attempts of the last second were not counted");
    }
}

/// Until a little after the next second of the database's clock begins.
fn until_next_second(board: &SaleBoard) -> Duration {
    let past = Duration::from_nanos(u64::from(board.database_now().nanosecond() % 1_000_000_000));
    Duration::from_secs(1).saturating_sub(past) + intervals::ACTIVITY_LAG
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use uuid::Uuid;

    use super::ActivityCounters;
    use crate::config::deadlines;
    use crate::db::Database;
    use crate::domain::RefusalReason;

    #[test]
    fn what_many_threads_count_adds_up() {
        let activity = Arc::new(ActivityCounters::default());
        let sales = [Uuid::from_u128(1), Uuid::from_u128(2)];
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for turn in 0..1000 {
                        activity.note(sales[turn % 2], (turn % 4 == 0).then_some(RefusalReason::SoldOut));
                    }
                });
            }
        });
        let mut taken = activity.take();
        taken.sort_by_key(|(sale, answer, _)| (*sale, answer.is_some()));
        let expected = [(sales[0], None, 1000), (sales[0], Some(RefusalReason::SoldOut), 1000), (sales[1], None, 2000)];
        assert_eq!(taken, expected);
        assert!(activity.take().is_empty(), "what was taken is not taken again");
    }

    #[tokio::test]
    async fn a_flush_that_fails_keeps_its_counts() {
        let activity = ActivityCounters::default();
        let sale = Uuid::from_u128(1);
        activity.note(sale, None);
        activity.note(sale, Some(RefusalReason::OutcomeUnknown));
        let nowhere = Database::new("postgres://nobody@127.0.0.1:1/none", 1, "test", deadlines::STATEMENT).unwrap();
        activity.flush(&nowhere).await.unwrap_err();
        activity.note(sale, None);
        assert_eq!(activity.take(), [(sale, None, 2), (sale, Some(RefusalReason::OutcomeUnknown), 1)]);
    }
}
