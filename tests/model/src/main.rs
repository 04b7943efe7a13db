//! `flashsale-model`: the protocol of a purchase as a model whose every state is visited. See `model.rs` for what is
//! modelled and `properties.rs` for what must hold. Dispatch only.

mod action;
mod api;
mod bugs;
mod buyer;
mod database;
mod explore;
mod faults;
mod gate;
mod model;
mod properties;
mod report;
mod scenario;
mod state;
mod steps;
mod symmetry;
#[cfg(test)]
mod tests;
mod words;

use std::process::ExitCode;

use clap::Parser;

/// Explores the protocol of a purchase: every state that buyers, API, gate, queue, workers and reconciler can come to
/// within the bounds of each scenario, with faults at any moment.
///
/// Prints the states visited and what became of each property; a violation is told step by step. Exit status 1 if a
/// property is violated, a situation is not seen, or a planted bug is not found by its property.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Plant bugs one at a time and show which property finds each, instead of exploring
    #[arg(long)]
    bugs: bool,
    /// With --bugs: tell the shortest way to each
    #[arg(long, requires = "bugs")]
    paths: bool,
    /// Explore and plant, and print one JSON object
    #[arg(long, conflicts_with_all = ["bugs", "paths"])]
    json: bool,
    /// Explore only this scenario: crowd, keys, administrator or stubborn
    #[arg(long, value_name = "NAME", conflicts_with = "bugs")]
    scenario: Option<String>,
    /// Faults in one run, instead of the scenario's own
    #[arg(long, value_name = "N", conflicts_with = "bugs")]
    faults: Option<u8>,
    /// Rounds of the reconciler during a run, instead of the scenario's own
    #[arg(long, value_name = "N", conflicts_with = "bugs")]
    rounds: Option<u8>,
    /// Tries of a buyer who is refused, before the last one at the end, instead of the scenario's own
    #[arg(long, value_name = "N", conflicts_with = "bugs")]
    asks: Option<u8>,
    /// Threads that explore
    #[arg(long, value_name = "N", default_value_t = 2)]
    threads: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let is_ok =
        if arguments.bugs { report::print_catches(&explore::hunt(), arguments.paths) } else { explore_all(&arguments) };
    if is_ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn explore_all(arguments: &Arguments) -> bool {
    let wanted = |name: &str| arguments.scenario.as_ref().is_none_or(|wanted| wanted == name);
    let mut explorations = Vec::new();
    for mut scenario in scenario::DEFAULT.into_iter().filter(|scenario| wanted(scenario.name)) {
        scenario.faults = arguments.faults.unwrap_or(scenario.faults);
        scenario.rounds = arguments.rounds.unwrap_or(scenario.rounds);
        scenario.asks = arguments.asks.unwrap_or(scenario.asks).max(1);
        let exploration = explore::explore(scenario, arguments.threads.max(1));
        if !arguments.json {
            report::print_exploration(&exploration);
        }
        explorations.push(exploration);
    }
    if explorations.is_empty() {
        eprintln!("no such scenario: there are crowd, keys, administrator and stubborn");
        return false;
    }
    let is_ok = explorations.iter().all(explore::Exploration::is_ok);
    if arguments.json {
        let catches = explore::hunt();
        println!("{}", report::to_json(&explorations, &catches));
        return is_ok && catches.iter().all(explore::Catch::is_as_expected);
    }
    report::print_total(&explorations);
    is_ok
}
