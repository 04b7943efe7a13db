//! What the figures were measured on: figures of different machines are not to be compared.

use std::fs;
use std::process::Command;

use serde::Serialize;

use super::testbed::Testbed;
use crate::database;

#[derive(Debug, Serialize)]
pub struct Machine {
    pub commit: Option<String>,
    pub hardware: Hardware,
    pub versions: Versions,
}

#[derive(Debug, Serialize)]
pub struct Hardware {
    pub cores: usize,
    pub cpu: Option<String>,
    pub memory_mib: Option<u64>,
    pub kernel: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct Versions {
    pub engine: Option<String>,
    pub postgres: Option<String>,
    /// Settings of the server that are not PostgreSQL's defaults, and some that decide what a commit costs.
    pub postgres_settings: Vec<(String, String)>,
    pub pgbench: Option<String>,
    pub redis: Option<String>,
    pub rustc: Option<String>,
}

pub async fn describe(testbed: &Testbed) -> Machine {
    Machine {
        commit: commit(),
        hardware: hardware(),
        versions: Versions {
            engine: first_line(Command::new(&testbed.engine.binary).arg("--version")),
            postgres: postgres_version(testbed.database_url()).await,
            postgres_settings: postgres_settings(testbed.database_url()).await.unwrap_or_default(),
            pgbench: first_line(Command::new(&testbed.pgbench).arg("--version")),
            redis: testbed.redis_url().and_then(|_| first_line(Command::new("redis-server").arg("--version"))),
            rustc: first_line(Command::new("rustc").arg("--version")),
        },
    }
}

pub fn commit() -> Option<String> {
    first_line(Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]))
}

pub fn hardware() -> Hardware {
    let memory_kib = field_of("/proc/meminfo", "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    Hardware {
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        cpu: field_of("/proc/cpuinfo", "model name"),
        memory_mib: memory_kib.map(|kib| kib / 1024),
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease").ok().map(|text| text.trim().to_owned()),
    }
}

pub async fn postgres_version(url: &str) -> Option<String> {
    let client = database::connect(url).await.ok()?;
    client.query_one("select version()", &[]).await.ok()?.try_get(0).ok()
}

/// Folders and files are left out: they say where the run was, not how the server works.
pub async fn postgres_settings(url: &str) -> anyhow::Result<Vec<(String, String)>> {
    let client = database::connect(url).await?;
    let rows = client
        .query(
            "select name, current_setting(name) from pg_catalog.pg_settings
             where source not in ('default', 'override', 'client', 'session') and category not like 'File Locations%'
                 or name in ('wal_sync_method', 'commit_delay', 'autovacuum', 'wal_level')
             order by name",
            &[],
        )
        .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// What follows `name:` in a file of /proc.
fn field_of(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The first line a program prints; nothing when it fails.
pub fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()?.lines().next().map(|line| line.trim().to_owned())
}
