//! Dispatch only: the commands are in `flashsale::commands`.

use clap::Parser;
use flashsale::commands::{CommandLine, run};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> std::process::ExitCode {
    match run(CommandLine::parse()).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("flashsale: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
