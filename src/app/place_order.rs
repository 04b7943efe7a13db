//! Placing an order: window and sold-out latch in memory, token gate, micro-batch, one SQL call, answer after its COMMIT.
//! See ARCHITECTURE.md for the picture.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use metrics::{counter, histogram};
use tracing::{Instrument, trace_span};
use uuid::Uuid;

use super::outcomes::Outcomes;
use super::rate_limits::{BucketKey, Limit, RateLimits, TooManyRequests};
use super::sale_activity::ActivityCounters;
use super::sale_board::{CurrentSale, SaleBoard};
use crate::batcher::{BatchBounds, Batcher, SubmitError};
use crate::config::{Bounds, deadlines};
use crate::db::{Database, DbError};
use crate::domain::{OrderId, Outcome, Placement, ProductId, PurchaseRequest, Refusal, RefusalReason, SaleId, UserId};
use crate::gate::{Admission, TokenGate};
use crate::telemetry::{PURCHASES, SPANS, correlate};

/// Somebody's try to buy one unit.
pub struct PurchaseAttempt<'a> {
    pub user_id: UserId,
    pub product_id: ProductId,
    pub idempotency_key: Option<String>,
    /// By which it can be followed.
    pub request_id: &'a str,
    /// How long to wait for the order to be settled.
    pub wait: Option<Duration>,
}

/// The answer to a purchase request that was not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    pub order_id: OrderId,
    /// `None` while the order is in progress.
    pub outcome: Option<Outcome>,
}

/// Why a purchase request made no order.
#[derive(Debug, thiserror::Error)]
pub enum PlaceOrderError {
    #[error("refused: {}", .0.code())]
    Refused(Refusal),
    /// The user asks too often, over all processes; nothing was taken.
    #[error(transparent)]
    TooManyRequests(TooManyRequests),
    /// Nothing was taken; the caller may try again.
    #[error("the purchase could not be taken in: {0}")]
    Unavailable(String),
    /// The order may or may not exist; the caller must ask before trying again.
    #[error("the database did not confirm the purchase in time: {0}")]
    OutcomeUnknown(String),
}

type Lane = Batcher<PurchaseRequest, Result<Placement, Arc<LaneError>>>;

/// Why a batch was not placed.
#[derive(Debug)]
struct LaneError {
    /// Some try may have taken effect although no answer came.
    maybe_placed: bool,
    last: DbError,
}

/// The purchases of a process.
pub struct Purchases {
    board: Arc<SaleBoard>,
    gate: Arc<TokenGate>,
    outcomes: Arc<Outcomes>,
    activity: Arc<ActivityCounters>,
    rates: Arc<RateLimits>,
    /// Connections that only lanes use.
    placing: Database,
    bounds: BatchBounds,
    /// One lane a product, made when it is first needed; only products on the board get one.
    lanes: Mutex<HashMap<ProductId, Lane>>,
}

impl Purchases {
    pub fn new(
        board: Arc<SaleBoard>,
        gate: Arc<TokenGate>,
        outcomes: Arc<Outcomes>,
        activity: Arc<ActivityCounters>,
        rates: Arc<RateLimits>,
        placing: Database,
        bounds: &Bounds,
    ) -> Self {
        let bounds = BatchBounds {
            batch_max: bounds.purchase_batch_max,
            in_flight_max: bounds.purchase_batches_in_flight_max,
            queue_max: bounds.requests_in_flight_max,
            queue_wait_max: deadlines::PURCHASE_QUEUE,
        };
        Self { board, gate, outcomes, activity, rates, placing, bounds, lanes: Mutex::default() }
    }

    /// Tries to buy one unit of a product for a user.
    ///
    /// # Errors
    /// [`PlaceOrderError`].
    pub async fn place_order(&self, attempt: PurchaseAttempt<'_>) -> Result<Placed, PlaceOrderError> {
        let PurchaseAttempt { user_id, product_id, .. } = attempt;
        if !self.board.is_ready() {
            return Err(PlaceOrderError::Unavailable("the sales have not been read yet".into()));
        }
        let current = self.board.current_sale(product_id);
        let placed = match current {
            CurrentSale::Open(sale) => self.place_order_in(sale, attempt).await,
            CurrentSale::Upcoming(_) => Err(PlaceOrderError::Refused(Refusal::SaleNotStarted)),
            CurrentSale::Ended(sale) if self.may_have_bought(product_id, sale, user_id) => {
                // Placing it again answers with the order there is, or that the sale has ended.
                self.submit(sale, attempt, Uuid::now_v7(), "none").await
            }
            CurrentSale::Ended(_) => Err(PlaceOrderError::Refused(Refusal::SaleEnded)),
            CurrentSale::NoSale => Err(PlaceOrderError::Refused(Refusal::ProductNotFound)),
        };
        if let (Some(sale), Some(reason)) = (current.sale(), placed.as_ref().err().and_then(refusal_reason)) {
            self.activity.note(sale, Some(reason));
        }
        placed
    }

    /// Whether somebody who asks after the end may have an order in this sale and not know it, or not its outcome.
    fn may_have_bought(&self, product_id: ProductId, sale: SaleId, user_id: UserId) -> bool {
        self.board.has_just_ended(product_id, sale) && !self.board.is_sold_out_for(sale, user_id)
    }

    /// Counts an attempt that was refused before it got here, because its user asks too often.
    pub fn note_too_many_requests(&self, product_id: ProductId) {
        if let Some(sale) = self.board.current_sale(product_id).sale() {
            self.activity.note(sale, Some(RefusalReason::TooManyRequests));
        }
    }

    async fn place_order_in(&self, sale: SaleId, attempt: PurchaseAttempt<'_>) -> Result<Placed, PlaceOrderError> {
        let user_id = attempt.user_id;
        let full_gates = self.board.full_gates();
        if self.board.is_sold_out_for(sale, user_id)
            || full_gates.hold(sale).await && self.board.is_sold_out_for(sale, user_id)
        {
            return Err(PlaceOrderError::Refused(Refusal::SoldOut));
        }
        // Not before: whoever is answered from memory costs nobody else anything.
        let shared = self.rates.take_shared(Limit::Orders, BucketKey::of_user(user_id)).await;
        shared.map_err(PlaceOrderError::TooManyRequests)?;
        let placed = self.admit_and_submit(sale, attempt).await;
        if matches!(placed, Err(PlaceOrderError::Refused(Refusal::SoldOut))) {
            full_gates.note(sale);
            // The answer can wait, too: its reader would only ask again.
            full_gates.hold(sale).await;
        }
        placed
    }

    async fn admit_and_submit(&self, sale: SaleId, attempt: PurchaseAttempt<'_>) -> Result<Placed, PlaceOrderError> {
        let user_id = attempt.user_id;
        let asked = Uuid::now_v7();
        let span = trace_span!(target: SPANS, "take token");
        let (admission, gate) = self.gate.take(sale, user_id, asked).instrument(span).await;
        let order_id = match admission {
            Admission::Admitted | Admission::Unknown => asked,
            // The user asked before: the same order is placed again, which the database answers as the first time.
            Admission::Held(order_id) => order_id,
            Admission::SoldOut => return Err(PlaceOrderError::Refused(Refusal::SoldOut)),
        };
        let placed = self.submit(sale, attempt, order_id, gate).await;
        if admission == Admission::Admitted && token_is_unused(order_id, &placed) {
            self.gate.give_back(sale, vec![(user_id, order_id)]).await;
        }
        placed
    }

    /// Orders of one sale were settled: whoever waits is told, and the tokens of failed orders return to the gate.
    pub async fn orders_settled(&self, sale: SaleId, settled: &[(OrderId, UserId, Outcome)]) {
        let (succeeded, failed): (Vec<_>, Vec<_>) =
            settled.iter().partition(|(_, _, outcome)| *outcome == Outcome::Success);
        self.outcomes.announce(&succeeded);
        if !failed.is_empty() {
            // First: who hears of a failure may try again at once, and must not find the token of the failed order held.
            let tokens = failed.iter().map(|(order_id, user_id, _)| (*user_id, *order_id)).collect();
            self.gate.give_back(sale, tokens).await;
            self.outcomes.announce(&failed);
        }
    }

    async fn submit(
        &self,
        sale: SaleId,
        attempt: PurchaseAttempt<'_>,
        order_id: OrderId,
        reserved_token: &'static str,
    ) -> Result<Placed, PlaceOrderError> {
        // Waiting begins before the order can be settled.
        let settled = attempt.wait.map(|limit| (limit, self.outcomes.wait_for(order_id)));
        let answer = self.enqueue(attempt, order_id, reserved_token).await;
        if let Ok(Ok(Placement::InProgress(_) | Placement::Success(_))) = answer {
            // Before the wait for its outcome, which its caller may not live to see.
            self.activity.note(sale, None);
        }
        match answer {
            Err(SubmitError::NotSent) => Err(PlaceOrderError::Unavailable("too many purchases are waiting".into())),
            Err(SubmitError::AnswerLost) => Err(PlaceOrderError::OutcomeUnknown("its batch broke off".into())),
            Ok(Err(error)) if error.maybe_placed => Err(PlaceOrderError::OutcomeUnknown(error.last.to_string())),
            Ok(Err(error)) => Err(PlaceOrderError::Unavailable(error.last.to_string())),
            Ok(Ok(Placement::Refused(refusal))) => Err(PlaceOrderError::Refused(refusal)),
            Ok(Ok(Placement::Success(order_id))) => Ok(Placed { order_id, outcome: Some(Outcome::Success) }),
            Ok(Ok(Placement::InProgress(placed))) => {
                let settled = match settled {
                    Some((limit, _)) if placed != order_id => Some((limit, self.outcomes.wait_for(placed))),
                    settled => settled,
                };
                let outcome = match settled {
                    Some((limit, settled)) => {
                        let span = trace_span!(target: SPANS, "await outcome", order_id = %placed);
                        tokio::time::timeout(limit, settled).instrument(span).await.ok().and_then(Result::ok)
                    }
                    None => None,
                };
                Ok(Placed { order_id: placed, outcome })
            }
        }
    }

    /// Places an order with the next batch of its product.
    async fn enqueue(
        &self,
        attempt: PurchaseAttempt<'_>,
        order_id: OrderId,
        reserved_token: &'static str,
    ) -> Result<Result<Placement, Arc<LaneError>>, SubmitError> {
        let PurchaseAttempt { user_id, product_id, idempotency_key, request_id, .. } = attempt;
        let span = trace_span!(target: SPANS, "place order", otel.kind = "producer", messaging.system = "pgmq",
            messaging.destination.name = "purchases", %order_id);
        let correlation = span.in_scope(|| correlate(request_id));
        let request = PurchaseRequest { order_id, user_id, reserved_token, idempotency_key, correlation };
        let answer = self.lane(product_id).submit(request).instrument(span).await;
        let outcome = word(&answer);
        tracing::debug!(target: PURCHASES, request_id, %order_id, %user_id, %product_id, outcome, "order placed");
        answer
    }

    fn lane(&self, product_id: ProductId) -> Lane {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.entry(product_id).or_insert_with(|| self.start_lane(product_id)).clone()
    }

    fn start_lane(&self, product_id: ProductId) -> Lane {
        let database = self.placing.clone();
        Batcher::start(self.bounds, move |requests: Vec<PurchaseRequest>| {
            let database = database.clone();
            async move {
                match place_batch(&database, product_id, &requests).await {
                    Ok((placements, in_doubt)) => {
                        let in_doubt = in_doubt.map(|last| Arc::new(LaneError { maybe_placed: true, last }));
                        placements.into_iter().map(|placement| unless_in_doubt(placement, in_doubt.as_ref())).collect()
                    }
                    Err(error) => vec![Err(Arc::new(error)); requests.len()],
                }
            }
        })
    }
}

/// An answer as the log calls it.
fn word(answer: &Result<Result<Placement, Arc<LaneError>>, SubmitError>) -> &'static str {
    match answer {
        Ok(Ok(Placement::InProgress(_))) => "in_progress",
        Ok(Ok(Placement::Success(_))) => "success",
        Ok(Ok(Placement::Refused(refusal))) => refusal.code(),
        Ok(Err(error)) if error.maybe_placed => "outcome_unknown",
        Err(SubmitError::AnswerLost) => "outcome_unknown",
        Ok(Err(_)) | Err(SubmitError::NotSent) => "unavailable",
    }
}

/// How a refusal is counted; not at all when it is about no sale.
const fn refusal_reason(error: &PlaceOrderError) -> Option<RefusalReason> {
    match error {
        PlaceOrderError::Refused(Refusal::SoldOut) => Some(RefusalReason::SoldOut),
        PlaceOrderError::Refused(Refusal::AlreadyPurchased) => Some(RefusalReason::AlreadyPurchased),
        PlaceOrderError::Refused(Refusal::SaleNotStarted) => Some(RefusalReason::SaleNotStarted),
        PlaceOrderError::Refused(Refusal::SaleEnded) => Some(RefusalReason::SaleEnded),
        PlaceOrderError::Refused(Refusal::ProductNotFound | Refusal::UnknownUser) => None,
        PlaceOrderError::TooManyRequests(_) => Some(RefusalReason::TooManyRequests),
        PlaceOrderError::Unavailable(_) => Some(RefusalReason::Unavailable),
        PlaceOrderError::OutcomeUnknown(_) => Some(RefusalReason::OutcomeUnknown),
    }
}

/// Whether a token that was just taken serves no order: refused, not placed for certain, or the user's order is another
/// one (whose token reconciling puts where it belongs). After an unknown outcome it stays taken, and reconciling returns
/// it if the order does not exist.
fn token_is_unused(order_id: OrderId, placed: &Result<Placed, PlaceOrderError>) -> bool {
    match placed {
        Ok(placed) => placed.order_id != order_id,
        Err(PlaceOrderError::OutcomeUnknown(_)) => false,
        Err(PlaceOrderError::Refused(_) | PlaceOrderError::TooManyRequests(_) | PlaceOrderError::Unavailable(_)) => {
            true
        }
    }
}

/// A refusal is none while an earlier try of the same batch may still be under way: its statement may wait for a lock
/// that a refusal does not take, and commit when the sale has ended or is sold out. Only a live order of the user under
/// another id rules it out.
fn unless_in_doubt(placement: Placement, in_doubt: Option<&Arc<LaneError>>) -> Result<Placement, Arc<LaneError>> {
    match (placement, in_doubt) {
        (Placement::Refused(refusal), Some(error)) if refusal != Refusal::AlreadyPurchased => Err(Arc::clone(error)),
        (placement, _) => Ok(placement),
    }
}

/// Places a batch, trying again while that may help and there is time. Trying again is safe because the order ids are
/// the same; after a connection lost at COMMIT it is also how we learn what happened. Beside the placements: the error of
/// an earlier try that may have taken effect.
async fn place_batch(
    database: &Database,
    product_id: ProductId,
    requests: &[PurchaseRequest],
) -> Result<(Vec<Placement>, Option<DbError>), LaneError> {
    let started = Instant::now();
    let mut in_doubt = None;
    let mut pause = Duration::from_millis(20);
    loop {
        let left = deadlines::PURCHASE_BATCH.saturating_sub(started.elapsed());
        let limit = left.min(deadlines::STATEMENT_CLIENT);
        let error = match database.place_orders(product_id, requests, in_doubt.is_some(), limit).await {
            Ok(placements) => {
                histogram!("flashsale_place_orders_batch_size").record(requests.len() as f64);
                histogram!("flashsale_place_orders_seconds").record(started.elapsed().as_secs_f64());
                return Ok((placements, in_doubt));
            }
            Err(error) => error,
        };
        let maybe_placed = in_doubt.is_some() || error.is_outcome_unknown();
        if !is_worth_another_try(&error, started.elapsed() + pause) {
            counter!("flashsale_purchases_not_placed_total").increment(requests.len() as u64);
            // An outage has been said; anything else that will not pass is a fault of ours.
            if error.is_transient() {
                tracing::debug!(%product_id, purchases = requests.len(), maybe_placed, %error, "a batch was not placed");
            } else {
                tracing::error!(%product_id, purchases = requests.len(), %error, "a batch cannot be placed");
            }
            return Err(LaneError { maybe_placed, last: error });
        }
        tracing::debug!(%product_id, purchases = requests.len(), %error, "placing a batch again");
        if error.is_outcome_unknown() {
            in_doubt = Some(error);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(500));
    }
}

/// Whether a batch that has met this error is placed again, so long after it was first tried.
fn is_worth_another_try(error: &DbError, after: Duration) -> bool {
    error.is_transient() && after < deadlines::PURCHASE_BATCH
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use uuid::Uuid;

    use super::{LaneError, PlaceOrderError, Placed, is_worth_another_try, token_is_unused, unless_in_doubt, word};
    use crate::batcher::SubmitError;
    use crate::config::deadlines;
    use crate::db::DbError;
    use crate::domain::{Placement, Refusal};

    #[test]
    fn a_refusal_in_doubt_is_none() {
        let lost = Arc::new(LaneError { maybe_placed: true, last: DbError::Lost("reset".into()) });
        let ended = || Placement::Refused(Refusal::SaleEnded);
        assert_eq!(unless_in_doubt(ended(), None).unwrap(), ended());
        assert!(unless_in_doubt(ended(), Some(&lost)).unwrap_err().maybe_placed);
        let another = || Placement::Refused(Refusal::AlreadyPurchased);
        assert_eq!(unless_in_doubt(another(), Some(&lost)).unwrap(), another(), "a user has one live order");
        let accepted = || Placement::InProgress(Uuid::nil());
        assert_eq!(unless_in_doubt(accepted(), Some(&lost)).unwrap(), accepted());
    }

    #[test]
    fn an_answer_is_unknown_in_the_log_when_the_order_may_exist() {
        let failed = |maybe_placed| Arc::new(LaneError { maybe_placed, last: DbError::Lost("reset".into()) });
        let answers = [
            (Ok(Ok(Placement::InProgress(Uuid::nil()))), "in_progress"),
            (Ok(Ok(Placement::Success(Uuid::nil()))), "success"),
            (Ok(Ok(Placement::Refused(Refusal::SoldOut))), "sold_out"),
            (Ok(Err(failed(true))), "outcome_unknown"),
            (Ok(Err(failed(false))), "unavailable"),
            (Err(SubmitError::AnswerLost), "outcome_unknown"),
            (Err(SubmitError::NotSent), "unavailable"),
        ];
        for (answer, expected) in answers {
            assert_eq!(word(&answer), expected, "{answer:?}");
        }
    }

    #[test]
    fn a_batch_is_tried_again_in_time_unless_that_cannot_help() {
        let (passing, lasting) = (DbError::Lost("reset".into()), DbError::Unexpected("an answer"));
        assert!(is_worth_another_try(&passing, deadlines::PURCHASE_BATCH - Duration::from_nanos(1)));
        assert!(!is_worth_another_try(&passing, deadlines::PURCHASE_BATCH));
        assert!(!is_worth_another_try(&lasting, Duration::ZERO));
    }

    #[test]
    fn a_token_serves_its_own_order_and_one_that_may_exist() {
        let (mine, another) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let placed = |order_id| Ok(Placed { order_id, outcome: None });
        assert!(!token_is_unused(mine, &placed(mine)));
        assert!(token_is_unused(mine, &placed(another)));
        assert!(!token_is_unused(mine, &Err(PlaceOrderError::OutcomeUnknown(String::new()))));
        assert!(token_is_unused(mine, &Err(PlaceOrderError::Unavailable(String::new()))));
        assert!(token_is_unused(mine, &Err(PlaceOrderError::Refused(Refusal::SoldOut))));
    }
}
