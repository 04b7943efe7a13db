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
mod victims;

use std::time::Duration;

use crate::harness::{Stack, eventually};

const SOON: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Waits until the database takes connections again.
async fn wait_for_database(stack: &Stack) {
    let url = stack.postgres.url();
    eventually("PostgreSQL takes connections again", Duration::from_secs(60), async || {
        let client = crate::harness::postgres::try_connect(&url).await?;
        client.batch_execute("select").await
    })
    .await;
}
