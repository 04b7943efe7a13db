//! Idempotency keys: the first answer to a key is kept by the database for 24 hours and given again.
//! Claims and answers travel in micro-batches, as purchases do.

use std::time::Duration;

use metrics::counter;

use super::Unavailable;
use crate::batcher::{BatchBounds, Batcher};
use crate::config::{Bounds, deadlines};
use crate::db::{Database, DbError, KeptAnswer, KeyClaim, KeyState};

/// A claim whose process died is given to the next try after this; longer than any request lasts. A purchase waits for a
/// batch, its COMMIT and its outcome, 16 s at most, and then its answer is kept; others wait for a password or a lock.
const LEASE: Duration = Duration::from_secs(30);

/// Tries of one batch: a claim or an answer is its claimant's own, so that trying again is safe.
const TRIES: u32 = 4;
const TRY_PAUSE: Duration = Duration::from_millis(50);

/// The keys of all callers.
pub struct IdempotencyKeys {
    claims: Batcher<KeyClaim, Option<KeyState>>,
    answers: Batcher<(KeyClaim, KeptAnswer), ()>,
}

impl IdempotencyKeys {
    pub fn new(database: &Database, bounds: &Bounds) -> Self {
        let bounds = BatchBounds {
            batch_max: bounds.purchase_batch_max,
            in_flight_max: 2,
            queue_max: bounds.requests_in_flight_max,
            queue_wait_max: deadlines::PURCHASE_QUEUE,
        };
        let (claiming, answering) = (database.clone(), database.clone());
        Self {
            claims: Batcher::start(bounds, move |claims: Vec<KeyClaim>| {
                let database = claiming.clone();
                async move { claim_batch(&database, &claims).await }
            }),
            answers: Batcher::start(bounds, move |answers: Vec<(KeyClaim, KeptAnswer)>| {
                let database = answering.clone();
                async move { answer_batch(&database, &answers).await }
            }),
        }
    }

    /// Claims a key for a request about to be served.
    ///
    /// # Errors
    /// [`Unavailable`]: without the database a key cannot be honoured.
    pub async fn claim(&self, claim: KeyClaim) -> Result<KeyState, Unavailable> {
        const BUSY: Unavailable = Unavailable::Overloaded("idempotency keys cannot be claimed right now");
        self.claims.submit(claim).await.ok().flatten().ok_or(BUSY)
    }

    /// Keeps the answer to a claimed key, or gives the claim back with `None`. If that fails, the claim lapses by itself
    /// and the next try runs anew, which the uniqueness of orders makes safe.
    pub async fn finish(&self, claim: KeyClaim, answer: KeptAnswer) {
        // A failure was counted with its batch.
        let _ = self.answers.submit((claim, answer)).await;
    }
}

async fn claim_batch(database: &Database, claims: &[KeyClaim]) -> Vec<Option<KeyState>> {
    match again(|| database.claim_idempotency_keys(claims, LEASE)).await {
        Ok(states) => states.into_iter().map(Some).collect(),
        Err(error) => {
            tracing::debug!(%error, keys = claims.len(), "idempotency keys were not claimed");
            vec![None; claims.len()]
        }
    }
}

async fn answer_batch(database: &Database, answers: &[(KeyClaim, KeptAnswer)]) -> Vec<()> {
    if let Err(error) = again(|| database.finish_idempotency_keys(answers)).await {
        counter!("flashsale_idempotent_answers_lost_total").increment(answers.len() as u64);
        tracing::debug!(%error, keys = answers.len(), "answers to idempotency keys were not kept");
    }
    vec![(); answers.len()]
}

async fn again<T, F: Future<Output = Result<T, DbError>>>(call: impl Fn() -> F) -> Result<T, DbError> {
    let mut tries = 1;
    loop {
        match call().await {
            Err(error) if error.is_transient() && tries < TRIES => tokio::time::sleep(TRY_PAUSE * tries).await,
            answer => return answer,
        }
        tries += 1;
    }
}
