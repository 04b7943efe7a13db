//! What became of every request: counted by status and refusal code, with the distribution of latencies.

use std::collections::BTreeMap;
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

/// The outcome of a load, or of one flow of it. Every request sent is in it once: as an answer or as an error.
pub struct Tally {
    counts: Vec<Count>,
    errors: BTreeMap<&'static str, u64>,
    /// Microseconds from when a request was due until its answer was whole; errors are not in it.
    pub latency_us: Histogram<u64>,
    /// Microseconds by which the generator itself was late in sending what was due although a connection was free.
    pub late_us: Histogram<u64>,
    /// Microseconds that requests waited for a free connection, which is a matter of the server.
    pub waited_us: Histogram<u64>,
    pub sent: u64,
    /// Requests that were due and not sent when the load ended.
    pub never_sent: u64,
    pub started_at: Instant,
    pub last_ended_at: Instant,
    pub elapsed: Duration,
}

impl Tally {
    pub fn start() -> anyhow::Result<Self> {
        let histogram = || Histogram::new_with_bounds(1, LATENCY_US_MAX, 3);
        let now = Instant::now();
        Ok(Self {
            counts: Vec::new(),
            errors: BTreeMap::new(),
            latency_us: histogram()?,
            late_us: histogram()?,
            waited_us: histogram()?,
            sent: 0,
            never_sent: 0,
            started_at: now,
            last_ended_at: now,
            elapsed: Duration::ZERO,
        })
    }

    /// All of them as one, from the start of the first to the end of the last.
    pub fn sum<'a>(tallies: impl IntoIterator<Item = &'a Self>) -> anyhow::Result<Self> {
        let mut sum: Option<Self> = None;
        for tally in tallies {
            let mut whole = match sum.take() {
                Some(whole) => whole,
                None => Self { started_at: tally.started_at, last_ended_at: tally.last_ended_at, ..Self::start()? },
            };
            whole.add(tally)?;
            sum = Some(whole);
        }
        sum.map_or_else(Self::start, Ok)
    }

    pub fn answered(&mut self, status: u16, body: &[u8], latency: Duration, now: Instant) {
        let code = if status < 400 { None } else { answer::text_member(body, "\"code") }.unwrap_or_default();
        self.count_up(status, code, 1);
        self.latency_us.saturating_record(microseconds(latency));
        self.last_ended_at = now;
    }

    fn count_up(&mut self, status: u16, code: &[u8], count: u64) {
        match self.counts.iter_mut().find(|known| known.status == status && *known.code == *code) {
            Some(known) => known.count += count,
            None => self.counts.push(Count { status, code: code.into(), count }),
        }
    }

    pub fn failed(&mut self, word: &'static str) {
        *self.errors.entry(word).or_default() += 1;
        self.last_ended_at = Instant::now();
    }

    /// Notes that a request was sent late, by so much for want of a connection and by so much of the generator's doing.
    pub fn sent_late(&mut self, waited: Duration, late: Duration) {
        self.waited_us.saturating_record(microseconds(waited));
        self.late_us.saturating_record(microseconds(late));
    }

    fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        for known in &other.counts {
            self.count_up(known.status, &known.code, known.count);
        }
        for (word, count) in &other.errors {
            *self.errors.entry(word).or_default() += count;
        }
        self.latency_us.add(&other.latency_us)?;
        self.late_us.add(&other.late_us)?;
        self.waited_us.add(&other.waited_us)?;
        self.sent += other.sent;
        self.never_sent += other.never_sent;
        self.started_at = self.started_at.min(other.started_at);
        self.last_ended_at = self.last_ended_at.max(other.last_ended_at);
        self.elapsed = self.last_ended_at.saturating_duration_since(self.started_at);
        Ok(())
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

    /// What became of the requests and how often: `200`, `400 sold_out`, `timed_out`; answers first.
    pub fn by_outcome(&self) -> Vec<(String, u64)> {
        let mut counts: Vec<_> = self.counts.iter().collect();
        counts.sort_by_key(|known| (known.status, known.code.clone()));
        let answers = counts.into_iter().map(|known| {
            let outcome = format!("{} {}", known.status, String::from_utf8_lossy(&known.code));
            (outcome.trim_end().to_owned(), known.count)
        });
        let errors = self.errors.iter().map(|(word, count)| ((*word).to_owned(), *count));
        answers.chain(errors).collect()
    }

    /// One line: `19998 × 200, 2 × 400 sold_out, 1 × connection_lost`.
    pub fn outcomes(&self) -> String {
        let outcomes = self.by_outcome().into_iter().map(|(outcome, count)| format!("{count} × {outcome}"));
        outcomes.collect::<Vec<_>>().join(", ")
    }
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(LATENCY_US_MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_status_and_code() {
        let mut tally = Tally::start().unwrap();
        for _ in 0..2 {
            tally.answered(400, br#"{"status":400,"code":"sold_out"}"#, Duration::from_millis(3), Instant::now());
        }
        tally.answered(200, br#"{"order_id":"x"}"#, Duration::from_millis(1), Instant::now());
        tally.failed("timed_out");
        assert_eq!((tally.count(400, "sold_out"), tally.count(200, ""), tally.errors()), (2, 1, 1));
        assert_eq!(tally.outcomes(), "1 × 200, 2 × 400 sold_out, 1 × timed_out");
    }
}
