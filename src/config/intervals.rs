//! How often things are looked at again.

use std::time::Duration;

/// What an API process holds of the sales.
pub const BOARD_REFRESH: Duration = Duration::from_millis(200);
/// Gate against database.
pub const RECONCILE: Duration = Duration::from_millis(500);
/// Outcomes asked for by those who wait and heard nothing.
pub const OUTCOME_SWEEP: Duration = Duration::from_millis(250);
/// Ended sessions read again, which also forgets those whose tokens have expired.
pub const SESSIONS_RELOAD: Duration = Duration::from_secs(60);
/// What was counted in a second is said this long after its end: late enough for our estimate of the database's clock,
/// early enough for who watches.
pub const ACTIVITY_LAG: Duration = Duration::from_millis(20);
/// A picture read again.
pub const PICTURE_RELOAD: Duration = Duration::from_secs(5);
/// A worker's look at the queue.
pub const WATCH: Duration = Duration::from_secs(1);
/// The books of the sales that changed within the second of these, at most as often as the first.
pub const BOOKS_CHECK: Duration = Duration::from_secs(5);
pub const BOOKS_CHANGED_WITHIN: Duration = Duration::from_secs(60);
/// Old rows deleted.
pub const PRUNE: Duration = Duration::from_secs(60);
/// An empty queue looked at again: soon after work, less often when idle. Sooner would settle smaller batches, which
/// cost more an order.
pub const QUEUE_POLL_MIN: Duration = Duration::from_millis(10);
pub const QUEUE_POLL_MAX: Duration = Duration::from_millis(25);
