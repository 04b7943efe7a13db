//! What a sweep is doing and how long it will take: a bar on a terminal, and a line for every point anywhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Steps of the bar; the work is counted in estimated seconds and mapped onto them.
const STEPS: u64 = 1000;
const REDRAW_INTERVAL: Duration = Duration::from_millis(500);

pub struct Progress {
    bar: ProgressBar,
    started_at: Instant,
    /// Estimated seconds of work, on a machine like that of the estimates.
    done: f64,
    total: f64,
}

impl Progress {
    pub fn start(total_seconds: f64) -> Self {
        let bar = ProgressBar::new(STEPS);
        let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {elapsed} {prefix}  {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(REDRAW_INTERVAL);
        let progress = Self { bar, started_at: Instant::now(), done: 0.0, total: total_seconds };
        progress.say(&format!("about {} of work, by estimate", minutes(total_seconds)));
        progress
    }

    /// Shows what is being done now.
    pub fn doing(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }

    /// Counts work as done.
    pub fn advance(&mut self, seconds: f64) {
        self.done += seconds;
        self.bar.set_position((self.done / self.total * STEPS as f64) as u64);
        self.bar.set_prefix(format!("about {} left", minutes(self.seconds_left())));
    }

    /// Prints a line with the share of the work that is done.
    pub fn report(&self, what: &str) {
        let percent = (self.done / self.total * 100.0).min(100.0);
        self.say(&format!("[{percent:>3.0} %, about {} left] {what}", minutes(self.seconds_left())));
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Prints a line without disturbing the bar.
    pub fn say(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }

    /// The estimate, corrected by how the work so far went against it.
    fn seconds_left(&self) -> f64 {
        let pace = if self.done > 0.0 { self.started_at.elapsed().as_secs_f64() / self.done } else { 1.0 };
        (self.total - self.done).max(0.0) * pace
    }
}

fn minutes(seconds: f64) -> String {
    if seconds < 90.0 { format!("{seconds:.0} s") } else { format!("{:.0} min", seconds / 60.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_follows_the_pace_so_far() {
        let mut progress = Progress::start(100.0);
        progress.advance(25.0);
        progress.started_at -= Duration::from_secs(50);
        let left = progress.seconds_left();
        assert!((149.0..152.0).contains(&left), "{left}");
        assert_eq!((minutes(61.0), minutes(150.0)), ("61 s".to_owned(), "2 min".to_owned()));
    }
}
