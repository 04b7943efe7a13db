//! The fault harness, `make faults`: seeded shoppers buy from real processes while something breaks, everything heals and
//! drains, and a checker reads the history and the database. See docs/RELIABILITY.md for what is promised.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod campaign;
mod catalogue;
mod checker;
mod client;
mod clock;
mod control;
mod feeder;
mod gates;
#[path = "../it/harness/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with tests/it, which uses what is not used here")]
mod harness;
mod load;
mod logs;
mod needs;
mod record;
mod recovery;
mod report;
mod run;
mod shopper;
mod strikes;
mod world;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "faults", about = "Breaks the system in every way we know and checks its books", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// What `cargo bench` says.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Run faults, each with seeds of its own; all of them write bench/results/faults.json
    Run(Selection),
    /// Break promises on purpose (SABOTAGE_SQL) and see that the checker notices
    Control {
        #[arg(long, env = "SEED", default_value_t = 1)]
        seed: u64,
    },
    /// List the faults
    List,
    /// One run in this process (what `run` starts for each)
    #[command(hide = true)]
    One {
        fault: String,
        seed: u64,
        #[arg(long)]
        short: bool,
    },
}

#[derive(clap::Args)]
pub struct Selection {
    /// Only this fault (default: all)
    #[arg(long, env = "FAULT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    fault: Option<String>,
    /// The first seed; further runs of a fault count up from it
    #[arg(long, env = "SEED")]
    seed: Option<u64>,
    /// Runs of each fault
    #[arg(long, env = "RUNS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    runs: u64,
    /// A handful of faults with fixed seeds and a smaller load
    #[arg(long)]
    short: bool,
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(selection) => campaign::run(&selection),
        Command::Control { seed } => control::run(seed),
        Command::List => {
            for fault in catalogue::FAULTS {
                println!("{:<22} {}", fault.name, fault.about);
            }
            ExitCode::SUCCESS
        }
        Command::One { fault, seed, short } => {
            let fault = catalogue::find(&fault).unwrap_or_else(|| panic!("no fault is called {fault}"));
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            runtime.expect("a runtime").block_on(run::run(fault, seed, short));
            ExitCode::SUCCESS
        }
    }
}
