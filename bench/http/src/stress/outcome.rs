//! What a load has come to: the figures of every part, how good the generator was, and the verdict; and all of it as JSON.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::ledger::Told;
use super::settings::Settings;
use super::verdict::Verdict;
use super::watch::StreamsSeen;
use crate::client::Tally;

/// Beyond these the generator was the bottleneck as much as the server: a 99th percentile of its own lateness, and a share
/// of the one core that it can use.
const LATE_MAX: Duration = Duration::from_millis(5);
const BUSY_MAX: f64 = 0.9;

/// Everything there is to say.
pub struct Outcome {
    pub settings: Settings,
    pub base_urls: Vec<String>,
    /// By name of the part.
    pub parts: Vec<(&'static str, Tally)>,
    pub generator: Generator,
    pub known_us: Histogram<u64>,
    /// What users were told, in all.
    pub told: Told,
    pub streams: Option<StreamsSeen>,
    /// Milliseconds after the sales opened, where a crowd came then.
    pub last_unit_ms: Option<f64>,
    pub everybody_knew_ms: Option<f64>,
    pub streams_showed_ms: Option<f64>,
    pub ended_early: bool,
    pub broken_off: Option<String>,
    /// What users were told, when there are sales; the error when the books could not be read.
    pub verdict: Option<Result<Verdict, String>>,
}

/// How good the generator was.
#[derive(Clone, Debug)]
pub struct Generator {
    /// Microseconds by which it was late in sending although a connection was free.
    pub late_us: Histogram<u64>,
    /// Microseconds that requests waited for a free connection.
    pub waited_us: Histogram<u64>,
    pub never_sent: u64,
    /// Share of a core.
    pub busy: f64,
}

impl Generator {
    pub fn of(parts: &[(&'static str, Tally)], busy: f64) -> anyhow::Result<Self> {
        let all = Tally::sum(parts.iter().map(|(_, tally)| tally))?;
        Ok(Self { late_us: all.late_us, waited_us: all.waited_us, never_sent: all.never_sent, busy })
    }

    /// Why its figures should not be believed, if they should not.
    pub fn warning(&self) -> Option<String> {
        let late = Duration::from_micros(self.late_us.value_at_quantile(0.99));
        let late = (late > LATE_MAX).then(|| format!("late by {:.1} ms (p99)", late.as_secs_f64() * 1000.0));
        let busy = (self.busy > BUSY_MAX).then(|| format!("busy for {:.0} % of its one core", self.busy * 100.0));
        let why: Vec<_> = [late, busy].into_iter().flatten().collect();
        (!why.is_empty()).then(|| format!("the generator was a bottleneck: {}", why.join(", ")))
    }
}

impl Outcome {
    pub fn is_good(&self) -> bool {
        let balances = self.verdict.as_ref().is_none_or(|verdict| verdict.as_ref().is_ok_and(Verdict::balances));
        balances && self.broken_off.is_none()
    }

    pub fn to_json(&self) -> Value {
        let parts: Vec<_> = self.parts.iter().map(|(name, tally)| part_to_json(name, tally)).collect();
        json!({
            "base_urls": self.base_urls,
            "settings": self.settings,
            "parts": parts,
            "generator": {
                "late_us": histogram_to_json(&self.generator.late_us),
                "waited_for_a_connection_us": histogram_to_json(&self.generator.waited_us),
                "never_sent": self.generator.never_sent,
                "busy": self.generator.busy,
                "warning": self.generator.warning(),
            },
            "users": self.told,
            "outcome_known_us": histogram_to_json(&self.known_us),
            "streams": self.streams.as_ref().map(|streams| json!({
                "events": streams.events,
                "change_seen_us": histogram_to_json(&streams.change_us),
                "showed_sold_out": streams.sold_out,
            })),
            "after_opening_ms": {
                "last_unit_sold": self.last_unit_ms,
                "everybody_knew": self.everybody_knew_ms,
                "every_stream_showed_it": self.streams_showed_ms,
            },
            "ended_early": self.ended_early,
            "broken_off": self.broken_off,
            "verdict": self.verdict.as_ref().map(|verdict| match verdict {
                Ok(verdict) => json!({ "balances": verdict.balances(), "books": verdict }),
                Err(why) => json!({ "balances": null, "unread": why }),
            }),
        })
    }
}

fn part_to_json(name: &str, tally: &Tally) -> Value {
    let outcomes: serde_json::Map<_, _> =
        tally.by_outcome().into_iter().map(|(outcome, count)| (outcome, json!(count))).collect();
    json!({
        "name": name,
        "sent": tally.sent,
        "never_sent": tally.never_sent,
        "answers": tally.answers(),
        "errors": tally.errors(),
        "seconds": tally.elapsed.as_secs_f64(),
        "outcomes": outcomes,
        "latency_us": histogram_to_json(&tally.latency_us),
    })
}

/// The usual percentiles, and every bucket with something in it: `[microseconds, count]`.
fn histogram_to_json(histogram: &Histogram<u64>) -> Value {
    let buckets: Vec<_> =
        histogram.iter_recorded().map(|step| [step.value_iterated_to(), step.count_at_value()]).collect();
    let quantile = |quantile: f64| histogram.value_at_quantile(quantile);
    json!({
        "count": histogram.len(),
        "p50": quantile(0.5), "p90": quantile(0.9), "p99": quantile(0.99), "p999": quantile(0.999),
        "max": histogram.max(), "mean": histogram.mean(),
        "buckets": buckets,
    })
}
