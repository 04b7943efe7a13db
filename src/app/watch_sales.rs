//! Watching a sale while it sells, and looking back on it.

use super::Unavailable;
use crate::db::{Database, DbError};
use crate::domain::{ActivityMinute, ActivitySecond, Attempts, QueueState, SaleId, SaleSnapshot, SaleTally};

/// Seconds that are shown of a sale.
const SECONDS: i32 = 180;
/// Minutes that a report lists: a week.
const MINUTES_MAX: i32 = 10_080;

/// A sale while it sells.
#[derive(Debug, Clone)]
pub struct SaleActivity {
    pub sale: SaleSnapshot,
    /// Over the whole sale.
    pub attempts: Attempts,
    pub queue: QueueState,
    /// The last complete seconds, dense, the newest last.
    pub seconds: Vec<ActivitySecond>,
}

/// A sale looked back on.
#[derive(Debug, Clone)]
pub struct SaleReport {
    pub sale: SaleSnapshot,
    pub tally: SaleTally,
    pub attempts: Attempts,
    /// Those in which something happened, the newest last.
    pub minutes: Vec<ActivityMinute>,
}

/// What watching sales needs.
#[derive(Clone)]
pub struct SaleWatch {
    pub database: Database,
    /// One connection with time: reports read every order of a sale, and must not take those that others wait for.
    pub reports: Database,
}

impl SaleWatch {
    /// `None` when there is no such sale.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn find_sale_activity(&self, sale_id: SaleId) -> Result<Option<SaleActivity>, DbError> {
        let Some(sale) = self.database.find_sale(sale_id).await? else { return Ok(None) };
        Ok(Some(SaleActivity {
            sale,
            attempts: self.database.count_sale_attempts(sale_id).await?,
            queue: self.database.find_queue_state().await?,
            seconds: self.database.list_sale_seconds(sale_id, SECONDS).await?,
        }))
    }

    /// `None` when there is no such sale. Goes on if the caller goes away, so that no more than one report is ever under
    /// way: the server would not notice either.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn find_sale_report(&self, sale_id: SaleId) -> Result<Option<SaleReport>, Unavailable> {
        let database = self.reports.clone();
        let report = tokio::spawn(async move { read_report(&database, sale_id).await });
        Ok(report.await.map_err(|_| Unavailable::Overloaded("the report broke off"))??)
    }
}

async fn read_report(database: &Database, sale_id: SaleId) -> Result<Option<SaleReport>, DbError> {
    let Some(tally) = database.find_sale_report(sale_id).await? else { return Ok(None) };
    // Read after the tally, so that no order in it is missing from the attempts.
    let attempts = database.count_sale_attempts(sale_id).await?;
    let minutes = database.list_sale_minutes(sale_id, MINUTES_MAX).await?;
    let sale = database.find_sale(sale_id).await?;
    Ok(sale.map(|sale| SaleReport { sale, tally, attempts, minutes }))
}
