//! What happens around a sale: written once a second by API processes, read by whoever watches.

use uuid::Uuid;

use super::{Database, DbError};
use crate::domain::{
    ActivityMinute, ActivitySecond, Attempts, Fairness, QueueState, RefusalReason, RefusedAttempts, SaleId, SaleTally,
};

/// What an attempt was answered: `None` is an order.
pub type AttemptAnswer = Option<RefusalReason>;

const ACCEPTED: &str = "accepted";

impl Database {
    /// Adds up attempts of sales by answer, and samples the queue once a second.
    ///
    /// # Errors
    /// [`DbError`]; see [`DbError::is_outcome_unknown`].
    pub async fn note_activity(&self, counts: &[(SaleId, AttemptAnswer, i64)]) -> Result<(), DbError> {
        let sales: Vec<Uuid> = counts.iter().map(|(sale, _, _)| *sale).collect();
        let answers: Vec<&str> =
            counts.iter().map(|(_, answer, _)| answer.map_or(ACCEPTED, RefusalReason::code)).collect();
        let attempts: Vec<i64> = counts.iter().map(|(_, _, attempts)| *attempts).collect();
        self.query("select flashsale.note_activity($1, $2, $3)", &[&sales, &answers, &attempts]).await.map(drop)
    }

    /// All attempts at a sale.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn count_sale_attempts(&self, flash_sale_id: SaleId) -> Result<Attempts, DbError> {
        let rows =
            self.query("select answer, attempts from flashsale.count_sale_attempts($1)", &[&flash_sale_id]).await?;
        let of = |code: &str| rows.iter().find(|row| row.get::<_, &str>(0) == code).map(|row| row.get::<_, i64>(1));
        let refusals = RefusalReason::ALL
            .into_iter()
            .filter_map(|reason| of(reason.code()).map(|attempts| RefusedAttempts { reason, attempts }))
            .collect();
        Ok(Attempts { accepted: of(ACCEPTED).unwrap_or_default(), refusals })
    }

    /// The last complete seconds of a sale, the newest last.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn list_sale_seconds(&self, flash_sale_id: SaleId, seconds: i32) -> Result<Vec<ActivitySecond>, DbError> {
        let rows = self
            .query(
                "select second, attempts, accepted, succeeded, failed, remaining_stock, queue_depth, \
                 queue_oldest_age_s from flashsale.list_sale_seconds($1, $2)",
                &[&flash_sale_id, &seconds],
            )
            .await?;
        let second = |row: &tokio_postgres::Row| ActivitySecond {
            at: row.get(0),
            attempts: row.get(1),
            accepted: row.get(2),
            refused: row.get::<_, i64>(1) - row.get::<_, i64>(2),
            succeeded: row.get(3),
            failed: row.get(4),
            remaining_stock: row.get(5),
            queue_depth: row.get(6),
            queue_oldest_age_s: row.get(7),
        };
        Ok(rows.iter().map(second).collect())
    }

    /// The queue now, at a cost that does not depend on its depth.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn find_queue_state(&self) -> Result<QueueState, DbError> {
        let row = self
            .query_one(
                "select depth, oldest_age_s, drain_rate_per_s, dead_letters from flashsale.find_queue_state()",
                &[],
            )
            .await?;
        Ok(QueueState {
            depth: row.get(0),
            oldest_age_s: row.get(1),
            drain_rate_per_s: row.get(2),
            dead_letters: row.get(3),
        })
    }

    /// The minutes of a sale in which something happened, at most the newest `minutes_max`, in their order.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn list_sale_minutes(
        &self,
        flash_sale_id: SaleId,
        minutes_max: i32,
    ) -> Result<Vec<ActivityMinute>, DbError> {
        let rows = self
            .query(
                "select minute, attempts, accepted, succeeded, failed from flashsale.list_sale_minutes($1, $2)",
                &[&flash_sale_id, &minutes_max],
            )
            .await?;
        let minute = |row: &tokio_postgres::Row| ActivityMinute {
            minute: row.get(0),
            attempts: row.get(1),
            accepted: row.get(2),
            refused: row.get::<_, i64>(1) - row.get::<_, i64>(2),
            succeeded: row.get(3),
            failed: row.get(4),
        };
        Ok(rows.iter().map(minute).collect())
    }

    /// What became of the orders of a sale. Reads all of them: seconds for a million.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn find_sale_report(&self, flash_sale_id: SaleId) -> Result<Option<SaleTally>, DbError> {
        let rows = self
            .query(
                "select balanced, sold, in_progress, failed, sold_out_after_ms, settled, waited_p50_ms, \
                 waited_p99_ms, waited_max_ms, overtaken, failed_before_later_success \
                 from flashsale.find_sale_report($1)",
                &[&flash_sale_id],
            )
            .await?;
        Ok(rows.first().map(|row| SaleTally {
            balanced: row.get(0),
            sold: row.get(1),
            in_progress: row.get(2),
            failed: row.get(3),
            sold_out_after_ms: row.get(4),
            fairness: Fairness {
                orders: row.get(5),
                waited_p50_ms: row.get(6),
                waited_p99_ms: row.get(7),
                waited_max_ms: row.get(8),
                overtaken: row.get(9),
                failed_before_later_success: row.get(10),
            },
        }))
    }
}
