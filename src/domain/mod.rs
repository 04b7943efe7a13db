//! Floor 0: the words of a flash sale as types that cannot be wrong. Pure: no I/O, no clock, no framework.

mod account;
mod activity;
mod order;
mod picture;
mod sale;

pub use account::{Email, InvalidField, Password};
pub use activity::{
    ActivityMinute, ActivitySecond, Attempts, Fairness, QueueState, RefusalReason, RefusedAttempts, SaleTally,
};
pub use order::{Correlation, FailureReason, OrderStatus, Outcome, PastOrder, Placement, PurchaseRequest, Refusal};
pub use picture::draw_picture;
pub use sale::{NewProduct, NewSale, SaleChange, SaleSnapshot, SaleStatus};

use uuid::Uuid;

/// Identifies a user; UUID version 7.
pub type UserId = Uuid;
/// Identifies a product; UUID.
pub type ProductId = Uuid;
/// Identifies one sale of a product; UUID.
pub type SaleId = Uuid;
/// Identifies a purchase request and, once it is settled, the unit sold; UUID version 7, so that orders stay in the
/// order of their making in the primary key's index.
pub type OrderId = Uuid;
