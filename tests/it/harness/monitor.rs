//! Watches the database while a load runs and faults are injected: the invariants that must hold at every moment, each
//! judged in one statement and so in one snapshot, and that a settled order never changes.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio_postgres::Client;
use uuid::Uuid;

use super::books::{AT_EVERY_MOMENT, Invariant, violations_of};
use super::postgres::try_connect;
use super::stack::Stack;

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Looks while the load runs; in the shortest of tests it is over before the second.
const LOOKS_MIN: usize = 1;

/// A running watch; `finish` tells what it saw.
pub struct Monitor {
    stop: Arc<AtomicBool>,
    looks: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<Sightings>,
}

#[derive(Debug, Default)]
struct Sightings {
    violations: Vec<String>,
    settled: HashMap<Uuid, String>,
}

impl Monitor {
    pub fn start(stack: &Stack) -> Self {
        Self::of(stack, AT_EVERY_MOMENT)
    }

    /// Watches over these invariants.
    pub fn of(stack: &Stack, invariants: &'static [Invariant]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let looks = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(watch(stack.postgres.url(), invariants, Arc::clone(&stop), Arc::clone(&looks)));
        Self { stop, looks, task }
    }

    /// How often it has looked so far.
    pub fn looks(&self) -> usize {
        self.looks.load(Ordering::Relaxed)
    }

    /// Every violation it saw.
    pub async fn stop(self) -> Vec<String> {
        let looks = self.looks();
        self.stop.store(true, Ordering::Relaxed);
        let sightings = self.task.await.expect("the monitor");
        eprintln!("monitor: {looks} looks, {} settled orders remembered", sightings.settled.len());
        sightings.violations
    }

    /// Fails when any look found a violation, or when there was none to speak of.
    pub async fn finish(self) {
        // Before it is told to stop: one last look comes after that, whatever happened before.
        let looks = self.looks();
        let violations = self.stop().await;
        assert!(looks >= LOOKS_MIN, "the monitor looked {looks} times while the load ran");
        assert!(
            violations.is_empty(),
            "violated while the load ran ({} in all), the first:\n{}",
            violations.len(),
            violations.iter().take(5).cloned().collect::<Vec<_>>().join("\n")
        );
    }
}

async fn watch(
    url: String,
    invariants: &'static [Invariant],
    stop: Arc<AtomicBool>,
    looks: Arc<AtomicUsize>,
) -> Sightings {
    let mut seen = Sightings::default();
    let mut session: Option<Client> = None;
    loop {
        let last = stop.load(Ordering::Relaxed);
        if session.as_ref().is_none_or(Client::is_closed) {
            session = try_connect(&url).await.ok();
        }
        if let Some(client) = &session {
            // An error is a server that is down on purpose: the next look comes.
            if look(client, invariants, &mut seen).await.is_ok() {
                looks.fetch_add(1, Ordering::Relaxed);
            }
        }
        if last {
            return seen;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn look(client: &Client, invariants: &[Invariant], seen: &mut Sightings) -> Result<(), tokio_postgres::Error> {
    for invariant in invariants {
        seen.violations.extend(violations_of(client, invariant).await?);
    }
    let settled = client
        .query(
            "select order_id, concat_ws(' ', user_id, product_id, status, failure_reason, settled_at)
             from flashsale.orders where status <> 'in_progress'",
            &[],
        )
        .await?;
    let now: HashMap<Uuid, String> = settled.into_iter().map(|row| (row.get(0), row.get(1))).collect();
    for (order_id, before) in &seen.settled {
        match now.get(order_id) {
            Some(after) if after == before => {}
            Some(after) => seen.violations.push(format!("3 a settled order changed: {before} became {after}")),
            None => seen.violations.push(format!("3 settled order {order_id} is gone or unsettled: it was {before}")),
        }
    }
    seen.settled = now;
    Ok(())
}
