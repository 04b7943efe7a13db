//! How each fault strikes, on real processes and servers, at moments the dice decides.

pub mod clock;
pub mod disk;
pub mod failpoints;
pub mod guessing;
pub mod messages;
pub mod network;
pub mod postgres;
pub mod processes;
pub mod quantity;
pub mod redis;
pub mod sessions;
pub mod strangers;

use std::time::{Duration, Instant};

use tokio_postgres::Client;

use crate::harness::{Stack, eventually};

const SOON: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Waits until a session of the product waits for a lock in this statement. Whether one did.
async fn is_blocked_in(database: &Client, statement: &str) -> bool {
    let waiting = "select exists (
        select from pg_stat_activity
        where wait_event_type = 'Lock' and pid <> pg_backend_pid() and query like '%' || $1 || '%')";
    let started = Instant::now();
    while started.elapsed() < SOON {
        if database.query_one(waiting, &[&statement]).await.expect("look at the sessions").get(0) {
            return true;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    false
}

/// Waits until the database takes connections again.
async fn wait_for_database(stack: &Stack) {
    let url = stack.postgres.url();
    eventually("PostgreSQL takes connections again", Duration::from_secs(60), async || {
        let client = crate::harness::postgres::try_connect(&url).await?;
        client.batch_execute("select").await
    })
    .await;
}
