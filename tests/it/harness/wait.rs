//! Waiting for a condition with a deadline. Nothing in these tests sleeps and then hopes.

use std::fmt::Display;
use std::future::Future;
use std::time::{Duration, Instant};

const POLL_EVERY: Duration = Duration::from_millis(25);

/// Calls `probe` until it answers `Ok`, and returns that. Panics after `deadline` with what was waited for and the last
/// answer that was not it.
#[track_caller]
pub fn eventually<T, E, F, P>(what: &str, deadline: Duration, mut probe: P) -> impl Future<Output = T>
where
    E: Display,
    F: Future<Output = Result<T, E>>,
    P: FnMut() -> F,
{
    let caller = std::panic::Location::caller();
    async move {
        let started = Instant::now();
        loop {
            match probe().await {
                Ok(found) => return found,
                Err(last) if started.elapsed() > deadline => {
                    panic!("{caller}: not within {deadline:?}: {what}\n  last seen: {last}")
                }
                Err(_) => tokio::time::sleep(POLL_EVERY).await,
            }
        }
    }
}
