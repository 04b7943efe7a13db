//! `run`: everything private to the run is started, the ratios are measured in interleaved rounds, the books are
//! audited after every measurement, the figures are printed and written as JSON.

mod buy;
mod cpu;
mod machine;
mod pgbench;
mod process;
mod ratio;
mod read;
mod report;
mod settle;
mod testbed;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::ValueEnum;
use serde::Serialize;

use ratio::Ratio;
use testbed::Testbed;

/// Measures the engine on a PostgreSQL and Redis private to the run. Takes about five minutes; the machine should have
/// nothing else to do.
#[derive(clap::Args, Clone, Debug, Serialize)]
pub struct Arguments {
    /// About a minute instead: fewer rounds and orders, figures less steady
    #[arg(long)]
    quick: bool,
    /// Interleaved rounds of each comparison [default: 5, quick: 3]
    #[arg(long)]
    rounds: Option<usize>,
    /// Only these comparisons
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Comparison::ALL)]
    only: Vec<Comparison>,
    /// Orders bought over HTTP and by pgbench in a round [default: 20000, quick: 10000]
    #[arg(long)]
    orders: Option<u32>,
    /// Orders bought from the plain handler in a round [default: 2000, quick: 1000]
    #[arg(long)]
    naive_orders: Option<u32>,
    /// Connections of the load generator: how many buyers ask at the same time
    #[arg(long, default_value_t = 1024)]
    connections: usize,
    /// Seconds of each measurement of refusals and looks [default: 4, quick: 1]
    #[arg(long)]
    read_seconds: Option<u64>,
    /// Orders in the large table of the settle comparison [default: 5000000, quick: 500000]
    #[arg(long)]
    large_table: Option<u32>,
    /// Clients of pgbench, each placing and settling its batches in turn
    #[arg(long, default_value_t = 2)]
    pgbench_clients: u32,
    /// Orders of one batch of pgbench
    #[arg(long, default_value_t = 500)]
    pgbench_batch: u32,
    /// Connections to PostgreSQL of the API and of the plain handler each
    #[arg(long, default_value_t = 16)]
    pool_size: usize,
    /// Measure without Redis even if it is installed
    #[arg(long)]
    no_redis: bool,
    /// The engine's binary [default: flashsale beside this binary]
    #[arg(long)]
    engine: Option<PathBuf>,
    /// Folder of the run's PostgreSQL, logs and sockets, emptied first; on a disk like the real one's
    /// [default: flashsale-bench in the folder for temporary files]
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Where the figures are written
    #[arg(long, default_value = "bench/results/latest.json")]
    output: PathBuf,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Comparison {
    Buy,
    Refuse,
    Look,
    Settle,
}

impl Comparison {
    const ALL: [Self; 4] = [Self::Buy, Self::Refuse, Self::Look, Self::Settle];
}

/// The arguments with their defaults filled in.
#[derive(Clone, Debug, Serialize)]
struct Settings {
    quick: bool,
    rounds: usize,
    only: Vec<Comparison>,
    orders: u32,
    naive_orders: u32,
    connections: usize,
    load: &'static str,
    read_seconds: u64,
    small_table: u32,
    large_table: u32,
    settle_orders: u32,
    settle_batch: i32,
    pgbench_clients: u32,
    pgbench_batch: u32,
    pool_size: usize,
    redis: bool,
}

impl Settings {
    fn of(arguments: &Arguments) -> anyhow::Result<Self> {
        let quick = arguments.quick;
        let settings = Self {
            quick,
            rounds: arguments.rounds.unwrap_or(if quick { 3 } else { 5 }),
            only: arguments.only.clone(),
            orders: arguments.orders.unwrap_or(if quick { 10_000 } else { 20_000 }),
            naive_orders: arguments.naive_orders.unwrap_or(if quick { 1_000 } else { 2_000 }),
            connections: arguments.connections,
            load: "closed loop",
            read_seconds: arguments.read_seconds.unwrap_or(if quick { 1 } else { 4 }),
            small_table: 10_000,
            large_table: arguments.large_table.unwrap_or(if quick { 500_000 } else { 5_000_000 }),
            settle_orders: if quick { 10_000 } else { 40_000 },
            settle_batch: 500,
            pgbench_clients: arguments.pgbench_clients,
            pgbench_batch: arguments.pgbench_batch,
            pool_size: arguments.pool_size,
            redis: !arguments.no_redis,
        };
        let step = settings.pgbench_clients * settings.pgbench_batch;
        anyhow::ensure!(settings.rounds > 0, "--rounds must be at least 1");
        anyhow::ensure!(
            step > 0 && settings.orders.is_multiple_of(step),
            "--orders must be a multiple of --pgbench-clients times --pgbench-batch, which is {step}"
        );
        Ok(settings)
    }
}

/// What the measurements add to.
#[derive(Default)]
struct Findings {
    ratios: Vec<Ratio>,
    audits: usize,
    wrong: Vec<String>,
    cpu_seconds: Vec<cpu::Spent>,
}

impl Findings {
    /// Notes an audit of the books after `measurement`.
    fn audited(&mut self, measurement: &str, wrong: Vec<String>) {
        self.audits += 1;
        for sentence in wrong {
            eprintln!("  BOOKS: {measurement}: {sentence}");
            self.wrong.push(format!("{measurement}: {sentence}"));
        }
    }
}

/// Fails when the books are wrong or something could not be measured; a missed bound is a figure, not a failure.
pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let settings = Settings::of(&arguments)?;
    let started_at = Instant::now();
    let data_dir = arguments.data_dir.clone().unwrap_or_else(|| std::env::temp_dir().join("flashsale-bench"));
    let mut findings = Findings::default();
    let mut testbed = Testbed::start(&settings, arguments.engine.clone(), &data_dir).await?;
    let machine = machine::describe(&testbed).await;
    let measured = tokio::select! {
        measured = measure(&settings, &mut testbed, &mut findings) => measured,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    let logs = testbed.stop(measured.is_err()).await;
    measured.map_err(|error| match logs {
        Some(logs) => error.context(format!("the logs are in {}", logs.display())),
        None => error,
    })?;
    report::print(&settings, &findings, started_at.elapsed());
    report::write(&arguments.output, &settings, &machine, &findings, started_at.elapsed())?;
    Ok(if findings.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn measure(settings: &Settings, testbed: &mut Testbed, findings: &mut Findings) -> anyhow::Result<()> {
    let wanted = |comparison| settings.only.contains(&comparison);
    if wanted(Comparison::Buy) {
        buy::measure(settings, testbed, findings).await?;
    }
    if wanted(Comparison::Refuse) || wanted(Comparison::Look) {
        read::measure(settings, testbed, findings).await?;
    }
    if wanted(Comparison::Settle) {
        settle::measure(settings, testbed, findings).await?;
    }
    Ok(())
}
