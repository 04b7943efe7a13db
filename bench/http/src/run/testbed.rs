//! The servers of a run: PostgreSQL, Redis, one API, one worker, each a process of its own, all private to the run.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use flashsale::embedded::EmbeddedPostgres;
use tokio::task::spawn_blocking;
use tokio_postgres::Client;

use super::engine::{self, Backends, Engine, START_PATIENCE};
use super::process::{self, Process};
use super::settings::Settings;
use super::{cpu, pgbench};
use crate::{buyers, database, tokens};

pub struct Testbed {
    pub engine: Engine,
    pub pgbench: PathBuf,
    pub psql: PathBuf,
    pub api: Process,
    pub api_address: SocketAddr,
    /// For preparing, watching and verifying in the main database.
    pub client: Client,
    worker: Process,
    redis: Option<(Process, String)>,
    postgres: EmbeddedPostgres,
    dir: PathBuf,
}

impl Testbed {
    pub async fn start(settings: &Settings, binary: Option<PathBuf>, dir: &Path) -> anyhow::Result<Self> {
        let engine = Engine::new(binary, settings.pool_size, dir)?;
        let (pgbench, psql) = pgbench::find_programs()?;
        if dir.exists() {
            fs::remove_dir_all(dir).with_context(|| format!("cannot empty {}", dir.display()))?;
        }
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        eprintln!("starting PostgreSQL, Redis, one API and one worker");
        let postgres_dir = dir.join("postgres");
        let postgres = spawn_blocking(move || EmbeddedPostgres::start(&postgres_dir)).await??;
        let redis = if settings.redis { start_redis(dir).await? } else { None };
        if redis.is_none() {
            let why = if settings.redis { "redis-server is not installed" } else { "--no-redis" };
            eprintln!("  without Redis: {why}");
        }
        engine::migrate(&engine.binary, postgres.url())?;
        let redis_url = redis.as_ref().map(|(_, url)| url.as_str());
        let backends = Backends { database_url: postgres.url(), redis_url };
        let (api, api_address) = engine.start_api("api", backends).await?;
        let worker = engine.start_worker("worker", backends)?;
        let client = database::connect(postgres.url()).await?;
        let dir = dir.to_owned();
        Ok(Self { engine, pgbench, psql, api, api_address, client, worker, redis, postgres, dir })
    }

    pub fn database_url(&self) -> &str {
        self.postgres.url()
    }

    pub fn redis_url(&self) -> Option<&str> {
        self.redis.as_ref().map(|(_, url)| url.as_str())
    }

    /// Where the API and the worker of the run work.
    pub fn backends(&self) -> Backends<'_> {
        Backends { database_url: self.database_url(), redis_url: self.redis_url() }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Tokens of `count` users who can buy in every sale of the main database.
    pub async fn tokens(&self, count: u32) -> anyhow::Result<Vec<String>> {
        let users = buyers::ensure(&self.client, count).await?;
        tokens::mint(&self.engine.secret, &users)
    }

    /// Makes another database of this server with the engine's schema, where no API and no worker is at work.
    pub async fn create_database(&self, name: &str) -> anyhow::Result<String> {
        self.client.batch_execute(&format!("create database {name}")).await?;
        let url = database::sibling_url(self.database_url(), name)?;
        engine::migrate(&self.engine.binary, &url)?;
        Ok(url)
    }

    /// Removes a database; the server waits a few seconds for the last connection to it to close.
    pub async fn drop_database(&self, name: &str) -> anyhow::Result<()> {
        Ok(self.client.batch_execute(&format!("drop database {name}")).await?)
    }

    /// Starts one of this binary's plain servers and waits until it listens.
    pub async fn start_plain(&self, name: &'static str, arguments: &[&str]) -> anyhow::Result<(Process, SocketAddr)> {
        let address = process::free_address()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(name).arg("--address").arg(address.to_string()).args(arguments);
        command.env("DATABASE_URL", self.database_url()).env("JWT_SECRET", &self.engine.secret);
        let mut plain = Process::start(name, command, &self.dir)?;
        plain.wait_until_listening(address, START_PATIENCE).await?;
        Ok((plain, address))
    }

    /// Processor seconds so far of everything that takes part in a purchase.
    pub fn cpu_seconds(&self) -> Vec<(&'static str, f64)> {
        let mut processes = vec![
            ("load generator", cpu::seconds(std::process::id())),
            ("api", cpu::seconds(self.api.pid())),
            ("worker", cpu::seconds(self.worker.pid())),
        ];
        processes.extend(self.redis.as_ref().map(|(redis, _)| ("redis", cpu::seconds(redis.pid()))));
        processes.extend(self.postgres_cpu_seconds());
        processes
    }

    pub fn postgres_cpu_seconds(&self) -> Option<(&'static str, f64)> {
        self.postgres.pid().map(|pid| ("postgres", cpu::seconds_with_children(pid)))
    }

    /// An error when the API or the worker has ended by itself.
    pub fn ensure_running(&mut self) -> anyhow::Result<()> {
        self.api.ensure_running()?;
        self.worker.ensure_running()
    }

    /// Stops everything. Answers the folder of the logs if they are to be kept; otherwise the folder is removed.
    pub async fn stop(self, keep_logs: bool) -> Option<PathBuf> {
        // Before its server goes away under it.
        drop(self.client);
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
