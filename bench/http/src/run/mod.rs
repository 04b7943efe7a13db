//! `run`: everything private to the run is started, the ratios are measured in interleaved rounds, the books are
//! audited after every measurement, the figures are printed and written as JSON.

mod alone;
mod comparisons;
mod cpu;
mod crowd;
pub(crate) mod engine;
mod findings;
mod goals;
pub(crate) mod machine;
mod memory;
pub(crate) mod pgbench;
mod plain;
pub(crate) mod process;
pub(crate) mod ratio;
mod report;
mod settings;
mod shop;
mod shop_window;
mod surge;
mod testbed;

use std::process::ExitCode;
use std::time::Instant;

use findings::Findings;
use settings::Settings;
use testbed::Testbed;

pub use settings::Arguments;

/// What every measurement works with.
pub struct Run {
    settings: Settings,
    testbed: Testbed,
    findings: Findings,
}

/// Fails when the books are wrong or something could not be measured; a missed bound is a figure, not a failure.
pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let settings = Settings::of(&arguments)?;
    let started_at = Instant::now();
    let data_dir = arguments.data_dir.clone().unwrap_or_else(|| std::env::temp_dir().join("flashsale-bench"));
    let testbed = Testbed::start(&settings, arguments.engine.clone(), &data_dir).await?;
    let mut run = Run { settings, testbed, findings: Findings::default() };
    let machine = machine::describe(&run.testbed).await;
    let measured = tokio::select! {
        measured = comparisons::measure(&mut run) => measured,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    let Run { settings, testbed, findings } = run;
    let logs = testbed.stop(measured.is_err()).await;
    measured.map_err(|error| match logs {
        Some(logs) => error.context(format!("the logs are in {}", logs.display())),
        None => error,
    })?;
    report::print(&settings, &findings, started_at.elapsed());
    report::write(&arguments.output, &settings, &machine, &findings, started_at.elapsed())?;
    Ok(if findings.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
