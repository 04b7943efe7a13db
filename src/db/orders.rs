//! Orders: placing, finding, settling. The decisions are in sql/functions.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::{Database, DbError};
use crate::domain::{
    Correlation, OrderId, OrderStatus, Outcome, PastOrder, Placement, ProductId, PurchaseRequest, Refusal, SaleId,
    UserId,
};

/// An order whose outcome is known, or not yet (`outcome` is `None` while it is in progress).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledOrder {
    pub order_id: OrderId,
    pub product_id: ProductId,
    pub outcome: Option<Outcome>,
}

/// What one settle call did, in messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettledBatch {
    pub messages: i32,
    pub succeeded: i32,
    pub failed: i32,
    pub duplicates: i32,
    pub dead_lettered: i32,
    /// Those whose messages told where they came from.
    pub followed: Vec<FollowedOrder>,
}

/// What has become of an order, and of which request it was.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FollowedOrder {
    pub order_id: OrderId,
    /// `success`, the reason of the failure, or `in_progress` beside a message that could not be settled.
    pub outcome: String,
    #[serde(flatten)]
    pub correlation: Correlation,
}

impl Database {
    /// Makes purchase requests of one product durable in the queue; the answers are in the order of the requests.
    /// The same requests again change nothing and are answered the same, where `may_be_placed` says that an earlier call
    /// got no answer: an order that was settled since is then its caller's own success, and no second purchase. Gives up
    /// after `limit`.
    ///
    /// # Errors
    /// [`DbError`]; see [`DbError::is_outcome_unknown`].
    pub async fn place_orders(
        &self,
        product_id: ProductId,
        requests: &[PurchaseRequest],
        may_be_placed: bool,
        limit: Duration,
    ) -> Result<Vec<Placement>, DbError> {
        let order_ids: Vec<Uuid> = requests.iter().map(|r| r.order_id).collect();
        let user_ids: Vec<Uuid> = requests.iter().map(|r| r.user_id).collect();
        let tokens: Vec<&str> = requests.iter().map(|r| r.reserved_token).collect();
        let keys: Vec<Option<&str>> = requests.iter().map(|r| r.idempotency_key.as_deref()).collect();
        let headers: BTreeMap<OrderId, &Correlation> =
            requests.iter().filter_map(|r| Some((r.order_id, r.correlation.as_ref()?))).collect();
        let headers = (!headers.is_empty()).then_some(Json(headers));
        let rows = self
            .query_within(
                limit,
                "select outcome, order_id from flashsale.place_orders($1, $2, $3, $4, $5, $6) order by ordinal",
                &[&product_id, &order_ids, &user_ids, &tokens, &keys, &headers],
            )
            .await?;
        if rows.len() != requests.len() {
            return Err(DbError::Unexpected("place_orders answered another number of rows than requests"));
        }
        rows.iter()
            .zip(requests)
            .map(|(row, request)| placement(row.get(0), row.get(1), may_be_placed.then_some(request.order_id)))
            .collect()
    }

    /// Settles up to `batch_max` queued messages in one transaction.
    ///
    /// # Errors
    /// [`DbError`]; then no message was taken, or the batch is settled and only the answer was lost.
    pub async fn settle_orders(&self, batch_max: i32) -> Result<SettledBatch, DbError> {
        let row = self
            .query_one(
                "select messages, succeeded, failed, duplicates, dead_lettered, followed \
                 from flashsale.settle_orders($1)",
                &[&batch_max],
            )
            .await?;
        settled_batch(&row)
    }

    /// As [`settle_orders`](Self::settle_orders), each message by itself: one that cannot be settled is set aside.
    ///
    /// # Errors
    /// [`DbError`]; then no message was taken, or the batch is settled and only the answer was lost.
    pub async fn settle_orders_singly(&self, batch_max: i32) -> Result<SettledBatch, DbError> {
        let row = self
            .query_one(
                "select messages, succeeded, failed, duplicates, dead_lettered, followed \
                 from flashsale.settle_orders_singly($1)",
                &[&batch_max],
            )
            .await?;
        settled_batch(&row)
    }

    /// The newest order of each user who asks, for the product named beside or for any; the answers are in the order of
    /// the asks, `None` for who never tried.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn find_orders(
        &self,
        asks: &[(UserId, Option<ProductId>)],
    ) -> Result<Vec<Option<SettledOrder>>, DbError> {
        let (user_ids, product_ids): (Vec<Uuid>, Vec<Option<Uuid>>) = asks.iter().copied().unzip();
        let rows = self
            .query(
                "select ordinal, order_id, product_id, status, failure_reason from flashsale.find_orders($1, $2)",
                &[&user_ids, &product_ids],
            )
            .await?;
        let mut found = vec![None; asks.len()];
        for row in &rows {
            let place =
                usize::try_from(row.get::<_, i32>(0)).ok().and_then(|ordinal| found.get_mut(ordinal.checked_sub(1)?));
            let place = place.ok_or(DbError::Unexpected("find_orders answered what it was not asked"))?;
            let status: &str = row.get(3);
            let outcome = match status {
                "in_progress" => None,
                _ => Some(
                    Outcome::from_code(row.get::<_, Option<&str>>(4).unwrap_or(status))
                        .ok_or(DbError::Unexpected("find_orders answered a status it does not document"))?,
                ),
            };
            *place = Some(SettledOrder { order_id: row.get(1), product_id: row.get(2), outcome });
        }
        Ok(found)
    }

    /// All orders of a user, newest first, at most `orders_max`.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn list_order_history(&self, user_id: UserId, orders_max: i32) -> Result<Vec<PastOrder>, DbError> {
        let rows = self
            .query(
                "select order_id, product_id, flash_sale_id, name, price_in_cent, status, failure_reason, \
                 accepted_at, settled_at from flashsale.list_order_history($1, $2)",
                &[&user_id, &orders_max],
            )
            .await?;
        rows.iter()
            .map(|row| {
                let (status, reason) = match (row.get(5), row.get::<_, Option<&str>>(6).map(Outcome::from_code)) {
                    ("in_progress", None) => (OrderStatus::InProgress, None),
                    ("success", None) => (OrderStatus::Success, None),
                    ("failed", Some(Some(Outcome::Failed(reason)))) => (OrderStatus::Failed, Some(reason)),
                    _ => return Err(DbError::Unexpected("list_order_history answered a status it does not document")),
                };
                Ok(PastOrder {
                    order_id: row.get(0),
                    product_id: row.get(1),
                    flash_sale_id: row.get(2),
                    name: row.get(3),
                    price_in_cents: row.get(4),
                    status,
                    reason,
                    accepted_at: row.get(7),
                    settled_at: row.get(8),
                })
            })
            .collect()
    }

    /// Those of `order_ids` that are settled, with their users and outcomes.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn find_outcomes(
        &self,
        order_ids: &[OrderId],
    ) -> Result<Vec<(OrderId, UserId, SaleId, Outcome)>, DbError> {
        let rows = self
            .query("select order_id, user_id, flash_sale_id, outcome from flashsale.find_outcomes($1)", &[&order_ids])
            .await?;
        rows.iter()
            .map(|row| {
                let outcome = Outcome::from_code(row.get(3))
                    .ok_or(DbError::Unexpected("find_outcomes answered an outcome it does not document"))?;
                Ok((row.get(0), row.get(1), row.get(2), outcome))
            })
            .collect()
    }

    /// Who holds a unit of a sale or waits for one.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn live_orders(
        &self,
        product_id: ProductId,
        flash_sale_id: SaleId,
    ) -> Result<Vec<(UserId, OrderId)>, DbError> {
        let rows = self
            .query("select user_id, order_id from flashsale.live_orders($1, $2)", &[&product_id, &flash_sale_id])
            .await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }
}

fn settled_batch(row: &tokio_postgres::Row) -> Result<SettledBatch, DbError> {
    let followed: Option<Json<Vec<FollowedOrder>>> = row
        .try_get(5)
        .map_err(|_| DbError::Unexpected("settle_orders answered followed orders in a form it does not document"))?;
    Ok(SettledBatch {
        messages: row.get(0),
        succeeded: row.get(1),
        failed: row.get(2),
        duplicates: row.get(3),
        dead_lettered: row.get(4),
        followed: followed.map(|Json(followed)| followed).unwrap_or_default(),
    })
}

/// What `place_orders` says of a request; `may_be_placed` is its order, if an earlier call may have placed that.
fn placement(outcome: &str, order_id: Option<OrderId>, may_be_placed: Option<OrderId>) -> Result<Placement, DbError> {
    match (outcome, order_id) {
        ("already_purchased", Some(order_id)) if may_be_placed == Some(order_id) => Ok(Placement::Success(order_id)),
        ("in_progress", Some(order_id)) => Ok(Placement::InProgress(order_id)),
        ("success", Some(order_id)) => Ok(Placement::Success(order_id)),
        _ => Refusal::from_code(outcome)
            .map(Placement::Refused)
            .ok_or(DbError::Unexpected("place_orders answered an outcome it does not document")),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::placement;
    use crate::domain::{Placement, Refusal};

    #[test]
    fn an_order_that_an_earlier_call_placed_is_no_second_purchase() {
        let (mine, another) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let bought = |order_id, may_be_placed| placement("already_purchased", Some(order_id), may_be_placed).unwrap();
        assert_eq!(bought(mine, Some(mine)), Placement::Success(mine));
        assert_eq!(bought(mine, None), Placement::Refused(Refusal::AlreadyPurchased), "there was no earlier call");
        assert_eq!(bought(another, Some(mine)), Placement::Refused(Refusal::AlreadyPurchased));
        assert_eq!(placement("in_progress", Some(mine), None).unwrap(), Placement::InProgress(mine));
        assert_eq!(placement("success", Some(another), Some(mine)).unwrap(), Placement::Success(another));
        assert_eq!(placement("sold_out", None, Some(mine)).unwrap(), Placement::Refused(Refusal::SoldOut));
        placement("lost", None, None).unwrap_err();
    }
}
