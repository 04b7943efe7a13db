//! The engine's SQL driven by pgbench alone: what PostgreSQL gives when nothing but the database costs anything.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio_postgres::Client;

use super::process::find_program;
use super::testbed::Testbed;
use crate::books::Sale;

const SETUP: &str = include_str!("../../../pgbench/setup.sql");
const PLACE_ORDERS: &str = include_str!("../../../pgbench/place_orders.sql");
const SETTLE_ORDERS: &str = include_str!("../../../pgbench/settle_orders.sql");

/// What one transaction of a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// Fill the queue.
    Place,
    /// Place a batch, commit, settle a batch, commit: with two clients or more both go on at once, and no call finds
    /// the queue empty. Now and then two settle at the same moment and one of them takes less than a batch, as it does
    /// not see what was placed since it began: [`settle`] takes what is left over.
    PlaceAndSettle,
}

/// pgbench and psql, in PATH or where Debian keeps them.
pub fn find_programs() -> anyhow::Result<(PathBuf, PathBuf)> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort_by(|a, b| b.cmp(a));
    let find = |program| {
        find_program(program, &folders)
            .with_context(|| format!("{program} is missing: install PostgreSQL's client programs (Debian: postgresql)"))
    };
    Ok((find("pgbench")?, find("psql")?))
}

/// Users 1 to `users`, and a fresh sale that they have not bought in.
pub async fn set_up(testbed: &Testbed, database_url: &str, client: &Client, users: u32) -> anyhow::Result<Sale> {
    let file = testbed.dir().join("setup.sql");
    fs::write(&file, SETUP)?;
    let mut command = Command::new(&testbed.psql);
    command.args(["-qX", "-v", &format!("users={users}"), "-f"]).arg(&file).arg(database_url);
    run(&mut command).await?;
    let row = client
        .query_one(
            "select s.flash_sale_id, s.product_id, s.quantity
             from bench.sale b join flashsale.flash_sales s on s.flash_sale_id = b.flash_sale_id",
            &[],
        )
        .await?;
    Ok(Sale { flash_sale_id: row.get(0), product_id: row.get(1), quantity: row.get(2) })
}

pub struct Batches {
    pub clients: u32,
    pub batch: u32,
    /// Orders in all; a multiple of `clients` times `batch`.
    pub orders: u32,
}

/// Runs the script until all orders went through it. Answers orders per second, without the time to connect.
pub async fn drive(testbed: &Testbed, database_url: &str, script: Script, batches: &Batches) -> anyhow::Result<f64> {
    let file = testbed.dir().join("pgbench.sql");
    match script {
        Script::Place => fs::write(&file, PLACE_ORDERS)?,
        Script::PlaceAndSettle => fs::write(&file, format!("{PLACE_ORDERS}\n{SETTLE_ORDERS}"))?,
    }
    let Batches { clients, batch, orders } = batches;
    let transactions = orders / (clients * batch);
    let mut command = Command::new(&testbed.pgbench);
    command.args(["-n", "-M", "prepared", "-D", &format!("batch={batch}"), "-c", &clients.to_string()]);
    command.args(["-j", &clients.to_string(), "-t", &transactions.to_string(), "-f"]).arg(&file).arg(database_url);
    Ok(transactions_per_second(&run(&mut command).await?)? * f64::from(*batch))
}

/// The rate in what pgbench printed, without the time to connect.
pub fn transactions_per_second(said: &str) -> anyhow::Result<f64> {
    let tps = said.lines().find_map(|line| line.strip_prefix("tps = ")).context("pgbench printed no tps")?;
    tps.split(' ').next().unwrap_or_default().parse().context("pgbench printed a strange tps")
}

/// Settles in batches until so many orders were taken off the queue, or none is left. Answers the time until the last
/// one was settled.
pub async fn settle(client: &Client, batch_max: u32, orders_max: u32) -> anyhow::Result<Duration> {
    let settle = client.prepare("select messages from flashsale.settle_orders($1)").await?;
    let batch_max = i32::try_from(batch_max)?;
    let started_at = Instant::now();
    let (mut taken, mut elapsed) = (0, Duration::ZERO);
    while taken < i64::from(orders_max) {
        let messages: i32 = client.query_one(&settle, &[&batch_max]).await?.get(0);
        if messages == 0 {
            break;
        }
        taken += i64::from(messages);
        elapsed = started_at.elapsed();
    }
    Ok(elapsed)
}

/// Runs a client program to its end. Answers what it printed; an error has what it complained about.
pub async fn run(command: &mut Command) -> anyhow::Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = tokio::process::Command::from(std::mem::replace(command, Command::new(&program))).output().await;
    let output = output.with_context(|| format!("cannot start {program}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{program} failed: {said}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
