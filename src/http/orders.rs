//! `/orders`: trying to buy, and asking what became of it.

use std::cell::RefCell;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{FromRequestParts, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use metrics::{Counter, counter};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::auth::Caller;
use super::client::RequestId;
use super::idempotency::IdempotencyKey;
use super::json::Json;
use super::limits::{refuse, with_allowance};
use super::problem::Problem;
use super::sales::parse_id;
use super::state::Api;
use crate::app::find_orders::FindOrderError;
use crate::app::place_order::{PlaceOrderError, Placed, PurchaseAttempt};
use crate::app::rate_limits::{BucketKey, Limit};
use crate::app::security_events::SecurityEvent;
use crate::config::deadlines;
use crate::db::SettledOrder;
use crate::domain::{FailureReason, Outcome, PastOrder, ProductId, Refusal, UserId};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceOrder {
    product_id: Uuid,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OrderQuery {
    /// The caller's newest order of this product; without it of all products.
    #[param(value_type = Option<Uuid>)]
    product_id: Option<String>,
}

/// An order in progress or successful.
#[derive(Serialize, utoipa::ToSchema)]
pub struct OrderView {
    pub order_id: Uuid,
    pub user_id: Uuid,
    pub product_id: Uuid,
    pub status: LiveOrderStatus,
}

/// Where an order is that did not fail.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LiveOrderStatus {
    InProgress,
    Success,
}

/// An order that got no unit.
#[derive(Serialize, utoipa::ToSchema)]
pub struct FailedOrderView {
    #[schema(example = "Failed to purchase")]
    pub message: &'static str,
    pub order_id: Uuid,
    pub product_id: Uuid,
    pub reason: FailureReason,
}

/// What `GET /orders` answers.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum FoundOrderView {
    Order(OrderView),
    Failed(FailedOrderView),
}

/// What `GET /orders/history` answers.
#[derive(Serialize, utoipa::ToSchema)]
pub struct OrderHistoryView {
    pub orders: Vec<PastOrder>,
}

/// Tries to buy one unit. Answered once the request is durable in the queue; with `Prefer: wait=N` (seconds, at most
/// 10) once its outcome is known, or still in progress after that time.
#[utoipa::path(post, path = "/orders", tag = "orders", request_body = PlaceOrder,
    params(("Prefer" = Option<String>, Header, description = "wait=N: answer with the outcome", example = "wait=5")),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = OrderView),
))]
pub async fn place_order(
    State(api): State<Api>,
    Caller(session): Caller,
    request_id: RequestId,
    PreferredWait(wait): PreferredWait,
    IdempotencyKey(key): IdempotencyKey,
    Json(body): Json<PlaceOrder>,
) -> Response {
    let user_id = session.user_id;
    let event =
        || SecurityEvent { user_id: Some(user_id), request_id: request_id.as_str(), ..SecurityEvent::default() };
    let allowance = match api.limits.rates.take_here(Limit::Orders, BucketKey::of_user(user_id)) {
        Ok(allowance) => allowance,
        Err(exceeded) => {
            api.purchases.note_too_many_requests(body.product_id);
            return refuse(&exceeded, event()).into_response();
        }
    };
    let request_id = request_id.as_str();
    let attempt = PurchaseAttempt { user_id, product_id: body.product_id, idempotency_key: key, request_id, wait };
    let placed = api.purchases.place_order(attempt).await;
    count(&placed);
    let answer = match placed {
        Ok(placed) => show_placed(placed, user_id, body.product_id, wait),
        Err(PlaceOrderError::TooManyRequests(exceeded)) => Err(refuse(&exceeded, event())),
        Err(error) => Err(error.into()),
    };
    with_allowance(allowance, answer)
}

fn show_placed(
    placed: Placed,
    user_id: UserId,
    product_id: ProductId,
    wait: Option<Duration>,
) -> Result<Response, Problem> {
    let status = match placed.outcome {
        None => LiveOrderStatus::InProgress,
        Some(Outcome::Success) => LiveOrderStatus::Success,
        Some(Outcome::Failed(FailureReason::SoldOut)) => return Err(Refusal::SoldOut.into()),
        Some(Outcome::Failed(FailureReason::DeadLettered)) => return Err(Problem::order_failed()),
    };
    let view = OrderView { order_id: placed.order_id, user_id, product_id, status };
    let mut response = axum::Json(view).into_response();
    if let Some(applied) = wait.and_then(|wait| HeaderValue::from_str(&format!("wait={}", wait.as_secs())).ok()) {
        response.headers_mut().insert(HeaderName::from_static("preference-applied"), applied);
    }
    Ok(response)
}

/// What became of the caller's newest purchase.
#[utoipa::path(get, path = "/orders", tag = "orders", params(OrderQuery),
    security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = FoundOrderView),
))]
pub async fn find_order(
    State(api): State<Api>,
    Caller(session): Caller,
    Query(query): Query<OrderQuery>,
) -> Result<axum::Json<FoundOrderView>, Problem> {
    let product_id = query.product_id.map(|text| parse_id("product_id", &text)).transpose()?;
    let order = api.orders.find_order(session.user_id, product_id).await?;
    let order = order.ok_or_else(Problem::order_not_found)?;
    Ok(axum::Json(FoundOrderView::of(&order, session.user_id)))
}

/// All orders of the caller, newest first, at most 200.
#[utoipa::path(get, path = "/orders/history", tag = "orders", security(("bearer" = []), ("cookie" = [])), responses(
    (status = 200, body = OrderHistoryView),
))]
pub async fn list_order_history(
    State(api): State<Api>,
    Caller(session): Caller,
) -> Result<axum::Json<OrderHistoryView>, Problem> {
    let orders = api.orders.list_order_history(session.user_id).await?;
    Ok(axum::Json(OrderHistoryView { orders }))
}

impl FoundOrderView {
    pub fn of(order: &SettledOrder, user_id: UserId) -> Self {
        let SettledOrder { order_id, product_id, .. } = *order;
        let status = match order.outcome {
            None => LiveOrderStatus::InProgress,
            Some(Outcome::Success) => LiveOrderStatus::Success,
            Some(Outcome::Failed(reason)) => {
                let message = "Failed to purchase";
                return Self::Failed(FailedOrderView { message, order_id, product_id, reason });
            }
        };
        Self::Order(OrderView { order_id, user_id, product_id, status })
    }
}

impl From<FindOrderError> for Problem {
    fn from(error: FindOrderError) -> Self {
        match error {
            FindOrderError::Database(error) => Self::from(&*error),
            FindOrderError::Overloaded => Self::unavailable(),
        }
    }
}

impl Problem {
    pub fn order_not_found() -> Self {
        Self::not_found("order_not_found", "You have not tried to buy this")
    }

    pub fn order_failed() -> Self {
        Self::new(
            axum::http::StatusCode::CONFLICT,
            "order_failed",
            "Failed to purchase: the order could not be processed and we are looking into it",
        )
    }
}

/// How long the caller prefers to wait for the outcome.
pub struct PreferredWait(Option<Duration>);

impl<S: Send + Sync> FromRequestParts<S> for PreferredWait {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(preferred_wait(&parts.headers)))
    }
}

/// The whole seconds of `Prefer: wait=N` (RFC 7240), at most [`deadlines::WAIT_MAX`]; anything else is not a preference
/// we know and is passed over, as the RFC asks.
fn preferred_wait(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get_all("prefer")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([',', ';']))
        .find_map(|preference| {
            let (name, seconds) = preference.split_once('=')?;
            name.trim().eq_ignore_ascii_case("wait").then(|| seconds.trim().trim_matches('"').parse::<u64>().ok())?
        })
        .map(|seconds| Duration::from_secs(seconds).min(deadlines::WAIT_MAX))
        .filter(|wait| !wait.is_zero())
}

fn count(placed: &Result<Placed, PlaceOrderError>) {
    let outcome = match placed {
        Ok(Placed { outcome: None, .. }) => "in_progress",
        Ok(Placed { outcome: Some(outcome), .. }) => outcome.code(),
        Err(PlaceOrderError::Refused(refusal)) => refusal.code(),
        Err(PlaceOrderError::TooManyRequests(_)) => "too_many_requests",
        Err(PlaceOrderError::Unavailable(_)) => "unavailable",
        Err(PlaceOrderError::OutcomeUnknown(_)) => "outcome_unknown",
    };
    attempts(outcome).increment(1);
}

/// The counter of an outcome, looked up once a thread: every refusal of a crowd counts.
fn attempts(outcome: &'static str) -> Counter {
    thread_local! {
        static COUNTERS: RefCell<Vec<(&'static str, Counter)>> = const { RefCell::new(Vec::new()) };
    }
    COUNTERS.with_borrow_mut(|counters| {
        if let Some((_, counter)) = counters.iter().find(|(known, _)| *known == outcome) {
            return counter.clone();
        }
        let counter = counter!("flashsale_purchase_attempts_total", "outcome" => outcome);
        counters.push((outcome, counter.clone()));
        counter
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::http::{HeaderMap, HeaderValue};

    use super::preferred_wait;

    #[test]
    fn only_a_sensible_wait_is_a_preference() {
        for (value, seconds) in [
            ("wait=5", Some(5)),
            ("respond-async, Wait = 3", Some(3)),
            ("wait=600", Some(10)),
            ("wait=0", None),
            ("wait=soon", None),
            ("wait", None),
            ("waiter=5", None),
        ] {
            let headers = HeaderMap::from_iter([("prefer".parse().unwrap(), HeaderValue::from_static(value))]);
            assert_eq!(preferred_wait(&headers), seconds.map(Duration::from_secs), "{value}");
        }
    }
}
