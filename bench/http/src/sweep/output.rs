//! What a sweep leaves behind: the series as JSON, with what they were measured on.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use chrono::{SecondsFormat, Utc};
use serde::Serialize;
use serde_json::json;

use super::Settings;
use super::scripts::Programs;
use super::series::Series;
use super::server::Server;
use super::turns::Books;
use crate::run::machine::{self, Hardware};

#[derive(Serialize)]
pub struct Origin {
    commit: Option<String>,
    hardware: Hardware,
    versions: Versions,
    servers: Vec<Described>,
}

#[derive(Serialize)]
struct Versions {
    engine: Option<String>,
    pgbench: Option<String>,
    rustc: Option<String>,
}

#[derive(Serialize)]
struct Described {
    /// As the lines of the series name it.
    postgres: String,
    version: Option<String>,
    settings: Vec<(String, String)>,
}

impl Origin {
    pub async fn of(programs: &Programs, servers: &[Server]) -> Self {
        let version = |program: &Path| machine::first_line(Command::new(program).arg("--version"));
        let mut described = Vec::new();
        for server in servers {
            described.push(Described {
                postgres: server.version.clone(),
                version: machine::postgres_version(&server.url).await,
                settings: machine::postgres_settings(&server.url).await.unwrap_or_default(),
            });
        }
        Self {
            commit: machine::commit(),
            hardware: machine::hardware(),
            versions: Versions {
                engine: version(&programs.engine),
                pgbench: version(&programs.pgbench),
                rustc: version(Path::new("rustc")),
            },
            servers: described,
        }
    }
}

pub fn write(
    path: &Path,
    settings: &Settings,
    origin: &Origin,
    books: &Books,
    series: &[Series],
    took: Duration,
) -> anyhow::Result<()> {
    let output = json!({
        "generated_at": Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
        "commit": origin.commit,
        "took_seconds": took.as_secs(),
        "hardware": origin.hardware,
        "versions": origin.versions,
        "servers": origin.servers,
        "settings": settings,
        "books": { "balanced": books.wrong.is_empty(), "audits": books.audits, "violations": books.wrong },
        "series": series,
    });
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    fs::write(path, format!("{output:#}\n")).with_context(|| format!("cannot write {}", path.display()))
}

pub fn print(series: &[Series], books: &Books, took: Duration) {
    for one in series {
        println!("\n{} ({}, by {})", one.title, one.y_axis, one.x_axis);
        for line in &one.lines {
            println!("  {}, PostgreSQL {}", line.name, line.postgres);
            for point in &line.points {
                println!("  {:>12} {:>12.1}   ({:.1}–{:.1})", point.x, point.median, point.min, point.max);
            }
        }
    }
    let verdict = if books.wrong.is_empty() { "balanced" } else { "DO NOT BALANCE" };
    println!("\nbooks: {verdict} ({} audits) · took {} s", books.audits, took.as_secs());
    for sentence in &books.wrong {
        println!("  {sentence}");
    }
}
