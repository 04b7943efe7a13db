//! `sweep`: drives the scripts of bench/pgbench over ranges, on every PostgreSQL version there is, and writes what came
//! out as series that `report` draws.

mod batches;
mod depth;
mod older;
mod one_by_one;
mod output;
mod progress;
mod scripts;
mod send;
pub mod series;
pub mod serve;
mod server;
mod settings;
mod shop;
mod turns;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;

use output::Origin;
use progress::Progress;
use scripts::Programs;
use series::Series;
use server::Server;
use settings::{Settings, Subject};
use turns::{Books, Sweep};

pub use settings::Arguments;

/// Fails when the books are wrong or something could not be measured.
pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let settings = Settings::of(&arguments)?;
    let bin_dirs = server::bin_dirs(&arguments.pg_bin_dir)?;
    let folder = arguments.data_dir.unwrap_or_else(|| std::env::temp_dir().join("flashsale-sweep"));
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let programs = Programs::find(arguments.engine, &folder)?;
    let mut servers = Vec::new();
    let measured = tokio::select! {
        // First, because ctrl-c reaches pgbench too, and that it failed is not the news.
        biased;
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        measured = start_and_measure(&settings, &programs, &bin_dirs, &folder, &mut servers, &arguments.output) => measured,
    };
    for server in servers {
        server.stop().await;
    }
    // What cannot be removed is removed by the next run.
    for index in 0..bin_dirs.len() {
        let _ = fs::remove_dir_all(server::data_dir(&server_folder(&folder, index)));
    }
    let balanced = measured.with_context(|| format!("what the programs said is in {}", folder.display()))?;
    let _ = fs::remove_dir_all(&folder);
    Ok(if balanced { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn server_folder(folder: &Path, index: usize) -> PathBuf {
    folder.join(format!("server-{index}"))
}

/// Answers whether the books balanced throughout.
async fn start_and_measure(
    settings: &Settings,
    programs: &Programs,
    bin_dirs: &[Option<PathBuf>],
    folder: &Path,
    servers: &mut Vec<Server>,
    output: &Path,
) -> anyhow::Result<bool> {
    let started_at = Instant::now();
    for (index, bin_dir) in bin_dirs.iter().enumerate() {
        let server = Server::start(bin_dir.as_deref(), &server_folder(folder, index)).await?;
        eprintln!("started PostgreSQL {}", server.version);
        servers.push(server);
    }
    let origin = Origin::of(programs, servers).await;
    let estimate = settings.only.iter().map(|subject| seconds(*subject, settings, servers.len())).sum();
    let mut sweep = Sweep { settings, programs, servers, books: Books::default(), progress: Progress::start(estimate) };
    let mut series = Vec::new();
    for subject in &settings.only {
        series.push(measure(*subject, &mut sweep).await?);
        // After each, so that an interrupted sweep has what it got.
        output::write(output, settings, &origin, &sweep.books, &series, started_at.elapsed())?;
    }
    sweep.progress.finish();
    output::print(&series, &sweep.books, started_at.elapsed());
    println!("written to {}", output.display());
    Ok(sweep.books.wrong.is_empty())
}

async fn measure(subject: Subject, sweep: &mut Sweep<'_>) -> anyhow::Result<Series> {
    match subject {
        Subject::NaiveRowLock => one_by_one::naive_row_lock(sweep).await,
        Subject::SkipLockedRow => one_by_one::skip_locked_row(sweep).await,
        Subject::PgmqSend => send::pgmq_send(sweep).await,
        Subject::SettleBatches => batches::settle_batches(sweep).await,
        Subject::QueueDepth => depth::queue_depth(sweep).await,
        Subject::OlderOrders => older::older_orders(sweep).await,
    }
}

/// How long a series takes, by estimate.
fn seconds(subject: Subject, settings: &Settings, servers: usize) -> f64 {
    match subject {
        Subject::NaiveRowLock => one_by_one::seconds(settings, &settings.clients, servers),
        Subject::SkipLockedRow => one_by_one::seconds(settings, &settings.row_workers, servers),
        Subject::PgmqSend => send::seconds(settings, servers),
        Subject::SettleBatches => batches::seconds(settings, servers),
        Subject::QueueDepth => depth::seconds(settings, servers),
        Subject::OlderOrders => older::seconds(settings, servers),
    }
}
