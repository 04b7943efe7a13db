//! `flashsale-bench`: measures the flash-sale engine over HTTP, and loads any server that speaks its API.
//!
//! What each figure means and why the comparisons are fair is in bench/METHODOLOGY.md. Dispatch only.

mod baseline;
mod books;
mod buyers;
mod client;
mod database;
mod report;
mod run;
mod simulate;
mod stress;
mod sweep;
mod tokens;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

// The allocator of the engine, so that the plain handlers are compared with equal means.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the flash-sale engine.
///
/// `run` starts everything it needs, measures the ratios of bench/METHODOLOGY.md and writes them as JSON. `http` loads
/// servers of your own with a scenario, shows what becomes of every request, and audits the books.
#[derive(Parser)]
#[command(version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Arguments),
    Http(stress::Arguments),
    Sweep(sweep::Arguments),
    Report(report::Arguments),
    Simulate(simulate::Arguments),
    #[command(hide = true)]
    ServeNaive(baseline::naive::Arguments),
    #[command(hide = true)]
    ServeConstant(baseline::constant::Arguments),
    #[command(hide = true)]
    ServePostgres(sweep::serve::Arguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    // A connection is a file descriptor; with fewer than asked for, connecting says so.
    let _ = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    let ended = match Arguments::parse().command {
        Command::Run(arguments) => run::run(arguments).await,
        Command::Http(arguments) => stress::run(arguments).await,
        Command::Sweep(arguments) => sweep::run(arguments).await,
        Command::Report(arguments) => report::run(&arguments),
        Command::Simulate(arguments) => simulate::run(arguments),
        Command::ServeNaive(arguments) => baseline::naive::serve(arguments).await.map(|()| ExitCode::SUCCESS),
        Command::ServeConstant(arguments) => baseline::constant::serve(arguments).await.map(|()| ExitCode::SUCCESS),
        Command::ServePostgres(arguments) => sweep::serve::serve(arguments).await.map(|()| ExitCode::SUCCESS),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("flashsale-bench: {error:#}");
        ExitCode::FAILURE
    })
}
