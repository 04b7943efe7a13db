//! What became of orders. Asks for one product, which is what everybody has when a sale begins, travel in micro-batches, as
//! purchases do: one call answers many.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::join_all;

use crate::batcher::{BatchBounds, Batcher};
use crate::config::{Bounds, deadlines};
use crate::db::{Database, DbError, SettledOrder};
use crate::domain::{PastOrder, ProductId, UserId};

/// Orders of one user that are shown at once.
pub const HISTORY_MAX: i32 = 200;
/// Batches under way at once: they only read, and do not wait for each other.
const BATCHES_IN_FLIGHT_MAX: usize = 2;
/// Products of a failed batch that are asked for again, each by itself.
const PRODUCTS_ASKED_AGAIN_MAX: usize = 8;

/// Why it is not known whether there is an order.
#[derive(Debug, thiserror::Error)]
pub enum FindOrderError {
    /// The error of the whole batch.
    #[error(transparent)]
    Database(#[from] Arc<DbError>),
    /// Too many are asking.
    #[error("too many are asking for their orders")]
    Overloaded,
}

type Answer = Result<Option<SettledOrder>, Arc<DbError>>;

/// The orders of all users, for reading.
pub struct Orders {
    database: Database,
    asks: Batcher<(UserId, ProductId), Answer>,
}

impl Orders {
    pub fn new(database: &Database, bounds: &Bounds) -> Self {
        let bounds = BatchBounds {
            batch_max: bounds.purchase_batch_max,
            in_flight_max: BATCHES_IN_FLIGHT_MAX,
            queue_max: bounds.requests_in_flight_max,
            queue_wait_max: deadlines::PURCHASE_QUEUE,
        };
        let asked = database.clone();
        let asks = Batcher::start(bounds, move |asks: Vec<(UserId, ProductId)>| {
            let database = asked.clone();
            async move { answer_batch(&database, &asks).await }
        });
        Self { database: database.clone(), asks }
    }

    /// The newest order of a user, of one product or of all.
    ///
    /// # Errors
    /// [`FindOrderError`].
    pub async fn find_order(
        &self,
        user_id: UserId,
        product_id: Option<ProductId>,
    ) -> Result<Option<SettledOrder>, FindOrderError> {
        match product_id {
            Some(product_id) => {
                let answer = self.asks.submit((user_id, product_id)).await;
                Ok(answer.map_err(|_| FindOrderError::Overloaded)??)
            }
            // By itself: it looks at one product after the other and would hold up a batch.
            None => Ok(self.database.find_orders(&[(user_id, None)]).await.map_err(Arc::new)?.pop().flatten()),
        }
    }

    /// All orders of a user, newest first, at most [`HISTORY_MAX`].
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn list_order_history(&self, user_id: UserId) -> Result<Vec<PastOrder>, DbError> {
        self.database.list_order_history(user_id, HISTORY_MAX).await
    }
}

/// With several servers behind a router, one of them may be the only one that cannot be reached: then those who ask for
/// products of the others are answered by themselves.
async fn answer_batch(database: &Database, asks: &[(UserId, ProductId)]) -> Vec<Answer> {
    let mut answers = answer(database, asks).await;
    let is_broken = |answer: &Answer| {
        answer.as_ref().is_err_and(|error| matches!(**error, DbError::Unreachable(_) | DbError::Lost(_)))
    };
    let products: HashSet<ProductId> = asks.iter().map(|(_, product_id)| *product_id).collect();
    if products.len() < 2 || !answers.first().is_some_and(is_broken) {
        return answers;
    }
    let again = products.into_iter().take(PRODUCTS_ASKED_AGAIN_MAX).map(async |product_id| {
        let (places, asks): (Vec<usize>, Vec<_>) =
            asks.iter().copied().enumerate().filter(|(_, (_, asked))| *asked == product_id).unzip();
        places.into_iter().zip(answer(database, &asks).await).collect::<Vec<_>>()
    });
    for (place, found) in join_all(again).await.into_iter().flatten() {
        if let Some(answer) = answers.get_mut(place) {
            *answer = found;
        }
    }
    answers
}

async fn answer(database: &Database, asks: &[(UserId, ProductId)]) -> Vec<Answer> {
    let asks: Vec<_> = asks.iter().map(|(user_id, product_id)| (*user_id, Some(*product_id))).collect();
    match database.find_orders(&asks).await {
        Ok(found) => found.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(Arc::new(error)); asks.len()],
    }
}
