//! The books: checked and repaired for the continuous watch.

use std::time::Duration;

use uuid::Uuid;

use super::{Database, DbError};
use crate::domain::SaleId;

/// A sale whose books do not balance, as `flashsale.check_books` found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnbalancedBook {
    pub flash_sale_id: SaleId,
    pub quantity: i32,
    pub sold: i32,
    pub success_rows: i64,
    pub live: i64,
    pub in_progress_rows: i64,
    pub queued: i64,
    /// Orders in progress whose message is a dead letter: they wait for a person.
    pub set_aside: i64,
    pub is_repairable: bool,
}

/// What `flashsale.repair_books` found and made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BookRepair {
    pub sold_before: i32,
    pub sold_after: i32,
    pub live_before: i32,
    pub live_after: i32,
    pub messages_sent: i32,
}

impl Database {
    /// The sales that are running or changed within this time and do not balance.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn check_books(&self, changed_within: Duration) -> Result<Vec<UnbalancedBook>, DbError> {
        let rows = self
            .query(
                "select flash_sale_id, quantity, sold, success_rows, live, in_progress_rows, queued, set_aside, repairable \
                 from flashsale.check_books(make_interval(secs => $1))",
                &[&changed_within.as_secs_f64()],
            )
            .await?;
        Ok(rows
            .iter()
            .map(|row| UnbalancedBook {
                flash_sale_id: row.get::<_, Uuid>(0),
                quantity: row.get(1),
                sold: row.get(2),
                success_rows: row.get(3),
                live: row.get(4),
                in_progress_rows: row.get(5),
                queued: row.get(6),
                set_aside: row.get(7),
                is_repairable: row.get(8),
            })
            .collect())
    }

    /// Corrects the counters of a sale and sends lost messages again; none for a sale there is not.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn repair_books(&self, sale: SaleId) -> Result<Option<BookRepair>, DbError> {
        let rows = self
            .query(
                "select sold_before, sold_after, live_before, live_after, messages_sent from flashsale.repair_books($1)",
                &[&sale],
            )
            .await?;
        Ok(rows.first().map(|row| BookRepair {
            sold_before: row.get(0),
            sold_after: row.get(1),
            live_before: row.get(2),
            live_after: row.get(3),
            messages_sent: row.get(4),
        }))
    }
}
