//! The servers of a run: PostgreSQL, Redis, one API, one worker, each a process of its own, all private to the run.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use flashsale::embedded::EmbeddedPostgres;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::process::{self, Process};
use super::{Settings, pgbench};
use crate::{client, database};

const START_PATIENCE: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

pub struct Testbed {
    pub engine: PathBuf,
    pub pgbench: PathBuf,
    pub psql: PathBuf,
    pub api: Process,
    pub api_address: SocketAddr,
    pub worker: Process,
    pub redis: Option<(Process, String)>,
    postgres: EmbeddedPostgres,
    database_url: String,
    secret: String,
    dir: PathBuf,
}

impl Testbed {
    pub async fn start(settings: &Settings, engine: Option<PathBuf>, dir: &Path) -> anyhow::Result<Self> {
        let engine = engine.map_or_else(engine_beside_this_binary, Ok)?;
        let (pgbench, psql) = pgbench::find_programs()?;
        if dir.exists() {
            fs::remove_dir_all(dir).with_context(|| format!("cannot empty {}", dir.display()))?;
        }
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        eprintln!("starting PostgreSQL, Redis, one API and one worker");
        let postgres_dir = dir.join("postgres");
        let postgres = spawn_blocking(move || EmbeddedPostgres::start(&postgres_dir)).await??;
        let database_url = postgres.url().to_owned();
        let redis = if settings.redis { start_redis(dir).await? } else { None };
        if redis.is_none() {
            eprintln!(
                "  without Redis: {}",
                if settings.redis { "redis-server is not installed" } else { "--no-redis" }
            );
        }
        migrate(&engine, &database_url)?;

        // Not a secret of anything: the run's servers listen on the loopback interface and die with it.
        let secret = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let role = |role: &str, address: SocketAddr| {
            let mut command = Command::new(&engine);
            command.arg(role).env("DATABASE_URL", &database_url).env("BIND_ADDR", address.to_string());
            command.env("JWT_SECRET", &secret).env("RATE_LIMITS", "off");
            command.env("DATABASE_POOL_SIZE", settings.pool_size.to_string());
            command.env("REDIS_URL", redis.as_ref().map_or("", |(_, url)| url.as_str()));
            command
        };
        let api_address = process::free_address()?;
        let mut api = Process::start("api", role("api", api_address), dir)?;
        let worker = Process::start("worker", role("worker", process::free_address()?), dir)?;
        wait_until_ready(&mut api, api_address).await?;
        Ok(Self {
            engine,
            pgbench,
            psql,
            api,
            api_address,
            worker,
            redis,
            postgres,
            database_url,
            secret,
            dir: dir.to_owned(),
        })
    }

    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    pub fn redis_url(&self) -> Option<&str> {
        self.redis.as_ref().map(|(_, url)| url.as_str())
    }

    pub fn secret(&self) -> &str {
        &self.secret
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn postgres_pid(&self) -> Option<u32> {
        self.postgres.pid()
    }

    /// Makes another database of this server with the engine's schema, where no API and no worker is at work.
    pub async fn create_database(&self, name: &str) -> anyhow::Result<String> {
        let main = database::connect(&self.database_url).await?;
        main.batch_execute(&format!("create database {name}")).await?;
        let url = database::sibling_url(&self.database_url, name)?;
        migrate(&self.engine, &url)?;
        Ok(url)
    }

    /// Starts one of this binary's plain servers and waits until it listens.
    pub async fn start_plain(&self, name: &'static str, arguments: &[&str]) -> anyhow::Result<(Process, SocketAddr)> {
        let address = process::free_address()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(name).arg("--address").arg(address.to_string()).args(arguments);
        command.env("DATABASE_URL", &self.database_url).env("JWT_SECRET", &self.secret);
        let mut plain = Process::start(name, command, &self.dir)?;
        plain.wait_until_listening(address, START_PATIENCE).await?;
        Ok((plain, address))
    }

    /// An error when the API or the worker has ended by itself.
    pub fn ensure_running(&mut self) -> anyhow::Result<()> {
        self.api.ensure_running()?;
        self.worker.ensure_running()
    }

    /// Stops everything. Answers the folder of the logs if they are to be kept; otherwise the folder is removed.
    pub async fn stop(self, keep_logs: bool) -> Option<PathBuf> {
        self.api.stop().await;
        self.worker.stop().await;
        if let Some((redis, _)) = self.redis {
            redis.stop().await;
        }
        let mut postgres = self.postgres;
        // What cannot be stopped or removed is stopped or removed by the next run.
        let _ = spawn_blocking(move || postgres.stop()).await;
        let unwanted = if keep_logs { self.dir.join("postgres") } else { self.dir.clone() };
        let _ = fs::remove_dir_all(unwanted);
        keep_logs.then_some(self.dir)
    }
}

fn engine_beside_this_binary() -> anyhow::Result<PathBuf> {
    let engine = std::env::current_exe()?.with_file_name("flashsale");
    anyhow::ensure!(engine.is_file(), "{} is missing: build it with `cargo build`", engine.display());
    Ok(engine)
}

async fn start_redis(dir: &Path) -> anyhow::Result<Option<(Process, String)>> {
    let Some(program) = process::find_program("redis-server", &[]) else { return Ok(None) };
    let address = process::free_address()?;
    let mut command = Command::new(program);
    command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string()]);
    command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(dir);
    let mut redis = Process::start("redis", command, dir)?;
    redis.wait_until_listening(address, START_PATIENCE).await?;
    Ok(Some((redis, format!("redis://{address}"))))
}

fn migrate(engine: &Path, database_url: &str) -> anyhow::Result<()> {
    let output = Command::new(engine).arg("migrate").env("DATABASE_URL", database_url).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "`flashsale migrate` failed: {said}");
    Ok(())
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
