//! What was explored and found, for people and as JSON.

use serde_json::{Value, json};

use crate::explore::{Catch, Exploration, Kind, Verdict};
use crate::model::Purchases;
use crate::scenario::Scenario;
use crate::words;

pub fn print_exploration(exploration: &Exploration) {
    println!("{}", bounds(&exploration.model.scenario));
    println!(
        "  {} states, {} generated, max depth {}, {:.1} s",
        exploration.unique_states,
        exploration.generated_states,
        exploration.max_depth,
        exploration.took.as_secs_f64()
    );
    for verdict in &exploration.verdicts {
        println!("  {:9} {}", word(verdict.kind, verdict.is_ok), verdict.name);
        if let Some(path) = &verdict.path {
            print_path(&exploration.model, path);
        }
    }
    println!();
}

pub fn print_total(explorations: &[Exploration]) {
    println!(
        "{} states, {} generated, {:.1} s; {} of {} properties ok",
        total(explorations, |e| e.unique_states),
        total(explorations, |e| e.generated_states),
        seconds(explorations),
        total(explorations, |e| e.verdicts.iter().filter(|v| v.is_ok).count()),
        total(explorations, |e| e.verdicts.len()),
    );
}

/// Prints the table of planted bugs; answers whether each was found by what should find it.
pub fn print_catches(catches: &[Catch], with_paths: bool) -> bool {
    println!("steps faults  {:<68} found by", "planted");
    for caught in catches {
        let plant = &caught.plant;
        let remark = if caught.is_as_expected() { "" } else { "  UNEXPECTED" };
        match &caught.caught {
            Some((name, path)) => {
                let model = Purchases::new(plant.scenario, Some(plant.bug));
                println!("{:>5} {:>6}  {:<68} {name}{remark}", path.len(), words::faults(&model, path), plant.what);
                if with_paths {
                    print_path(&model, path);
                }
            }
            None => println!("{:>5} {:>6}  {:<68} nothing: hurts nobody{remark}", "-", "-", plant.what),
        }
    }
    catches.iter().all(Catch::is_as_expected)
}

fn print_path(model: &Purchases, path: &[crate::action::Action]) {
    println!("    in {} steps:", path.len());
    for line in words::tell(model, path) {
        println!("    {}", line.replace('\n', "\n    "));
    }
}

fn bounds(scenario: &Scenario) -> String {
    format!(
        "{}: {} buyers, {} unit{}, {} workers, 1 gate, 1 reconciler; {} faults, {} reconciling rounds during the run{}{}",
        scenario.name,
        scenario.buyers,
        scenario.units,
        if scenario.units == 1 { "" } else { "s" },
        scenario.workers,
        scenario.faults,
        scenario.rounds,
        if scenario.has_keys { ", Idempotency-Keys" } else { "" },
        if scenario.has_administrator { ", the sale may end, grow or shrink" } else { "" },
    )
}

const fn word(kind: Kind, is_ok: bool) -> &'static str {
    match (kind, is_ok) {
        (_, true) => "ok",
        (Kind::Holds, false) => "VIOLATED",
        (Kind::IsSeen, false) => "NOT SEEN",
    }
}

/// One JSON object: the sum over the scenarios, each scenario, and the planted bugs.
pub fn to_json(explorations: &[Exploration], catches: &[Catch]) -> Value {
    json!({
        "unique_states": total(explorations, |e| e.unique_states),
        "generated_states": total(explorations, |e| e.generated_states),
        "max_depth": explorations.iter().map(|e| e.max_depth).max().unwrap_or_default(),
        "seconds": tenths(seconds(explorations)),
        "properties": total(explorations, |e| e.verdicts.len()),
        "properties_ok": total(explorations, |e| e.verdicts.iter().filter(|v| v.is_ok).count()),
        "scenarios": explorations.iter().map(scenario_json).collect::<Value>(),
        "bugs": catches.iter().map(bug_json).collect::<Value>(),
    })
}

fn scenario_json(exploration: &Exploration) -> Value {
    let scenario = &exploration.model.scenario;
    let verdict = |v: &Verdict| json!({"name": v.name, "verdict": word(v.kind, v.is_ok)});
    json!({
        "name": scenario.name,
        "buyers": scenario.buyers,
        "units": scenario.units,
        "workers": scenario.workers,
        "faults": scenario.faults,
        "rounds": scenario.rounds,
        "unique_states": exploration.unique_states,
        "generated_states": exploration.generated_states,
        "max_depth": exploration.max_depth,
        "seconds": tenths(exploration.took.as_secs_f64()),
        "properties": exploration.verdicts.iter().map(verdict).collect::<Value>(),
    })
}

fn bug_json(caught: &Catch) -> Value {
    let found = caught.caught.as_ref();
    json!({
        "bug": caught.plant.what,
        "property": found.map(|(name, _)| *name),
        "steps": found.map(|(_, path)| path.len()),
        "as_expected": caught.is_as_expected(),
    })
}

fn tenths(seconds: f64) -> f64 {
    (seconds * 10.0).round() / 10.0
}

fn total(explorations: &[Exploration], of: impl Fn(&Exploration) -> usize) -> usize {
    explorations.iter().map(of).sum()
}

fn seconds(explorations: &[Exploration]) -> f64 {
    explorations.iter().map(|e| e.took.as_secs_f64()).sum()
}
