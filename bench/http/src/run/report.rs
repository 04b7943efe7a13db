//! The figures as a table for people and as JSON for programs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use chrono::{SecondsFormat, Utc};
use serde_json::json;

use super::cpu::Spent;
use super::machine::Machine;
use super::ratio::{Direction, Ratio, Side, spread};
use super::{Findings, Settings};

pub fn print(settings: &Settings, findings: &Findings, took: Duration) {
    println!("\n{:<26} {:>7}  {:>7}  {:<5}  {:<15}  figures", "ratio", "value", "bound", "holds", "rounds");
    for ratio in &findings.ratios {
        println!("{}", line(ratio));
    }
    println!("\n{:<10} {:<16} {:>12} {:>16}", "cpu of", "process", "cores busy", "µs per request");
    for (measurement, process, cores, us_per_request) in cpu_medians(&findings.cpu_seconds) {
        println!("{measurement:<10} {process:<16} {cores:>12.2} {us_per_request:>16.1}");
    }
    for measurement in ["buy", "pgbench"] {
        let medians = cpu_medians(&findings.cpu_seconds);
        let total: f64 = medians.iter().filter(|median| median.0 == measurement).map(|median| median.3).sum();
        if total > 0.0 {
            println!("{measurement:<10} {:<16} {:>12} {total:>16.1}", "in all", "");
        }
    }
    let books = if findings.wrong.is_empty() { "balanced" } else { "DO NOT BALANCE" };
    let (rounds, load, seconds) = (settings.rounds, settings.load, took.as_secs());
    println!("\nbooks: {books} ({} audits) · {rounds} rounds · {load} · took {seconds} s", findings.audits);
    for sentence in &findings.wrong {
        println!("  {sentence}");
    }
}

fn line(ratio: &Ratio) -> String {
    let sign = if ratio.direction == Direction::AtLeast { "≥" } else { "≤" };
    let bound = format!("{sign} {}", ratio.bound);
    let holds = if ratio.holds { "yes" } else { "NO" };
    let rounds = format!("{:.2}–{:.2}", ratio.min, ratio.max);
    let figure = |side: &Side| format!("{:.1} ({:.1}–{:.1})", side.median, side.min, side.max);
    let figures = format!("{} ÷ {} {}", figure(&ratio.numerator), figure(&ratio.denominator), ratio.numerator.unit);
    format!("{:<26} {:>7.2}  {bound:>7}  {holds:<5}  {rounds:<15}  {figures}", ratio.name, ratio.value)
}

/// For each process in each measurement the medians over the rounds: cores busy and microseconds per request.
fn cpu_medians(spent: &[Spent]) -> Vec<(&'static str, &'static str, f64, f64)> {
    let mut pairs: Vec<_> = spent.iter().map(|one| (one.measurement, one.process)).collect();
    let mut seen = Vec::new();
    pairs.retain(|pair| {
        let new = !seen.contains(pair);
        seen.push(*pair);
        new
    });
    let median = |figures: Vec<f64>| spread(&figures).1;
    let medians = pairs.into_iter().map(|(measurement, process)| {
        let rounds: Vec<_> =
            spent.iter().filter(|one| (one.measurement, one.process) == (measurement, process)).collect();
        let cores = rounds.iter().map(|one| one.cpu_seconds / one.of_seconds).collect();
        let us_per_request = rounds.iter().map(|one| one.cpu_seconds * 1e6 / one.requests.max(1) as f64).collect();
        (measurement, process, median(cores), median(us_per_request))
    });
    medians.collect()
}

pub fn write(
    path: &Path,
    settings: &Settings,
    machine: &Machine,
    findings: &Findings,
    took: Duration,
) -> anyhow::Result<()> {
    let cpu = cpu_medians(&findings.cpu_seconds).into_iter().map(|(measurement, process, cores, us_per_request)| {
        json!({
            "measurement": measurement, "process": process,
            "cores_busy": cores, "cpu_us_per_request": us_per_request
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
        "cpu": cpu.collect::<Vec<_>>(),
    });
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    fs::write(path, format!("{report:#}\n")).with_context(|| format!("cannot write {}", path.display()))?;
    println!("written to {}", path.display());
    Ok(())
}
