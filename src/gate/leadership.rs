//! Which of several workers keeps Redis up to date: the one whose name lies under a key that expires unless it is renewed.
//! Two that both believe so for a moment do the same work twice, and nothing else.

use std::sync::LazyLock;
use std::time::Duration;

use uuid::Uuid;

use super::redis::{RedisError, RedisGate};
use super::script::Script;

const KEY: &str = "flashsale:leader";
/// How long a leader that is gone is waited for; as long as the read cache outlives it.
const LEASE: Duration = Duration::from_secs(2);

static LEAD: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lead.lua")));
static RESIGN: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("resign.lua")));

impl RedisGate {
    /// Whether this worker leads; it goes on leading for 2 s. To be asked more often than that.
    ///
    /// # Errors
    /// [`RedisError`].
    pub async fn lead(&self, worker: Uuid) -> Result<bool, RedisError> {
        let mut connection = self.connection.clone();
        let asked = LEAD.run::<bool>(&mut connection, &[KEY], |call| {
            call.arg(worker.to_string()).arg(LEASE.as_millis().to_string());
        });
        match self.bounded(KEY, asked).await {
            // Better all of them than none.
            Err(error) if error.is_foreign_value() => Ok(true),
            leads => leads,
        }
    }

    /// Lets another worker lead at once, for one that stops.
    ///
    /// # Errors
    /// [`RedisError`].
    pub async fn resign(&self, worker: Uuid) -> Result<(), RedisError> {
        let mut connection = self.connection.clone();
        let resigned = RESIGN.run::<i64>(&mut connection, &[KEY], |call| {
            call.arg(worker.to_string());
        });
        self.bounded(KEY, resigned).await.map(drop)
    }
}
