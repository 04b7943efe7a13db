//! `serve-postgres`: one private PostgreSQL server for as long as this process lives. A process of its own, because the
//! folder of the server's programs is told by the environment (`PG_BIN_DIR`), and `sweep` runs several versions at once.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use anyhow::Context;
use flashsale::embedded::EmbeddedPostgres;
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_blocking;

/// Serves until it is told to end.
#[derive(clap::Args)]
pub struct Arguments {
    /// Folder of the server's data
    #[arg(long)]
    data_dir: PathBuf,
    /// Written when the server accepts connections
    #[arg(long)]
    ready_file: PathBuf,
}

/// What is in the file that says the server is ready.
#[derive(Serialize, Deserialize)]
pub struct Ready {
    pub url: String,
    /// Such as `15.14`.
    pub version: String,
}

pub async fn serve(arguments: Arguments) -> anyhow::Result<()> {
    let mut told_to_end = signal(SignalKind::terminate())?;
    let data_dir = arguments.data_dir;
    let mut postgres = spawn_blocking(move || EmbeddedPostgres::start(&data_dir)).await??;
    let ready = Ready { url: postgres.url().to_owned(), version: postgres.version().to_owned() };
    // Under its name only when it is whole. The URL has the password of a server of the loopback interface.
    let unfinished = arguments.ready_file.with_extension("unfinished");
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished);
    let mut file = file.with_context(|| format!("cannot create {}", unfinished.display()))?;
    file.write_all(&serde_json::to_vec(&ready)?)?;
    fs::rename(&unfinished, &arguments.ready_file)?;
    tokio::select! {
        _ = told_to_end.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    spawn_blocking(move || postgres.stop()).await??;
    Ok(())
}
