//! What a campaign found: a table for who ran it, and bench/results/faults.json for docs/RELIABILITY.md.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use crate::catalogue::FAULTS;
use crate::checker::Verdict;
use crate::run::Outcome;

pub fn print_table(outcomes: &[Outcome]) {
    println!(
        "\n{:<22} {:>4} {:>10} {:>7} {:>8} {:>9} {:>10} {:>6} {:>9} {:>8} {:>7} {:>9} {:>12} {:>8}",
        "fault",
        "runs",
        "operations",
        "unknown",
        "lost 200",
        "oversells",
        "duplicates",
        "unsold",
        "overtaken",
        "strikes",
        "missed",
        "log lines",
        "recovery p50",
        "max ms"
    );
    for (name, runs) in by_fault(outcomes) {
        let ran: Vec<&Outcome> = runs.into_iter().filter(|run| run.skipped.is_none()).collect();
        if ran.is_empty() {
            println!("{name:<22} skipped");
            continue;
        }
        let figures = figures(&ran);
        let number = |name: &str| figures[name].to_string();
        let ms = |name: &str| figures["recovery_ms"][name].as_u64().map_or_else(|| "-".to_owned(), |ms| ms.to_string());
        println!(
            "{name:<22} {:>4} {:>10} {:>7} {:>8} {:>9} {:>10} {:>6} {:>9} {:>8} {:>7} {:>9} {:>12} {:>8}",
            ran.len(),
            number("operations"),
            number("unknown"),
            number("lost_acknowledgements"),
            number("oversells"),
            number("duplicates"),
            number("unsold_units"),
            number("overtaken_pairs"),
            number("strikes"),
            number("missed_strikes"),
            number("log_lines_max"),
            ms("p50"),
            ms("max"),
        );
    }
}

/// Whole campaigns are published; what was found by one fault alone is kept beside its runs.
pub fn write_results(outcomes: &[Outcome], is_whole: bool) {
    let violations: Vec<Value> = outcomes
        .iter()
        .filter(|outcome| outcome.has_failed())
        .map(|run| json!({ "fault": run.fault, "seed": run.seed, "violations": run.verdict.violations }))
        .collect();
    let faults: BTreeMap<&str, Value> =
        by_fault(outcomes).into_iter().map(|(name, runs)| (name, figures(&runs))).collect();
    let all: Vec<&Outcome> = outcomes.iter().collect();
    let results = json!({
        "violations": violations, "totals": figures(&all), "faults": faults, "finished_at": chrono::Utc::now(),
    });
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(if is_whole { "bench/results" } else { "target/faults" });
    std::fs::create_dir_all(&folder).expect("create the folder of the results");
    let path = folder.join("faults.json");
    std::fs::write(&path, serde_json::to_vec_pretty(&results).expect("the results as JSON"))
        .expect("write the results");
    println!("\nwritten: {}", path.display());
}

fn by_fault(outcomes: &[Outcome]) -> Vec<(&'static str, Vec<&Outcome>)> {
    let of = |name: &str| outcomes.iter().filter(|outcome| outcome.fault == name).collect::<Vec<_>>();
    FAULTS.iter().map(|fault| (fault.name, of(fault.name))).filter(|(_, runs)| !runs.is_empty()).collect()
}

/// Sums over some runs, of one fault or of all; what was measured by a strike is the largest of each.
fn figures(runs: &[&Outcome]) -> Value {
    let ran: Vec<&&Outcome> = runs.iter().filter(|run| run.skipped.is_none()).collect();
    let total = |figure: fn(&Verdict) -> usize| ran.iter().map(|run| figure(&run.verdict)).sum::<usize>();
    let (ordered, overtaken) = (total(|verdict| verdict.ordered_pairs), total(|verdict| verdict.overtaken_pairs));
    let mut measured: BTreeMap<&str, i64> = BTreeMap::new();
    for (name, value) in ran.iter().flat_map(|run| &run.verdict.figures) {
        let known = measured.entry(name).or_insert(*value);
        *known = (*known).max(*value);
    }
    let skipped: BTreeSet<&str> = runs.iter().filter_map(|run| run.skipped.as_deref()).collect();
    let (median, max) = recovery(&ran);
    json!({
        "runs": ran.len(),
        "seeds": ran.iter().map(|run| run.seed).collect::<BTreeSet<_>>(),
        "violated_runs": ran.iter().filter(|run| run.has_failed()).count(),
        "skipped_runs": runs.len() - ran.len(),
        "skipped_because": skipped,
        "operations": total(|verdict| verdict.operations),
        "acknowledged": total(|verdict| verdict.acknowledged),
        "refused": total(|verdict| verdict.refused),
        "unknown": total(|verdict| verdict.unknown),
        "lost_acknowledgements": total(|verdict| verdict.lost_acknowledgements),
        "oversells": total(|verdict| verdict.oversells),
        "duplicates": total(|verdict| verdict.duplicates),
        "unsold_units": ran.iter().map(|run| run.verdict.unsold_units).sum::<i64>(),
        "ordered_pairs": ordered,
        "overtaken_pairs": overtaken,
        "overtaken_share": if ordered == 0 { 0.0 } else { overtaken as f64 / ordered as f64 },
        "largest_displacement": ran.iter().map(|run| run.verdict.largest_displacement).max().unwrap_or(0),
        "strikes": total(|verdict| verdict.strikes),
        "missed_strikes": total(|verdict| verdict.missed),
        "log_lines_max": ran.iter().map(|run| run.log_lines_max).max().unwrap_or(0),
        "recovery_ms": { "p50": median, "max": max },
        "measured": measured,
    })
}

/// Median and maximum.
fn recovery(runs: &[&&Outcome]) -> (Option<u64>, Option<u64>) {
    let mut times: Vec<u64> = runs.iter().filter_map(|run| run.recovery_ms).collect();
    times.sort_unstable();
    (times.get(times.len() / 2).copied(), times.last().copied())
}
