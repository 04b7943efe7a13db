//! The administrator's use cases: creating and changing sales, while they sell too.

use std::sync::Arc;

use super::follow::refresh_board_from_database;
use super::reconcile_gate::{GateReconciler, ReconcileError};
use super::sale_board::SaleBoard;
use crate::db::{Database, DbError, EndSale};
use crate::domain::{NewSale, SaleChange, SaleId, SaleSnapshot};
use crate::gate::TokenGate;

/// Why a sale was not created or changed.
#[derive(Debug, thiserror::Error)]
pub enum ManageSaleError {
    #[error("there is no such product")]
    ProductNotFound,
    #[error("there is no such sale")]
    SaleNotFound,
    #[error("another sale of the product overlaps this window")]
    SaleOverlaps,
    #[error("sales of this product were archived")]
    ProductArchived,
    #[error("more units are sold than this quantity")]
    QuantityBelowSold,
    #[error("the sale is not running")]
    SaleNotActive,
    #[error("the window would end before it starts")]
    WindowEndsBeforeItStarts,
    /// The change may or may not have been made.
    #[error("the database did not confirm the change: {0}")]
    OutcomeUnknown(DbError),
    #[error(transparent)]
    Database(DbError),
}

impl From<DbError> for ManageSaleError {
    fn from(error: DbError) -> Self {
        match error.constraint() {
            Some("flash_sale_is_of_a_product") => Self::ProductNotFound,
            Some("no_overlapping_windows_of_one_product") => Self::SaleOverlaps,
            Some("archived_products_are_not_sold_again") => Self::ProductArchived,
            Some("no_oversell") => Self::QuantityBelowSold,
            Some("window_starts_before_it_ends") => Self::WindowEndsBeforeItStarts,
            _ if error.is_outcome_unknown() => Self::OutcomeUnknown(error),
            _ => Self::Database(error),
        }
    }
}

/// What changing sales needs.
#[derive(Clone)]
pub struct SaleDesk {
    pub database: Database,
    pub board: Arc<SaleBoard>,
    pub gate: Arc<TokenGate>,
}

impl SaleDesk {
    /// Creates a sale; it can be bought from at once if its window is open. Trying again after a lost reply is safe,
    /// because the sale's id is the caller's.
    ///
    /// # Errors
    /// [`ManageSaleError`].
    pub async fn create_sale(&self, sale: &NewSale) -> Result<SaleSnapshot, ManageSaleError> {
        let mut created = self.database.create_sale(sale).await;
        if created.as_ref().is_err_and(DbError::is_outcome_unknown) {
            created = self.database.create_sale(sale).await;
        }
        created?;
        self.after_change(sale.flash_sale_id).await
    }

    /// Changes a sale; more units of a sold-out sale can be bought at once.
    ///
    /// # Errors
    /// [`ManageSaleError`].
    pub async fn update_sale(&self, sale: SaleId, change: &SaleChange) -> Result<SaleSnapshot, ManageSaleError> {
        let mut updated = self.database.update_sale(sale, change).await;
        if updated.as_ref().is_err_and(DbError::is_outcome_unknown) {
            updated = self.database.update_sale(sale, change).await;
        }
        if !updated? {
            return Err(ManageSaleError::SaleNotFound);
        }
        self.after_change(sale).await
    }

    /// Ends a sale that is running, now by the database's clock. Orders accepted before still settle.
    ///
    /// # Errors
    /// [`ManageSaleError`].
    pub async fn end_sale(&self, sale: SaleId) -> Result<SaleSnapshot, ManageSaleError> {
        let mut ended = self.database.end_sale(sale).await;
        if ended.as_ref().is_err_and(DbError::is_outcome_unknown) {
            ended = match self.database.end_sale(sale).await {
                // Most likely by the try whose reply was lost. Nobody can tell, so the administrator is to look.
                Ok(EndSale::NotActive) => ended,
                again => again,
            };
        }
        match ended? {
            EndSale::Ended => self.after_change(sale).await,
            EndSale::NotActive => Err(ManageSaleError::SaleNotActive),
            EndSale::NotFound => Err(ManageSaleError::SaleNotFound),
        }
    }

    /// Brings this process's board and the gate up to date without waiting for their next round, which makes up for what
    /// fails here. The change itself is made.
    async fn after_change(&self, sale: SaleId) -> Result<SaleSnapshot, ManageSaleError> {
        if let Err(error) = refresh_board_from_database(&self.database, &self.board).await {
            tracing::warn!(%error, "the board was not brought up to date yet");
        }
        let snapshot = self.database.find_sale(sale).await.map_err(ManageSaleError::OutcomeUnknown)?;
        let snapshot = snapshot.ok_or(ManageSaleError::SaleNotFound)?;
        if !snapshot.is_sold_out() {
            self.board.unlatch(sale);
        }
        self.reconcile(&snapshot).await;
        Ok(snapshot)
    }

    /// A failure is not the administrator's: the regular reconciling makes up for it.
    async fn reconcile(&self, sale: &SaleSnapshot) {
        let mut reconciler = GateReconciler::default();
        let reconciled = match self.gate.redis() {
            Some(redis) => reconciler.reconcile_redis(redis, &self.database, sale).await,
            None => reconciler.reconcile_process(self.gate.process(), &self.database, sale).await,
        };
        match reconciled {
            Ok(_) => {}
            Err(ReconcileError::Database(error)) => tracing::warn!(%error, "the gate was not brought up to date yet"),
            Err(ReconcileError::Redis(error)) => tracing::warn!(%error, "the gate was not brought up to date yet"),
        }
    }
}
