//! What became of every request: counted by status and refusal code, with the distribution of latencies.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::answer;

/// Longest latency told apart, in microseconds; longer ones count as this.
const LATENCY_US_MAX: u64 = 120_000_000;

struct Count {
    status: u16,
    code: Box<[u8]>,
    count: u64,
}

/// The outcome of a load. Every request sent is in it once: as an answer or as an error.
pub struct Tally {
    counts: Vec<Count>,
    errors: BTreeMap<&'static str, u64>,
    /// Microseconds from when a request was due until its answer was whole; errors are not in it.
    pub latency_us: Histogram<u64>,
    pub sent: u64,
    pub started_at: Instant,
    pub elapsed: Duration,
}

impl Tally {
    pub fn start() -> anyhow::Result<Self> {
        Ok(Self {
            counts: Vec::new(),
            errors: BTreeMap::new(),
            latency_us: Histogram::new_with_bounds(1, LATENCY_US_MAX, 3)?,
            sent: 0,
            started_at: Instant::now(),
            elapsed: Duration::ZERO,
        })
    }

    pub fn answered(&mut self, status: u16, body: &[u8], latency: Duration) {
        let code = if status < 400 { None } else { answer::text_member(body, "\"code") }.unwrap_or_default();
        match self.counts.iter_mut().find(|known| known.status == status && *known.code == *code) {
            Some(known) => known.count += 1,
            None => self.counts.push(Count { status, code: code.into(), count: 1 }),
        }
        let latency_us = u64::try_from(latency.as_micros()).unwrap_or(LATENCY_US_MAX);
        self.latency_us.saturating_record(latency_us.max(1));
    }

    pub fn failed(&mut self, word: &'static str) {
        *self.errors.entry(word).or_default() += 1;
    }

    /// Answers with this status and refusal code; the code of an answer that is no refusal is empty.
    pub fn count(&self, status: u16, code: &str) -> u64 {
        let counts = self.counts.iter().filter(|known| known.status == status && *known.code == *code.as_bytes());
        counts.map(|known| known.count).sum()
    }

    pub fn answers(&self) -> u64 {
        self.counts.iter().map(|known| known.count).sum()
    }

    pub fn errors(&self) -> u64 {
        self.errors.values().sum()
    }

    pub fn answers_per_second(&self) -> f64 {
        self.answers() as f64 / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }

    pub fn latency_ms(&self, quantile: f64) -> f64 {
        self.latency_us.value_at_quantile(quantile) as f64 / 1000.0
    }

    /// One line: `19,998 × 200, 2 × 400 sold_out, 1 × connection_lost`.
    pub fn outcomes(&self) -> String {
        let mut counts: Vec<_> = self.counts.iter().collect();
        counts.sort_by_key(|known| (known.status, known.code.clone()));
        let answers = counts.into_iter().map(|known| {
            format!("{} × {} {}", known.count, known.status, String::from_utf8_lossy(&known.code)).trim_end().to_owned()
        });
        let errors = self.errors.iter().map(|(word, count)| format!("{count} × {word}"));
        answers.chain(errors).collect::<Vec<_>>().join(", ")
    }
}

impl Display for Tally {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let (seconds, rate) = (self.elapsed.as_secs_f64(), self.answers_per_second());
        writeln!(out, "requests   {} sent in {seconds:.2} s, {rate:.0} answers/s", self.sent)?;
        writeln!(out, "outcomes   {}", self.outcomes())?;
        let [p50, p90, p99, p999] = [0.5, 0.9, 0.99, 0.999].map(|quantile| self.latency_ms(quantile));
        let max = self.latency_us.max() as f64 / 1000.0;
        write!(out, "latency    p50 {p50:.2} ms, p90 {p90:.2}, p99 {p99:.2}, p99.9 {p999:.2}, max {max:.2} ms")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_status_and_code() {
        let mut tally = Tally::start().unwrap();
        for _ in 0..2 {
            tally.answered(400, br#"{"status":400,"code":"sold_out"}"#, Duration::from_millis(3));
        }
        tally.answered(200, br#"{"order_id":"x"}"#, Duration::from_millis(1));
        tally.failed("timed_out");
        assert_eq!((tally.count(400, "sold_out"), tally.count(200, ""), tally.errors()), (2, 1, 1));
        assert_eq!(tally.outcomes(), "1 × 200, 2 × 400 sold_out, 1 × timed_out");
    }
}
