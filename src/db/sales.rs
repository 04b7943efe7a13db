//! Sales: the list everybody sees, and the administrator's changes.

use std::time::Instant;

use chrono::{DateTime, Utc};

use super::{Database, DbError};
use crate::domain::{NewProduct, NewSale, SaleChange, SaleId, SaleSnapshot};

/// All sales, with the database's clock at the moment they were read.
#[derive(Debug, Clone)]
pub struct SalesNow {
    pub sales: Vec<SaleSnapshot>,
    /// The database's clock when it answered, within the round trip that ended at `read_at`.
    pub database_time: DateTime<Utc>,
    pub read_at: Instant,
}

/// What became of the wish to end a sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndSale {
    Ended,
    NotActive,
    NotFound,
}

impl Database {
    /// # Errors
    /// [`DbError`].
    pub async fn list_sales(&self) -> Result<SalesNow, DbError> {
        let rows = self
            .query(
                "select flash_sale_id, product_id, name, description, price_in_cent, quantity, sold, live, \
                 start_date, end_date, now_at from flashsale.list_sales()",
                &[],
            )
            .await?;
        let read_at = Instant::now();
        let database_time = match rows.first() {
            Some(row) => row.get(10),
            None => self.clock().await?,
        };
        let sales = rows.iter().map(snapshot).collect();
        Ok(SalesNow { sales, database_time, read_at })
    }

    /// One sale, however many there are.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn find_sale(&self, flash_sale_id: SaleId) -> Result<Option<SaleSnapshot>, DbError> {
        let rows = self
            .query(
                "select flash_sale_id, product_id, name, description, price_in_cent, quantity, sold, live, \
                 start_date, end_date from flashsale.find_sale($1)",
                &[&flash_sale_id],
            )
            .await?;
        Ok(rows.first().map(snapshot))
    }

    /// The database's clock.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn clock(&self) -> Result<DateTime<Utc>, DbError> {
        Ok(self.query_one("select clock_timestamp()", &[]).await?.get(0))
    }

    /// Creates a sale, and its product unless it exists; again with the same id changes nothing.
    ///
    /// # Errors
    /// [`DbError::Refused`] with the constraint `flash_sale_is_of_a_product` or
    /// `no_overlapping_windows_of_one_product`; other [`DbError`]s.
    pub async fn create_sale(&self, sale: &NewSale) -> Result<(), DbError> {
        let (name, description, price) = match &sale.product {
            NewProduct::Create { name, description, price_in_cents, .. } => {
                (Some(name.as_str()), Some(description.as_str()), Some(*price_in_cents))
            }
            NewProduct::Existing(_) => (None, None, None),
        };
        self.query(
            "select flashsale.create_sale($1, $2, $3, $4, $5, $6, $7, $8)",
            &[
                &sale.flash_sale_id,
                &sale.product.product_id(),
                &name,
                &description,
                &price,
                &sale.quantity,
                &sale.start_date,
                &sale.end_date,
            ],
        )
        .await
        .map(drop)
    }

    /// Changes a sale; `false` when there is none with this id.
    ///
    /// # Errors
    /// [`DbError::Refused`] with the constraint `no_oversell`, `window_starts_before_it_ends` or
    /// `no_overlapping_windows_of_one_product`; other [`DbError`]s.
    pub async fn update_sale(&self, flash_sale_id: SaleId, change: &SaleChange) -> Result<bool, DbError> {
        let row = self
            .query_one(
                "select flashsale.update_sale($1, $2, $3, $4, $5, $6, $7)",
                &[
                    &flash_sale_id,
                    &change.name,
                    &change.description,
                    &change.price_in_cents,
                    &change.quantity,
                    &change.start_date,
                    &change.end_date,
                ],
            )
            .await?;
        Ok(row.get(0))
    }

    /// Ends a sale that is running, now by the database's clock.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn end_sale(&self, flash_sale_id: SaleId) -> Result<EndSale, DbError> {
        match self.query_one("select flashsale.end_sale($1)", &[&flash_sale_id]).await?.get(0) {
            "ended" => Ok(EndSale::Ended),
            "sale_not_active" => Ok(EndSale::NotActive),
            "sale_not_found" => Ok(EndSale::NotFound),
            _ => Err(DbError::Unexpected("end_sale answered a word it does not document")),
        }
    }

    /// Deletes rows that nobody can ask for any more, at most `rows_max` of each kind.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn prune(&self, rows_max: i32) -> Result<(), DbError> {
        self.query("select flashsale.prune($1)", &[&rows_max]).await.map(drop)
    }
}

fn snapshot(row: &tokio_postgres::Row) -> SaleSnapshot {
    SaleSnapshot {
        flash_sale_id: row.get(0),
        product_id: row.get(1),
        name: row.get(2),
        description: row.get(3),
        price_in_cents: row.get(4),
        quantity: row.get(5),
        sold: row.get(6),
        live: row.get(7),
        start_date: row.get(8),
        end_date: row.get(9),
    }
}
