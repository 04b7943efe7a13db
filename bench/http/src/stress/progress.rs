//! How a load is doing, once a second, for whoever shows it.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use super::ledger::Told;
use super::scenario::{Asks, Plan};
use super::stage::Route;
use crate::client::{Go, Lane, Tally};

/// How a load is told to stop early: once to finish what was begun, twice to leave it.
#[derive(Default)]
pub struct Stop(AtomicU8);

impl Stop {
    pub fn press(&self) {
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |pressed| pressed.checked_add(1));
    }

    pub fn go(&self) -> Go {
        match self.0.load(Ordering::Relaxed) {
            0 => Go::On,
            1 => Go::Finish,
            _ => Go::Away,
        }
    }
}

/// A load at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Since the load's start; nothing before it.
    pub elapsed: Duration,
    /// Until it starts.
    pub starts_in: Duration,
    /// Until the last request falls due.
    pub left: Duration,
    pub stopping: bool,
    pub parts: Vec<PartNow>,
    pub told: Told,
    pub units: u64,
    pub units_left: u64,
    /// 99th percentile of how late the generator was in sending, this second, in milliseconds.
    pub generator_late_ms: f64,
    /// Share of a core that the generator took this second.
    pub generator_busy: f64,
}

#[derive(Clone, Debug)]
pub struct PartNow {
    pub name: &'static str,
    pub is_running: bool,
    /// Its connections are event streams.
    pub holds: bool,
    pub sent: u64,
    pub answers: u64,
    pub errors: u64,
    pub sent_this_second: u64,
    pub answers_this_second: u64,
    pub in_flight: u64,
    pub overdue: u64,
    pub outcomes: Vec<(String, u64)>,
    /// Milliseconds.
    pub this_second: Latency,
    pub since_start: Latency,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Latency {
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

impl Latency {
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let ms = |us: u64| us as f64 / 1000.0;
        Self {
            p50_ms: ms(histogram.value_at_quantile(0.5)),
            p99_ms: ms(histogram.value_at_quantile(0.99)),
            max_ms: ms(histogram.max()),
        }
    }
}

/// What is counted within the current second.
pub struct Meter {
    seconds: Vec<Histogram<u64>>,
    late_us: Histogram<u64>,
    before: Vec<(u64, u64)>,
    busy_before: Duration,
    measured_at: Instant,
}

impl Meter {
    pub fn new(parts: usize) -> anyhow::Result<Self> {
        let histogram = Histogram::new_with_bounds(1, 120_000_000, 2)?;
        Ok(Self {
            seconds: vec![histogram.clone(); parts],
            late_us: Histogram::new_with_bounds(1, 120_000_000, 3)?,
            before: vec![(0, 0); parts],
            busy_before: Duration::ZERO,
            measured_at: Instant::now(),
        })
    }

    pub fn record(&mut self, part: usize, latency: Duration) {
        let latency_us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.seconds[part].saturating_record(latency_us.max(1));
    }

    /// Every part as it is now; begins the next second.
    pub fn parts(
        &mut self,
        plan: &Plan,
        routes: &[Route],
        lanes: &[Lane<'_>],
        now: Instant,
    ) -> anyhow::Result<Vec<PartNow>> {
        let mut parts = Vec::with_capacity(plan.parts.len());
        for (number, part) in plan.parts.iter().enumerate() {
            let of_this_part =
                || lanes.iter().zip(routes).filter(|(_, route)| route.part == number).map(|(lane, _)| lane);
            let whole = Tally::sum(of_this_part().map(|lane| &lane.tally))?;
            let in_flight: u64 = of_this_part().map(Lane::in_flight).sum();
            let overdue: u64 = of_this_part().map(|lane| lane.overdue(now)).sum();
            let before = std::mem::replace(&mut self.before[number], (whole.sent, whole.answers()));
            parts.push(PartNow {
                name: part.name,
                holds: part.asks == Asks::Stream,
                is_running: in_flight + overdue > 0 || whole.sent > before.0,
                sent: whole.sent,
                answers: whole.answers(),
                errors: whole.errors(),
                sent_this_second: whole.sent - before.0,
                answers_this_second: whole.answers() - before.1,
                in_flight,
                overdue,
                outcomes: whole.by_outcome(),
                this_second: Latency::of(&self.seconds[number]),
                since_start: Latency::of(&whole.latency_us),
            });
            self.seconds[number].reset();
        }
        Ok(parts)
    }

    /// How late the generator was at the 99th percentile since it was last asked, in milliseconds, and what share of a
    /// core it took. To be asked by the generator's own thread.
    pub fn generator(&mut self, lanes: &[Lane<'_>], now: Instant) -> anyhow::Result<(f64, f64)> {
        let mut late_us = Histogram::<u64>::new_with_bounds(1, 120_000_000, 3)?;
        for lane in lanes {
            late_us.add(&lane.tally.late_us)?;
        }
        let mut this_second = late_us.clone();
        this_second.subtract(&self.late_us)?;
        self.late_us = late_us;
        let busy = busy_time()?;
        let share = busy.saturating_sub(self.busy_before).as_secs_f64()
            / now.saturating_duration_since(self.measured_at).as_secs_f64().max(f64::EPSILON);
        (self.busy_before, self.measured_at) = (busy, now);
        Ok((this_second.value_at_quantile(0.99) as f64 / 1000.0, share))
    }
}

/// Processor time of this thread.
pub fn busy_time() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_THREAD)?;
    let us = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(u64::try_from(us)?))
}
