//! A purchase: what is asked for, what it is answered, what becomes of it.
//!
//! ```text
//!   POST /orders ──refusal──▶ 400/404, no order
//!        │ placed (order row and queue message commit together)
//!        ▼
//!   in_progress ──settled──▶ success            terminal
//!        └─────────settled──▶ failed(reason)    terminal; the user may ask again and gets a new order
//! ```

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{OrderId, UserId};

/// One purchase request on its way to the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurchaseRequest {
    pub order_id: OrderId,
    pub user_id: UserId,
    /// Which gate gave the token: `redis`, `process` or `none`.
    pub reserved_token: &'static str,
    pub idempotency_key: Option<String>,
    pub correlation: Option<Correlation>,
}

/// What ties an order to the request that asked for it, over processes: the headers of its message in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correlation {
    pub request_id: Option<String>,
    /// The span that a worker's belongs under, as in W3C Trace Context; absent when the request is not traced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// What the database answered to a purchase request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// Durable in the queue under this id, which is an older request's when the user asked before.
    InProgress(OrderId),
    /// The same request (same idempotency key) was placed before and has succeeded since.
    Success(OrderId),
    Refused(Refusal),
}

/// Why a purchase is refused without an order being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    SoldOut,
    AlreadyPurchased,
    SaleNotStarted,
    SaleEnded,
    ProductNotFound,
    UnknownUser,
}

impl Refusal {
    /// The word used for it in SQL, in answers and in metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::SoldOut => "sold_out",
            Self::AlreadyPurchased => "already_purchased",
            Self::SaleNotStarted => "sale_not_started",
            Self::SaleEnded => "sale_ended",
            Self::ProductNotFound => "product_not_found",
            Self::UnknownUser => "unknown_user",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        [
            Self::SoldOut,
            Self::AlreadyPurchased,
            Self::SaleNotStarted,
            Self::SaleEnded,
            Self::ProductNotFound,
            Self::UnknownUser,
        ]
        .into_iter()
        .find(|refusal| refusal.code() == code)
    }
}

/// What became of an order once it is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Success,
    Failed(FailureReason),
}

/// Why an order that had been accepted did not get a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    SoldOut,
    /// Its message could not be settled and waits for a person in `purchases_dead`.
    DeadLettered,
}

impl Outcome {
    /// The word used for it in SQL and in notifications: `success` or the reason of the failure.
    pub fn from_code(code: &str) -> Option<Self> {
        match code {
            "success" => Some(Self::Success),
            "sold_out" => Some(Self::Failed(FailureReason::SoldOut)),
            "dead_lettered" => Some(Self::Failed(FailureReason::DeadLettered)),
            _ => None,
        }
    }

    pub const fn code(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed(FailureReason::SoldOut) => "sold_out",
            Self::Failed(FailureReason::DeadLettered) => "dead_lettered",
        }
    }
}

/// Where an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    InProgress,
    Success,
    Failed,
}

/// An order as its owner looks back on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = PastOrderView)]
pub struct PastOrder {
    pub order_id: Uuid,
    pub product_id: Uuid,
    pub flash_sale_id: Uuid,
    /// The product's name and price as they are now.
    pub name: String,
    pub price_in_cents: i32,
    pub status: OrderStatus,
    /// Why it failed; null unless it did.
    #[schema(required)]
    pub reason: Option<FailureReason>,
    pub accepted_at: DateTime<Utc>,
    /// Null while the order is in progress.
    #[schema(required)]
    pub settled_at: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Refusal};

    #[test]
    fn every_refusal_survives_its_code() {
        for code in
            ["sold_out", "already_purchased", "sale_not_started", "sale_ended", "product_not_found", "unknown_user"]
        {
            assert_eq!(Refusal::from_code(code).map(Refusal::code), Some(code));
        }
        assert_eq!(Refusal::from_code("success"), None);
    }

    #[test]
    fn every_outcome_survives_its_code() {
        for code in ["success", "sold_out", "dead_lettered"] {
            assert_eq!(Outcome::from_code(code).map(Outcome::code), Some(code));
        }
        assert_eq!(Outcome::from_code("in_progress"), None);
    }
}
