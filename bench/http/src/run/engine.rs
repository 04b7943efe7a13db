//! The engine's own binary as the run starts it: APIs, workers, migrations.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::process::{self, Process};
use crate::client;

pub const START_PATIENCE: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Where a role works.
#[derive(Clone, Copy)]
pub struct Backends<'a> {
    pub database_url: &'a str,
    pub redis_url: Option<&'a str>,
}

pub struct Engine {
    pub binary: PathBuf,
    pub secret: String,
    pool_size: usize,
    dir: PathBuf,
}

impl Engine {
    pub fn new(binary: Option<PathBuf>, pool_size: usize, dir: &Path) -> anyhow::Result<Self> {
        let binary = binary.map_or_else(beside_this_binary, Ok)?;
        // Not a secret of anything: the run's servers listen on the loopback interface and die with it.
        let secret = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        Ok(Self { binary, secret, pool_size, dir: dir.to_owned() })
    }

    /// Starts an API and waits until it is ready.
    pub async fn start_api(&self, name: &'static str, backends: Backends<'_>) -> anyhow::Result<(Process, SocketAddr)> {
        let address = process::free_address()?;
        let mut api = Process::start(name, self.role("api", backends, address), &self.dir)?;
        wait_until_ready(&mut api, address).await?;
        Ok((api, address))
    }

    pub fn start_worker(&self, name: &'static str, backends: Backends<'_>) -> anyhow::Result<Process> {
        Process::start(name, self.role("worker", backends, process::free_address()?), &self.dir)
    }

    fn role(&self, role: &str, backends: Backends<'_>, address: SocketAddr) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg(role).env("DATABASE_URL", backends.database_url).env("BIND_ADDR", address.to_string());
        command.env("JWT_SECRET", &self.secret).env("RATE_LIMITS", "off");
        command.env("DATABASE_POOL_SIZE", self.pool_size.to_string());
        command.env("REDIS_URL", backends.redis_url.unwrap_or_default());
        command
    }
}

pub fn migrate(binary: &Path, database_url: &str) -> anyhow::Result<()> {
    let output = Command::new(binary).arg("migrate").env("DATABASE_URL", database_url).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "`flashsale migrate` failed: {said}");
    Ok(())
}

pub fn beside_this_binary() -> anyhow::Result<PathBuf> {
    let engine = std::env::current_exe()?.with_file_name("flashsale");
    anyhow::ensure!(engine.is_file(), "{} is missing: build it with `cargo build`", engine.display());
    Ok(engine)
}

async fn wait_until_ready(api: &mut Process, address: SocketAddr) -> anyhow::Result<()> {
    api.wait_until_listening(address, START_PATIENCE).await?;
    let deadline = Instant::now() + START_PATIENCE;
    let request = client::get(&address.to_string(), "/readyz");
    loop {
        match client::exchange(address, &request, 200) {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error.context("the API does not get ready")),
            Err(_) => api.ensure_running()?,
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
