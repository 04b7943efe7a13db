//! What can go wrong between us and PostgreSQL, sorted by the one question that matters to a purchase: may the
//! statement have taken effect?

use std::time::Duration;

use tokio_postgres::error::SqlState;

use crate::config::deadlines;

/// An error of the database or of the way to it. Messages never hold a URL, a password or a row's values.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    #[error("DATABASE_URL cannot be used: {0}")]
    Url(String),
    /// Nothing was sent: no connection, or none free in time.
    #[error("the database that DATABASE_URL names cannot be reached: {0}")]
    Unreachable(String),
    /// Nothing was sent: every connection of our own pool was in use for so long.
    #[error("no connection to the database was free within {0:?}")]
    Busy(Duration),
    /// The server answered with an error, so the statement has taken no effect.
    #[error("the database refused: {message} (SQLSTATE {sqlstate}{})", constraint.as_ref().map(|c| format!(", {c}")).unwrap_or_default())]
    Refused { sqlstate: String, constraint: Option<String>, message: String },
    /// The connection broke after the statement was sent: it may or may not have taken effect.
    #[error("the connection to the database was lost before it answered: {0}")]
    Lost(String),
    /// As [`Lost`](Self::Lost): the statement may still be running.
    #[error("the database did not answer within {0:?}")]
    TimedOut(Duration),
    /// A row that does not look as its function promises; what the function did is done.
    #[error("unexpected answer of the database: {0}")]
    Unexpected(&'static str),
}

impl DbError {
    /// Whether the statement may have taken effect although no answer came.
    pub const fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::TimedOut(_) | Self::Unexpected(_))
    }

    /// Whether the server has become a standby: another one takes writes now, or soon.
    pub fn is_of_a_standby(&self) -> bool {
        matches!(self, Self::Refused { sqlstate, .. } if sqlstate == SqlState::READ_ONLY_SQL_TRANSACTION.code())
    }

    /// Whether trying the same idempotent statement again may help: the way to the server broke, a deadlock or a
    /// serialisation failure was resolved against us, or the server is starting, stopping, out of connections or a standby.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Busy(_) | Self::Lost(_) | Self::TimedOut(_) => true,
            error if error.is_of_a_standby() => true,
            Self::Refused { sqlstate, .. } => {
                matches!(sqlstate.get(..2), Some("40" | "53" | "55" | "57" | "58"))
            }
            Self::Url(_) | Self::Unexpected(_) => false,
        }
    }

    /// Whether it says that the database cannot be used, by anybody: the way to it, its rights, its disk, its memory, its
    /// state. A statement that ran out of time (57014) or met its neighbours (40, 55) says nothing of the database.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Lost(_) | Self::TimedOut(_) => true,
            Self::Refused { sqlstate, .. } if sqlstate == SqlState::QUERY_CANCELED.code() => false,
            Self::Refused { sqlstate, .. } => {
                matches!(sqlstate.get(..2), Some("08" | "25" | "28" | "3D" | "53" | "57" | "58" | "F0" | "XX"))
            }
            Self::Busy(_) | Self::Url(_) | Self::Unexpected(_) => false,
        }
    }

    /// The name of the constraint that refused a statement.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Refused { constraint, .. } => constraint.as_deref(),
            _ => None,
        }
    }

    /// An error met before the statement itself was sent.
    pub(super) fn not_sent(error: tokio_postgres::Error) -> Self {
        match Self::sent(error) {
            Self::Lost(message) => Self::Unreachable(message),
            other => other,
        }
    }

    /// An error met after the statement was sent.
    pub(super) fn sent(error: tokio_postgres::Error) -> Self {
        let Some(db_error) = error.as_db_error() else {
            return Self::Lost(describe(&error));
        };
        // A backend told to quit because another crashed (or by an immediate stop) may have committed already.
        if *db_error.code() == SqlState::CRASH_SHUTDOWN {
            return Self::Lost(db_error.message().to_owned());
        }
        if let Some(error) = behind_a_router(db_error.code().code(), db_error.message()) {
            return error;
        }
        Self::Refused {
            sqlstate: db_error.code().code().to_owned(),
            constraint: db_error.constraint().map(str::to_owned),
            message: db_error.message().to_owned(),
        }
    }
}

/// The way from the server we asked to the one behind it, when it is a router (deploy/sharding): nothing was sent there, or
/// it may have taken effect. SQLSTATE class 08 says which; PL/Proxy says it in words of its own.
fn behind_a_router(sqlstate: &str, message: &str) -> Option<DbError> {
    let is_plproxy = sqlstate == SqlState::INTERNAL_ERROR.code() && message.starts_with("PL/Proxy function ");
    let was_not_sent = match sqlstate {
        "08001" | "08004" => true,
        _ if is_plproxy => [": PQconnect", ": connect timeout", "] PQconnect"].iter().any(|at| message.contains(at)),
        _ if sqlstate.starts_with("08") => false,
        _ => return None,
    };
    let message = message.trim_end().to_owned();
    Some(if was_not_sent { DbError::Unreachable(message) } else { DbError::Lost(message) })
}

impl From<deadpool_postgres::PoolError> for DbError {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        match error {
            deadpool_postgres::PoolError::Backend(error) => match Self::not_sent(error) {
                // Refused while connecting: the server is there but does not let us in.
                Self::Refused { message, sqlstate, .. } => {
                    Self::Unreachable(format!("{message} (SQLSTATE {sqlstate})"))
                }
                other => other,
            },
            deadpool_postgres::PoolError::Timeout(deadpool_postgres::TimeoutType::Wait) => {
                Self::Busy(deadlines::POOL_WAIT)
            }
            other => Self::Unreachable(other.to_string()),
        }
    }
}

/// The error and what caused it in one line.
fn describe(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{DbError, behind_a_router};

    #[test]
    fn what_a_router_sent_on_may_have_taken_effect() {
        let nothing_sent = |sqlstate, message| {
            let error = behind_a_router(sqlstate, message).unwrap();
            assert!(error.is_transient() && error.is_outage(), "{error}");
            !error.is_outcome_unknown()
        };
        let refused = "PL/Proxy function sharding.place_orders(7): [shard1] PQconnectPoll: connection refused\n";
        assert!(nothing_sent("XX000", refused));
        let broken =
            "PL/Proxy function sharding.place_orders(7): [shard1] PQconsumeInput: server closed the connection";
        assert!(!nothing_sent("XX000", broken));
        assert!(nothing_sent("08001", "it may be on a shard that cannot be reached"));
        assert!(!nothing_sent("08007", "part of the batch was placed"));
        let other = behind_a_router("XX000", "cache lookup failed for PL/Proxy function 1");
        assert!(other.is_none() && behind_a_router("23505", "duplicate key").is_none(), "{other:?}");
        assert!(
            matches!(behind_a_router("XX000", refused), Some(DbError::Unreachable(said)) if said.ends_with("refused"))
        );
    }
}
