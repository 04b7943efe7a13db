//! What happens around a sale: attempts and how they were answered, settlements, the queue, fairness.

use chrono::{DateTime, Utc};
use serde::Serialize;

/// Why an attempt to buy was not accepted. Who is not signed in and what names no product is no attempt at a sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    SoldOut,
    AlreadyPurchased,
    SaleNotStarted,
    SaleEnded,
    TooManyRequests,
    Unavailable,
    OutcomeUnknown,
}

impl RefusalReason {
    pub const ALL: [Self; 7] = [
        Self::SoldOut,
        Self::AlreadyPurchased,
        Self::SaleNotStarted,
        Self::SaleEnded,
        Self::TooManyRequests,
        Self::Unavailable,
        Self::OutcomeUnknown,
    ];

    /// The word used for it in SQL and in answers.
    pub const fn code(self) -> &'static str {
        match self {
            Self::SoldOut => "sold_out",
            Self::AlreadyPurchased => "already_purchased",
            Self::SaleNotStarted => "sale_not_started",
            Self::SaleEnded => "sale_ended",
            Self::TooManyRequests => "too_many_requests",
            Self::Unavailable => "unavailable",
            Self::OutcomeUnknown => "outcome_unknown",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
}

/// Attempts refused for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = RefusedAttemptsView)]
pub struct RefusedAttempts {
    pub reason: RefusalReason,
    pub attempts: i64,
}

/// All attempts at a sale.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attempts {
    /// Answered with an order.
    pub accepted: i64,
    /// Reasons that were given at least once.
    pub refusals: Vec<RefusedAttempts>,
}

impl Attempts {
    /// Accepted and refused.
    pub fn total(&self) -> i64 {
        self.accepted + self.refusals.iter().map(|refused| refused.attempts).sum::<i64>()
    }
}

/// The queue now.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = QueueStateView)]
pub struct QueueState {
    /// Orders in progress, of all sales.
    pub depth: i64,
    /// Age of the oldest message; 0 when there is none.
    pub oldest_age_s: f64,
    /// Messages settled per second, mean of the last 10 s.
    pub drain_rate_per_s: f64,
    /// Messages set aside, counted up to 10,000.
    pub dead_letters: i64,
}

/// One second of a sale.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = ActivitySecondView)]
pub struct ActivitySecond {
    /// When the second began.
    pub at: DateTime<Utc>,
    pub attempts: i64,
    pub accepted: i64,
    pub refused: i64,
    /// Orders settled.
    pub succeeded: i64,
    pub failed: i64,
    /// Units not sold yet at its end.
    pub remaining_stock: i64,
    /// Orders in progress at its end, of all sales; null where the queue was not looked at.
    #[schema(required)]
    pub queue_depth: Option<i64>,
    #[schema(required)]
    pub queue_oldest_age_s: Option<f64>,
}

/// One minute of a sale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = ActivityMinuteView)]
pub struct ActivityMinute {
    /// When the minute began.
    pub minute: DateTime<Utc>,
    pub attempts: i64,
    pub accepted: i64,
    pub refused: i64,
    /// Orders settled.
    pub succeeded: i64,
    pub failed: i64,
}

/// How long the settled orders of a sale waited, and whether anybody was served out of turn.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = FairnessView)]
pub struct Fairness {
    /// Settled orders.
    pub orders: i64,
    /// From the acceptance of an order to its settling; null when there are none.
    #[schema(required)]
    pub waited_p50_ms: Option<f64>,
    #[schema(required)]
    pub waited_p99_ms: Option<f64>,
    #[schema(required)]
    pub waited_max_ms: Option<f64>,
    /// Orders settled after one that was accepted later.
    pub overtaken: i64,
    /// Orders that failed although one accepted later got a unit.
    pub failed_before_later_success: i64,
}

/// What became of the orders of a sale.
#[derive(Debug, Clone, PartialEq)]
pub struct SaleTally {
    /// Counters, orders and queue agree (see `ops.sale_books`).
    pub balanced: bool,
    pub sold: i64,
    pub in_progress: i64,
    pub failed: i64,
    /// From the sale's start to the settling of its last unit, when every unit is sold.
    pub sold_out_after_ms: Option<i64>,
    pub fairness: Fairness,
}

#[cfg(test)]
mod tests {
    use super::{Attempts, RefusalReason, RefusedAttempts};

    #[test]
    fn every_reason_survives_its_code() {
        for (place, reason) in RefusalReason::ALL.into_iter().enumerate() {
            assert_eq!(RefusalReason::from_code(reason.code()), Some(reason));
            assert_eq!(reason as usize, place, "counters are kept by place");
        }
        assert_eq!(RefusalReason::from_code("accepted"), None);
    }

    #[test]
    fn attempts_are_accepted_or_refused() {
        let refusals = vec![RefusedAttempts { reason: RefusalReason::SoldOut, attempts: 2 }];
        assert_eq!(Attempts { accepted: 3, refusals }.total(), 5);
    }
}
