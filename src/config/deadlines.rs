//! How long things may take. Constants, because their order matters more than their values:
//! a purchase gives up before its token's grace ends, and a request before its connection does.

use std::time::Duration;

/// Reading the head of a request.
pub const HEADER_READ: Duration = Duration::from_secs(10);
/// Reading the body of a request, all of it.
pub const BODY_READ: Duration = Duration::from_secs(10);
/// An answer that its caller does not read.
pub const UNREAD_ANSWER: Duration = Duration::from_secs(20);
/// A free connection of the pool.
pub const POOL_WAIT: Duration = Duration::from_secs(1);
/// A new connection, to whichever of the servers that `DATABASE_URL` names takes writes.
pub const CONNECT: Duration = Duration::from_secs(2);
/// The next of those servers is asked when the one before has not answered for so long.
pub const NEXT_SERVER: Duration = Duration::from_millis(200);
/// A statement that waits asks this often whether another server has become the primary.
pub const ANOTHER_PRIMARY: Duration = Duration::from_secs(2);
/// What is sent to a server must be acknowledged by its machine within this, also when nothing else is said.
pub const SERVER_GONE: Duration = Duration::from_secs(5);
/// One SQL statement, enforced by the server.
pub const STATEMENT: Duration = Duration::from_secs(2);
/// One SQL statement, given up by the client: later than the server's own.
pub const STATEMENT_CLIENT: Duration = Duration::from_secs(3);
/// One batch of messages being settled, which may wait for another worker's batch of the same sale.
pub const SETTLE_STATEMENT: Duration = Duration::from_secs(30);
/// One statement of a report, which may read millions of orders.
pub const REPORT_STATEMENT: Duration = Duration::from_secs(60);
/// A picture's wait for its turn to be read.
pub const PICTURE_TURN: Duration = Duration::from_secs(2);
/// A purchase's wait for its batch to be formed.
pub const PURCHASE_QUEUE: Duration = Duration::from_secs(2);
/// A batch of purchases from its first try to the end of its last.
pub const PURCHASE_BATCH: Duration = Duration::from_secs(4);
/// A token that no order in the database accounts for is returned after this: longer than a purchase can be on its
/// way, which is [`PURCHASE_QUEUE`] + [`PURCHASE_BATCH`].
pub const TOKEN_GRACE: Duration = Duration::from_secs(7);
/// The longest `Prefer: wait`.
pub const WAIT_MAX: Duration = Duration::from_secs(10);
/// Requests in progress after the signal to stop.
pub const GRACEFUL_STOP: Duration = Duration::from_secs(15);
/// One Redis command.
pub const REDIS_COMMAND: Duration = Duration::from_millis(250);
/// Finding the server of Redis that is written to, asking sentinels or a cluster for it, and connecting to it. Commands do not
/// wait for it longer than [`REDIS_COMMAND`]; it goes on without them.
pub const REDIS_CONNECT: Duration = Duration::from_secs(3);
/// Reading a whole gate from Redis.
pub const REDIS_RECONCILE: Duration = Duration::from_secs(5);
