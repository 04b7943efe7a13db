//! What the clients saw: every request with its user, its key, when it was sent and answered, and the answer.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::http::Reply;

/// The three things a client can know about its purchase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// 200 with an order id: a promise.
    Ok { order_id: Uuid, status: String },
    /// A definite refusal, which includes 503: nothing was taken.
    Refused { status: u16, code: String },
    /// Time-out, reset, or another 5xx: it may or may not have happened.
    Unknown(String),
}

impl Answer {
    /// Reads an answer to `POST /orders` strictly: a shape the contract does not know is a failure of the test.
    pub fn of(reply: std::io::Result<Reply>) -> Self {
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => return Self::Unknown(format!("{:?}: {error}", error.kind())),
        };
        let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        match reply.status {
            200 => {
                let order_id = body["order_id"].as_str().and_then(|id| id.parse().ok());
                let order_id = order_id.unwrap_or_else(|| panic!("200 without an order_id: {}", reply.text()));
                let status = body["status"].as_str().unwrap_or_default().to_owned();
                assert!(
                    ["in_progress", "success"].contains(&status.as_str()),
                    "200 with an unknown status: {}",
                    reply.text()
                );
                Self::Ok { order_id, status }
            }
            400..=499 | 503 => {
                let code = body["code"].as_str();
                let code = code.unwrap_or_else(|| panic!("{} without a code: {}", reply.status, reply.text()));
                Self::Refused { status: reply.status, code: code.to_owned() }
            }
            status => Self::Unknown(format!("{status} {}", reply.text())),
        }
    }

    pub fn order_id(&self) -> Option<Uuid> {
        match self {
            Self::Ok { order_id, .. } => Some(*order_id),
            _ => None,
        }
    }

    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }

    /// Whether a sensible client would send the same request again.
    pub fn asks_for_another_try(&self) -> bool {
        match self {
            Self::Ok { .. } => false,
            Self::Refused { status, .. } => [429, 503].contains(status),
            Self::Unknown(_) => true,
        }
    }

    fn word(&self) -> String {
        match self {
            Self::Ok { status, .. } => format!("ok {status}"),
            Self::Refused { status, code } => format!("{status} {code}"),
            Self::Unknown(what) => format!("unknown: {}", what.chars().take(60).collect::<String>()),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Attempt {
    pub user_id: Uuid,
    pub key: Option<String>,
    /// Since the start of the history.
    pub sent_at: Duration,
    pub answered_at: Duration,
    pub answer: Answer,
}

#[derive(Clone, Debug, Default)]
pub struct History {
    pub attempts: Vec<Attempt>,
}

impl History {
    pub fn extend(&mut self, other: Self) {
        self.attempts.extend(other.attempts);
    }

    /// The ids every `ok` promised, once each.
    pub fn promised(&self) -> Vec<Uuid> {
        let ids: HashSet<Uuid> = self.attempts.iter().filter_map(|attempt| attempt.answer.order_id()).collect();
        ids.into_iter().collect()
    }

    pub fn users(&self) -> HashSet<Uuid> {
        self.attempts.iter().map(|attempt| attempt.user_id).collect()
    }

    pub fn users_with(&self, wanted: impl Fn(&Answer) -> bool) -> HashSet<Uuid> {
        self.attempts.iter().filter(|attempt| wanted(&attempt.answer)).map(|attempt| attempt.user_id).collect()
    }

    pub fn count(&self, wanted: impl Fn(&Answer) -> bool) -> usize {
        self.attempts.iter().filter(|attempt| wanted(&attempt.answer)).count()
    }

    /// Keys that were answered with more than one order.
    pub fn keys_with_two_orders(&self) -> Vec<String> {
        let mut orders: HashMap<(Uuid, &str), HashSet<Uuid>> = HashMap::new();
        for attempt in &self.attempts {
            if let (Some(key), Some(order_id)) = (&attempt.key, attempt.answer.order_id()) {
                orders.entry((attempt.user_id, key)).or_default().insert(order_id);
            }
        }
        let several = orders.into_iter().filter(|(_, ids)| ids.len() > 1);
        several.map(|((user_id, key), ids)| format!("user {user_id}, key {key}: orders {ids:?}")).collect()
    }

    /// How often each kind of answer came.
    pub fn summary(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for attempt in &self.attempts {
            *counts.entry(attempt.answer.word()).or_insert(0) += 1;
        }
        counts
    }

    /// From the first request to the last answer.
    pub fn took(&self) -> Duration {
        let first = self.attempts.iter().map(|attempt| attempt.sent_at).min().unwrap_or_default();
        let last = self.attempts.iter().map(|attempt| attempt.answered_at).max().unwrap_or_default();
        last.saturating_sub(first)
    }

    /// Fails unless every request got a definite answer.
    #[track_caller]
    pub fn expect_definite_answers(&self) {
        let unknown: Vec<&Attempt> = self.attempts.iter().filter(|attempt| attempt.answer.is_unknown()).collect();
        let refused = self.count(|answer| matches!(answer, Answer::Refused { status: 503, .. }));
        assert!(
            unknown.is_empty() && refused == 0,
            "{} requests have no definite answer and {refused} were shed, the first: {:#?}\n{:#?}",
            unknown.len(),
            unknown.first(),
            self.summary()
        );
    }
}
