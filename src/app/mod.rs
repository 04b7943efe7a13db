//! Floor 3: the use cases. Each has the name it has in the routes, in SQL, in the tests and in the metrics.

pub mod authenticate;
pub mod devices;
pub mod find_orders;
pub mod follow;
mod full_gates;
pub mod guesses;
pub mod idempotency;
mod lead;
pub mod manage_sales;
pub mod outcomes;
pub mod passwords;
pub mod pictures;
pub mod place_order;
pub mod publish_sales;
pub mod rate_limits;
pub mod reconcile_gate;
mod retry;
pub mod sale_activity;
pub mod sale_board;
pub mod security_events;
pub mod sessions;
pub mod settle_orders;
mod tokens;
pub mod watch_books;
pub mod watch_sales;

use crate::db::DbError;

/// Nothing was done because something needed is missing or busy; the caller may try again.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// The database cannot be used right now.
    #[error(transparent)]
    Database(#[from] DbError),
    /// A bounded queue is full.
    #[error("{0}")]
    Overloaded(&'static str),
}
