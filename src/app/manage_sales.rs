//! The administrator's use cases: creating and changing sales, while they sell too.

use std::sync::Arc;

use super::follow::refresh_board_from_database;
use super::reconcile_gate::{GateReconciler, ReconcileError};
use super::sale_board::SaleBoard;
use crate::db::{Database, DbError};
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
    #[error("more units are sold than this quantity")]
    QuantityBelowSold,
    #[error("the window would end before it starts")]
    WindowEndsBeforeItStarts,
    #[error(transparent)]
    Database(DbError),
}

impl From<DbError> for ManageSaleError {
    fn from(error: DbError) -> Self {
        match error.constraint() {
            Some("flash_sale_is_of_a_product") => Self::ProductNotFound,
            Some("no_overlapping_windows_of_one_product") => Self::SaleOverlaps,
            Some("no_oversell") => Self::QuantityBelowSold,
            Some("window_starts_before_it_ends") => Self::WindowEndsBeforeItStarts,
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
    /// Creates a sale; it can be bought from at once if its window is open.
    ///
    /// # Errors
    /// [`ManageSaleError`].
    pub async fn create_sale(&self, sale: &NewSale) -> Result<SaleSnapshot, ManageSaleError> {
        self.database.create_sale(sale).await?;
        self.after_change(sale.flash_sale_id).await
    }

    /// Changes a sale; more units of a sold-out sale can be bought at once.
    ///
    /// # Errors
    /// [`ManageSaleError`].
    pub async fn update_sale(&self, sale: SaleId, change: &SaleChange) -> Result<SaleSnapshot, ManageSaleError> {
        if !self.database.update_sale(sale, change).await? {
            return Err(ManageSaleError::SaleNotFound);
        }
        self.after_change(sale).await
    }

    /// Brings this process's board and the gate up to date without waiting for their next round.
    async fn after_change(&self, sale: SaleId) -> Result<SaleSnapshot, ManageSaleError> {
        refresh_board_from_database(&self.database, &self.board).await?;
        let board = self.board.current();
        let snapshot = board
            .sales
            .iter()
            .find(|s| s.flash_sale_id == sale)
            .cloned()
            .ok_or(ManageSaleError::Database(DbError::Unexpected("a sale just written is not among the sales")))?;
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
