//! How each fault strikes, on real processes and servers, at moments the dice decides.

pub mod messages;
pub mod network;
pub mod postgres;
pub mod processes;
pub mod redis;
pub mod strangers;

use std::time::Duration;

use tokio_postgres::Client;

use crate::harness::{Stack, eventually};

const SOON: Duration = Duration::from_secs(10);

/// Waits until a session of the product waits for a lock in this statement. Whether one did: the shop may have sold out.
async fn is_blocked_in(database: &Client, statement: &str, mut is_over: impl FnMut() -> bool) -> bool {
    eventually(&format!("a session waits for a lock in {statement}, or the load is over"), SOON, || {
        let over = is_over();
        async move {
            let rows = database
                .query(
                    "select query from pg_stat_activity where wait_event_type = 'Lock' and pid <> pg_backend_pid()",
                    &[],
                )
                .await
                .map_err(|error| error.to_string())?;
            let waiting: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
            match waiting.iter().any(|query| query.contains(statement)) {
                true => Ok(true),
                false if over => Ok(false),
                false => Err(format!("waiting: {waiting:?}")),
            }
        }
    })
    .await
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
