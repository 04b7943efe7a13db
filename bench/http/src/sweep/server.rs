//! The PostgreSQL servers of a sweep: one for each version that is found or named, all running from start to end, so that
//! versions are measured in turn and bear the same idle neighbours.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::serve::Ready;
use crate::database;
use crate::run::process::Process;

const START_PATIENCE: Duration = Duration::from_secs(120);
const POLL_INTERVAL: Duration = Duration::from_millis(50);
const SYSTEM_VERSIONS: &str = "/usr/lib/postgresql";

pub struct Server {
    /// Such as `15.14`.
    pub version: String,
    pub url: String,
    process: Process,
}

impl Server {
    /// Starts a server with the programs of `bin_dir`, or of whatever is found when it is `None`.
    pub async fn start(bin_dir: Option<&Path>, folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let ready_file = folder.join("ready.json");
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve-postgres").arg("--data-dir").arg(data_dir(folder));
        command.arg("--ready-file").arg(&ready_file);
        if let Some(bin_dir) = bin_dir {
            command.env("PG_BIN_DIR", bin_dir);
        }
        let mut process = Process::start("postgres", command, folder)?;
        let deadline = Instant::now() + START_PATIENCE;
        while !ready_file.exists() {
            process.ensure_running()?;
            anyhow::ensure!(Instant::now() < deadline, "PostgreSQL is not ready after {START_PATIENCE:?}");
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        let Ready { url, version } = serde_json::from_slice(&fs::read(&ready_file)?)?;
        Ok(Self { version, url, process })
    }

    pub async fn stop(self) {
        self.process.stop().await;
    }

    pub async fn create_database(&self, name: &str) -> anyhow::Result<String> {
        let main = database::connect(&self.url).await?;
        main.batch_execute(&format!("create database {name}")).await?;
        database::sibling_url(&self.url, name)
    }
}

/// Where the server of that folder keeps its data; what it says is beside it.
pub fn data_dir(folder: &Path) -> PathBuf {
    folder.join("data")
}

/// Folders of server programs: the system's and those named, each once; a single `None`, for whatever the engine itself
/// would take, when there is none of them.
pub fn bin_dirs(named: &[PathBuf]) -> anyhow::Result<Vec<Option<PathBuf>>> {
    let system = fs::read_dir(SYSTEM_VERSIONS).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = system.map(|version| version.path().join("bin")).collect();
    found.retain(|dir| dir.join("postgres").is_file());
    found.sort();
    for dir in named {
        let dir = dir.canonicalize().with_context(|| format!("--pg-bin-dir: there is no folder {}", dir.display()))?;
        let has = |program| dir.join(program).is_file();
        anyhow::ensure!(
            has("postgres") && has("initdb"),
            "--pg-bin-dir {}: there is no postgres and initdb in it",
            dir.display()
        );
        if !found.contains(&dir) {
            found.push(dir);
        }
    }
    Ok(if found.is_empty() { vec![None] } else { found.into_iter().map(Some).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_server_is_refused_by_name() {
        let error = bin_dirs(&[std::env::temp_dir()]).unwrap_err().to_string();
        assert!(error.contains("no postgres and initdb"), "{error}");
        assert!(bin_dirs(&[PathBuf::from("/nowhere/bin")]).is_err());
    }
}
