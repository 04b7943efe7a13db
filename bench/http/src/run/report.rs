//! The figures as a table for people and as JSON for programs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use chrono::{SecondsFormat, Utc};
use serde_json::json;

use super::cpu::Spent;
use super::findings::Findings;
use super::machine::Machine;
use super::ratio::{Direction, Ratio, Side, spread};
use super::settings::Settings;

pub fn print(settings: &Settings, findings: &Findings, took: Duration) {
    println!("\n{:<30} {:>7}  {:>7}  {:<5}  {:<15}  figures", "ratio", "value", "bound", "holds", "rounds");
    for ratio in &findings.ratios {
        println!("{}", line(ratio));
    }
    if !findings.figures.is_empty() {
        println!("\nbesides");
    }
    for side in &findings.figures {
        println!("{}: {} {}", side.what, figure(side), side.unit);
    }
    print_cpu(&cpu_medians(&findings.cpu_seconds));
    let books = if findings.wrong.is_empty() { "balanced" } else { "DO NOT BALANCE" };
    let (rounds, seconds) = (settings.rounds, took.as_secs());
    println!("\nbooks: {books} ({} audits) · {rounds} rounds · took {seconds} s", findings.audits);
    for sentence in &findings.wrong {
        println!("  {sentence}");
    }
}

/// What a person compares processor time of, and whether its processes work on the same requests. The JSON has the rest.
const SHOWN_CPU: [(&str, bool); 4] = [("refuse", false), ("look", false), ("buy", true), ("pgbench", true)];

fn print_cpu(medians: &[CpuMedian]) {
    if !medians.iter().any(|median| SHOWN_CPU.iter().any(|(shown, _)| median.measurement == *shown)) {
        return;
    }
    println!("\n{:<10} {:<16} {:>12} {:>16}", "cpu of", "process", "cores busy", "µs per request");
    for (shown, together) in SHOWN_CPU {
        let of_this: Vec<_> = medians.iter().filter(|median| median.measurement == shown).collect();
        for CpuMedian { process, cores_busy, us_per_request, .. } in &of_this {
            println!("{shown:<10} {process:<16} {cores_busy:>12.2} {us_per_request:>16.1}");
        }
        if together && !of_this.is_empty() {
            let total: f64 = of_this.iter().map(|median| median.us_per_request).sum();
            println!("{shown:<10} {:<16} {:>12} {total:>16.1}", "in all", "");
        }
    }
}

fn line(ratio: &Ratio) -> String {
    let sign = if ratio.direction == Direction::AtLeast { "≥" } else { "≤" };
    let bound = format!("{sign} {}", ratio.bound);
    let holds = if ratio.holds { "yes" } else { "NO" };
    let rounds = format!("{:.2}–{:.2}", ratio.min, ratio.max);
    let figures = format!("{} ÷ {} {}", figure(&ratio.numerator), figure(&ratio.denominator), ratio.numerator.unit);
    format!("{:<30} {:>7.2}  {bound:>7}  {holds:<5}  {rounds:<15}  {figures}", ratio.name, ratio.value)
}

fn figure(side: &Side) -> String {
    let decimals = if side.median < 10.0 { 3 } else { 1 };
    format!("{:.decimals$} ({:.decimals$}–{:.decimals$})", side.median, side.min, side.max)
}

/// What one process spent in one measurement: medians over the rounds.
struct CpuMedian {
    measurement: &'static str,
    process: &'static str,
    cores_busy: f64,
    us_per_request: f64,
}

/// Each process of a measurement, those of one measurement together.
fn cpu_medians(spent: &[Spent]) -> Vec<CpuMedian> {
    let mut measurements: Vec<_> = spent.iter().map(|one| one.measurement).collect();
    keep_first(&mut measurements);
    let mut pairs = Vec::new();
    for measurement in measurements {
        pairs.extend(spent.iter().filter(|one| one.measurement == measurement).map(|one| (measurement, one.process)));
    }
    keep_first(&mut pairs);
    let median = |figures: Vec<f64>| spread(&figures).1;
    let medians = pairs.into_iter().map(|(measurement, process)| {
        let rounds: Vec<_> =
            spent.iter().filter(|one| (one.measurement, one.process) == (measurement, process)).collect();
        let cores = rounds.iter().map(|one| one.cpu_seconds / one.of_seconds).collect();
        let us = rounds.iter().map(|one| one.cpu_seconds * 1e6 / one.requests.max(1) as f64).collect();
        CpuMedian { measurement, process, cores_busy: median(cores), us_per_request: median(us) }
    });
    medians.collect()
}

/// Removes all but the first of equals, wherever they are.
fn keep_first<T: PartialEq + Copy>(items: &mut Vec<T>) {
    let mut seen = Vec::new();
    items.retain(|item| {
        let is_new = !seen.contains(item);
        seen.push(*item);
        is_new
    });
}

pub fn write(
    path: &Path,
    settings: &Settings,
    machine: &Machine,
    findings: &Findings,
    took: Duration,
) -> anyhow::Result<()> {
    let cpu = cpu_medians(&findings.cpu_seconds).into_iter().map(|median| {
        json!({
            "measurement": median.measurement, "process": median.process, "cores_busy": median.cores_busy,
            "cpu_us_per_request": median.us_per_request,
            "cpu_seconds_per_1000_requests": median.us_per_request / 1000.0,
        })
    });
    let report = json!({
        "generated_at": Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
        "commit": machine.commit,
        "took_seconds": took.as_secs(),
        "hardware": machine.hardware,
        "versions": machine.versions,
        "settings": settings,
        "books": {
            "balanced": findings.wrong.is_empty(), "audits": findings.audits, "violations": findings.wrong
        },
        "ratios": findings.ratios,
        "figures": findings.figures,
        "cpu": cpu.collect::<Vec<_>>(),
    });
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    fs::write(path, format!("{report:#}\n")).with_context(|| format!("cannot write {}", path.display()))?;
    println!("written to {}", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_of_one_measurement_stand_together_with_their_medians() {
        let spent = |measurement, process, cpu_seconds| Spent {
            measurement,
            process,
            cpu_seconds,
            of_seconds: 2.0,
            requests: 1000,
        };
        let medians = cpu_medians(&[
            spent("buy", "api", 1.0),
            spent("look", "api", 4.0),
            spent("buy", "worker", 0.5),
            spent("buy", "api", 3.0),
        ]);
        let shown: Vec<_> = medians.iter().map(|one| (one.measurement, one.process, one.us_per_request)).collect();
        assert_eq!(shown, [("buy", "api", 2000.0), ("buy", "worker", 500.0), ("look", "api", 4000.0)]);
        assert!((medians[0].cores_busy - 1.0).abs() < 1e-9);
    }
}
