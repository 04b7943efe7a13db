//! Settling while the queue is that deep, with and without a transaction that a DBA forgot to end.

use std::time::{Duration, Instant};

use anyhow::Context;
use tokio_postgres::Client;

use super::Settings;
use super::scripts::{Drive, Script};
use super::series::Series;
use super::shop::{Intake, Shop};
use super::turns::{Contender, Measured, Sweep};
use crate::books::Sale;
use crate::run::process::Process;

const BATCH_MAX: u32 = 500;
/// Batches of one measurement, at least and at most.
const BATCHES: (u32, u32) = (20, 500);
/// How long pgbench is told to keep the transaction open (2,147 at most); it is ended when the measurement is.
const OPEN_SECONDS: &str = "seconds=1800";
const OPEN_PATIENCE: Duration = Duration::from_secs(10);
const POLL_INTERVAL: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transaction {
    None,
    Open,
}

const LINES: [(&str, Transaction); 2] =
    [("no other transaction", Transaction::None), ("a DBA's transaction left open", Transaction::Open)];

pub fn seconds(settings: &Settings, servers: usize) -> f64 {
    let each = |depth| seconds_to_fill(depth) + (LINES.len() * settings.rounds) as f64 * seconds_each(settings, depth);
    settings.depths.iter().map(|&depth| each(depth)).sum::<f64>() * servers as f64
}

fn seconds_to_fill(depth: u32) -> f64 {
    2.0 + f64::from(depth) / 8_000.0
}

fn seconds_each(settings: &Settings, depth: u32) -> f64 {
    let drive = drive(settings, depth);
    1.0 + f64::from(drive.rows()) / 6_000.0 + f64::from(drive.transactions) / 400.0
}

fn drive(settings: &Settings, depth: u32) -> Drive {
    let batch = depth.min(BATCH_MAX);
    let transactions = (settings.orders / batch).clamp(BATCHES.0, BATCHES.1);
    Drive { script: Script::SettleAndPlace, clients: 1, transactions, batch }
}

pub async fn queue_depth(sweep: &mut Sweep<'_>) -> anyhow::Result<Series> {
    let settings = sweep.settings;
    let mut series = Series {
        name: "queue-depth".to_owned(),
        title: "Settling at a queue depth".to_owned(),
        about: "One worker settles batches of 500 (or of the depth, when that is less) and as many orders are queued again \
                after each, so the depth stays; only the settling counts. The open transaction has a snapshot from before: \
                every message settled since stays as a dead row in front of the queue."
            .to_owned(),
        x_axis: "orders queued".to_owned(),
        y_axis: "microseconds per order".to_owned(),
        lines: Vec::new(),
    };
    let shops = sweep.open_shops("queue_depth").await?;
    for &depth in &settings.depths {
        let drive = drive(settings, depth);
        let sales = fill(sweep, &shops, depth, &drive).await?;
        let contenders: Vec<_> =
            shops.iter().flat_map(|shop| LINES.map(|(line, how)| Contender { shop, line, x: depth, how })).collect();
        let each = async |contender: &Contender<'_, Transaction>| settle(contender.shop, &drive, contender.how).await;
        sweep.in_turn(&mut series, &contenders, seconds_each(settings, depth), each).await?;
        for (shop, (sale, orders)) in shops.iter().zip(sales) {
            let what = format!("{}: depth {depth}, PostgreSQL {}", series.name, shop.postgres);
            sweep.progress.doing(&format!("{what}: settling the rest"));
            let wrong = shop.audit(sale, orders).await?;
            sweep.audited(&what, wrong);
            sweep.progress.advance(seconds_to_fill(depth) / 2.0);
        }
    }
    Ok(series)
}

/// Queues `depth` orders in a fresh sale of every shop. Answers the sales, and how many orders each will have had.
async fn fill(
    sweep: &mut Sweep<'_>,
    shops: &[Shop<'_>],
    depth: u32,
    drive: &Drive,
) -> anyhow::Result<Vec<(Sale, i64)>> {
    let measurements = u32::try_from(sweep.settings.rounds * LINES.len())?;
    let orders = depth + measurements * drive.rows();
    let mut sales = Vec::new();
    for shop in shops {
        sweep.progress.doing(&format!("queueing {depth} orders, PostgreSQL {}", shop.postgres));
        let sale = shop.open_sale(orders, Intake::On).await?;
        shop.place(depth).await?;
        sales.push((sale, i64::from(orders)));
        sweep.progress.advance(seconds_to_fill(depth) / 2.0);
    }
    Ok(sales)
}

/// Microseconds per order while the depth stays.
async fn settle(shop: &Shop<'_>, drive: &Drive, transaction: Transaction) -> anyhow::Result<Measured> {
    // Nobody pays for dead rows that an earlier measurement has left.
    let clean = "vacuum pgmq.q_purchases, flashsale.flash_sales, flashsale.sale_intakes";
    shop.client.batch_execute(clean).await?;
    shop.checkpoint().await?;
    let forgotten = match transaction {
        Transaction::Open => Some(forget_transaction(shop).await?),
        Transaction::None => None,
    };
    let driven = shop.drive(drive).await;
    if let Some(mut forgotten) = forgotten {
        forgotten.ensure_running().context("the open transaction was over before the measurement")?;
        forgotten.stop().await;
        wait_for_snapshots(&shop.client, 0).await?;
    }
    let us_per_batch = driven?.latency_ms("settle_orders(")? * 1e3;
    Ok(Measured { figure: us_per_batch / f64::from(drive.batch), audit: None })
}

/// Starts open_transaction.sql; returns once its snapshot is taken.
async fn forget_transaction(shop: &Shop<'_>) -> anyhow::Result<Process> {
    let process = shop.start(Script::OpenTransaction, &["-t", "1", "-D", OPEN_SECONDS])?;
    wait_for_snapshots(&shop.client, 1).await?;
    Ok(process)
}

/// Waits until so many idle transactions hold a snapshot in this database.
async fn wait_for_snapshots(client: &Client, count: i64) -> anyhow::Result<()> {
    let query = "select count(*) from pg_catalog.pg_stat_activity a
                 where a.datname = current_database() and a.state = 'idle in transaction' and a.backend_xmin is not null";
    let deadline = Instant::now() + OPEN_PATIENCE;
    loop {
        let found: i64 = client.query_one(query, &[]).await?.get(0);
        if found == count {
            return Ok(());
        }
        anyhow::ensure!(
            Instant::now() < deadline,
            "{found} idle transactions hold a snapshot instead of {count}, after {OPEN_PATIENCE:?}"
        );
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
