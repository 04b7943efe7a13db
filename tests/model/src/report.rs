//! What was explored and found, for people and as JSON.

use std::fmt::Write;

use crate::explore::{Catch, Exploration, Kind};
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
pub fn to_json(explorations: &[Exploration], catches: &[Catch]) -> String {
    let scenarios: Vec<String> = explorations.iter().map(scenario_json).collect();
    let bugs: Vec<String> = catches.iter().map(bug_json).collect();
    format!(
        r#"{{"unique_states":{},"generated_states":{},"max_depth":{},"seconds":{:.1},"properties":{},"properties_ok":{},"scenarios":[{}],"bugs":[{}]}}"#,
        total(explorations, |e| e.unique_states),
        total(explorations, |e| e.generated_states),
        explorations.iter().map(|e| e.max_depth).max().unwrap_or_default(),
        seconds(explorations),
        total(explorations, |e| e.verdicts.len()),
        total(explorations, |e| e.verdicts.iter().filter(|v| v.is_ok).count()),
        scenarios.join(","),
        bugs.join(",")
    )
}

fn scenario_json(exploration: &Exploration) -> String {
    let scenario = &exploration.model.scenario;
    let properties: Vec<String> = exploration
        .verdicts
        .iter()
        .map(|v| format!(r#"{{"name":{},"verdict":{}}}"#, quoted(v.name), quoted(word(v.kind, v.is_ok))))
        .collect();
    format!(
        r#"{{"name":{},"buyers":{},"units":{},"workers":{},"faults":{},"rounds":{},"unique_states":{},"generated_states":{},"max_depth":{},"seconds":{:.1},"properties":[{}]}}"#,
        quoted(scenario.name),
        scenario.buyers,
        scenario.units,
        scenario.workers,
        scenario.faults,
        scenario.rounds,
        exploration.unique_states,
        exploration.generated_states,
        exploration.max_depth,
        exploration.took.as_secs_f64(),
        properties.join(",")
    )
}

fn bug_json(caught: &Catch) -> String {
    let found = caught.caught.as_ref();
    format!(
        r#"{{"bug":{},"property":{},"steps":{},"as_expected":{}}}"#,
        quoted(caught.plant.what),
        found.map_or("null".to_owned(), |(name, _)| quoted(name)),
        found.map_or("null".to_owned(), |(_, path)| path.len().to_string()),
        caught.is_as_expected()
    )
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn total(explorations: &[Exploration], of: impl Fn(&Exploration) -> usize) -> usize {
    explorations.iter().map(of).sum()
}

fn seconds(explorations: &[Exploration]) -> f64 {
    explorations.iter().map(|e| e.took.as_secs_f64()).sum()
}
