//! Pauses between tries, for loops that never give up.

use std::time::Duration;

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

#[cfg(test)]
mod tests {
    use super::RetryPause;

    #[test]
    fn pauses_grow_to_a_second_and_begin_again() {
        let mut retry = RetryPause::default();
        let pauses: Vec<u128> = (0..7).map(|_| retry.next().as_millis()).collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1000, 1000]);
        retry.reset();
        assert_eq!(retry.next().as_millis(), 50);
    }
}
