//! Loops that never give up: how long they pause between tries, and how often they say why.

use std::time::{Duration, Instant};

use crate::db::DbError;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(1);

/// Twice as long after each failure in a row.
#[derive(Debug, Default)]
pub struct RetryPause(Option<Duration>);

impl RetryPause {
    /// Notes a failure; answers how long to pause before the next try.
    pub fn next(&mut self) -> Duration {
        let pause = self.0.map_or(FIRST, |last| (last * 2).min(LONGEST));
        self.0 = Some(pause);
        pause
    }

    /// Notes that it works.
    pub const fn reset(&mut self) {
        self.0 = None;
    }
}

/// What a loop says of its failures: an outage has been said already (`db::Outage`), anything else once a minute.
#[derive(Debug, Default)]
pub struct Complaint(Option<Instant>);

impl Complaint {
    const AGAIN: Duration = Duration::from_secs(60);

    /// Whether this failure is to be said.
    pub fn is_due(&mut self, error: &DbError) -> bool {
        let is_due = !error.is_outage() && self.0.is_none_or(|said| said.elapsed() >= Self::AGAIN);
        if is_due {
            self.0 = Some(Instant::now());
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::{Complaint, RetryPause};
    use crate::db::DbError;

    #[test]
    fn a_loop_complains_once_and_not_of_an_outage() {
        let mut complaint = Complaint::default();
        assert!(!complaint.is_due(&DbError::Lost("reset".into())));
        assert!(complaint.is_due(&DbError::Unexpected("no row")));
        assert!(!complaint.is_due(&DbError::Unexpected("no row")));
    }

    #[test]
    fn pauses_grow_to_a_second_and_begin_again() {
        let mut retry = RetryPause::default();
        let pauses: Vec<u128> = (0..7).map(|_| retry.next().as_millis()).collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1000, 1000]);
        retry.reset();
        assert_eq!(retry.next().as_millis(), 50);
    }
}
