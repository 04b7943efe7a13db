//! An outage of the database, as its process speaks of it: said once when it begins, said again now and then while it
//! lasts, and once when it is over, however many requests and loops meet it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use metrics::{counter, gauge};

use super::DbError;

/// An outage that lasts is said again after this.
const REMIND: Duration = Duration::from_secs(60);

/// What the calls to a database say of it. Shared by everything in a process that calls it.
#[derive(Debug)]
pub struct Outage {
    ongoing: Mutex<Option<Ongoing>>,
    /// It is over when nothing has failed for this long.
    quiet: Duration,
}

#[derive(Debug)]
struct Ongoing {
    since: Instant,
    said: Instant,
    failures: u64,
    failed: Instant,
    /// The first call that worked after the last one that failed.
    works_since: Option<Instant>,
}

/// What is to be said.
#[derive(Debug, PartialEq, Eq)]
enum News {
    Began,
    Lasts { failures: u64, for_so_long: Duration },
    Over { failures: u64, lasted: Duration },
}

impl Outage {
    /// For calls that take at most `call_max`: where some fail at once and others only when their time is up, it is one
    /// outage and not many.
    pub fn new(call_max: Duration) -> Self {
        Self { ongoing: Mutex::default(), quiet: call_max + Duration::from_secs(2) }
    }

    /// Notes that a call failed because the database cannot be used.
    pub fn failed(&self, error: &DbError) {
        match self.note_failure(Instant::now()) {
            Some(News::Began) => {
                counter!("flashsale_database_outages_total").increment(1);
                gauge!("flashsale_database_outage").set(1.0);
                tracing::warn!(%error, "the database cannot be used: trying again until it can");
            }
            Some(News::Lasts { failures, for_so_long }) => {
                let seconds = for_so_long.as_secs();
                tracing::warn!(%error, failures, seconds, "the database still cannot be used");
            }
            Some(News::Over { .. }) | None => {}
        }
    }

    /// Notes that a call worked.
    pub fn worked(&self) {
        if let Some(News::Over { failures, lasted }) = self.note_success(Instant::now()) {
            gauge!("flashsale_database_outage").set(0.0);
            tracing::info!(failures, outage_ms = lasted.as_millis(), "the database can be used again");
        }
    }

    /// Whether the database cannot be used.
    pub fn is_ongoing(&self) -> bool {
        self.ongoing.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn note_failure(&self, now: Instant) -> Option<News> {
        let mut state = self.ongoing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(ongoing) = state.as_mut() else {
            *state = Some(Ongoing { since: now, said: now, failures: 1, failed: now, works_since: None });
            return Some(News::Began);
        };
        ongoing.failures += 1;
        ongoing.failed = now;
        ongoing.works_since = None;
        if now.duration_since(ongoing.said) < REMIND {
            return None;
        }
        ongoing.said = now;
        Some(News::Lasts { failures: ongoing.failures, for_so_long: now.duration_since(ongoing.since) })
    }

    fn note_success(&self, now: Instant) -> Option<News> {
        let mut state = self.ongoing.lock().unwrap_or_else(PoisonError::into_inner);
        let ongoing = state.as_mut()?;
        let works_since = *ongoing.works_since.get_or_insert(now);
        if now.duration_since(ongoing.failed) < self.quiet {
            return None;
        }
        let over = News::Over { failures: ongoing.failures, lasted: works_since.duration_since(ongoing.since) };
        *state = None;
        Some(over)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{News, Outage, REMIND};

    const S: Duration = Duration::from_secs(1);

    fn outage() -> Outage {
        Outage::new(3 * S)
    }

    #[test]
    fn a_thousand_failures_are_one_outage() {
        let (outage, start) = (outage(), Instant::now());
        assert_eq!(outage.note_success(start), None, "there is none");
        assert_eq!(outage.note_failure(start), Some(News::Began));
        for _ in 1..1000 {
            assert_eq!(outage.note_failure(start + S), None);
        }
        assert_eq!(outage.note_success(start + 3 * S), None, "it may only look so");
        let over = News::Over { failures: 1000, lasted: 3 * S };
        assert_eq!(outage.note_success(start + 6 * S), Some(over), "it lasted until the first call that worked");
        assert_eq!(outage.note_success(start + 10 * S), None);
        assert_eq!(outage.note_failure(start + 11 * S), Some(News::Began), "the next one is said again");
    }

    #[test]
    fn an_outage_that_comes_and_goes_is_said_once() {
        let (outage, start) = (outage(), Instant::now());
        assert_eq!(outage.note_failure(start), Some(News::Began));
        for second in 1..20 {
            assert_eq!(outage.note_success(start + second * S), None);
            assert_eq!(outage.note_failure(start + second * S), None);
        }
    }

    #[test]
    fn an_outage_that_lasts_is_said_again_once_a_minute() {
        let (outage, start) = (outage(), Instant::now());
        outage.note_failure(start);
        let lasts = News::Lasts { failures: 2, for_so_long: REMIND };
        assert_eq!(outage.note_failure(start + REMIND), Some(lasts));
        assert_eq!(outage.note_failure(start + REMIND + S), None);
    }
}
