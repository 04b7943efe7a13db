//! The first answers to Idempotency-Keys.

use std::time::Duration;

use uuid::Uuid;

use super::{Database, DbError};

/// A key about to be used: by whom, which, and for what (a hash of method, path and body).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyClaim {
    pub caller: String,
    pub key: String,
    pub fingerprint: Vec<u8>,
    /// The one request that claims: its claim is its own also after a lost reply.
    pub claimant: Uuid,
}

/// The answer to a request, HTTP status and body; none gives the claim back.
pub type KeptAnswer = Option<(u16, Vec<u8>)>;

/// What a claim met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyState {
    /// Ours to run; finish it with an answer, or with none to give it back.
    Claimed,
    /// Another request with this key has not finished.
    Running,
    /// The key was used for something else.
    Mismatch,
    /// The first answer: HTTP status and body.
    Finished { status: u16, body: Vec<u8> },
}

impl Database {
    /// Claims keys; the answers are in the order of the claims. A claim unfinished after `lease` is claimed anew.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn claim_idempotency_keys(&self, claims: &[KeyClaim], lease: Duration) -> Result<Vec<KeyState>, DbError> {
        let callers: Vec<&str> = claims.iter().map(|c| c.caller.as_str()).collect();
        let keys: Vec<&str> = claims.iter().map(|c| c.key.as_str()).collect();
        let fingerprints: Vec<&[u8]> = claims.iter().map(|c| c.fingerprint.as_slice()).collect();
        let claimants: Vec<Uuid> = claims.iter().map(|c| c.claimant).collect();
        let lease_s = lease.as_secs_f64();
        let rows = self
            .query(
                "select state, answer_status, answer_body from flashsale.claim_idempotency_keys($1, $2, $3, $4, \
                 make_interval(secs => $5)) order by ordinal",
                &[&callers, &keys, &fingerprints, &claimants, &lease_s],
            )
            .await?;
        if rows.len() != claims.len() {
            return Err(DbError::Unexpected("claim_idempotency_keys answered another number of rows than claims"));
        }
        rows.iter()
            .map(|row| {
                let status: Option<i16> = row.get(1);
                match row.get::<_, &str>(0) {
                    "claimed" => Ok(KeyState::Claimed),
                    "running" => Ok(KeyState::Running),
                    "mismatch" => Ok(KeyState::Mismatch),
                    "finished" => Ok(KeyState::Finished {
                        status: status.and_then(|s| u16::try_from(s).ok()).unwrap_or_default(),
                        body: row.get::<_, Option<Vec<u8>>>(2).unwrap_or_default(),
                    }),
                    _ => Err(DbError::Unexpected("claim_idempotency_keys answered a state it does not document")),
                }
            })
            .collect()
    }

    /// Keeps the answer to each claimed key, or gives the claim back where there is none to keep.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn finish_idempotency_keys(&self, finished: &[(KeyClaim, KeptAnswer)]) -> Result<(), DbError> {
        let callers: Vec<&str> = finished.iter().map(|(c, _)| c.caller.as_str()).collect();
        let keys: Vec<&str> = finished.iter().map(|(c, _)| c.key.as_str()).collect();
        let claimants: Vec<Uuid> = finished.iter().map(|(c, _)| c.claimant).collect();
        let statuses: Vec<Option<i16>> =
            finished.iter().map(|(_, a)| a.as_ref().and_then(|(s, _)| i16::try_from(*s).ok())).collect();
        let bodies: Vec<Option<&[u8]>> =
            finished.iter().map(|(_, a)| a.as_ref().map(|(_, body)| body.as_slice())).collect();
        self.query(
            "select flashsale.finish_idempotency_keys($1, $2, $3, $4, $5)",
            &[&callers, &keys, &claimants, &statuses, &bodies],
        )
        .await
        .map(drop)
    }
}
