//! Time to settle one order with few and with many older orders in the table: two databases of one server, in turn.

use std::time::{Duration, Instant};

use tokio_postgres::Client;

use super::pgbench::{self, Batches, Script};
use super::ratio::{Comparison, Side};
use super::testbed::Testbed;
use super::{Findings, Settings};
use crate::books;
use crate::database;

const FILL_TABLE: &str = include_str!("fill_table.sql");

/// One database with its table of older orders.
struct Table {
    url: String,
    client: Client,
    name: &'static str,
}

pub async fn measure(settings: &Settings, testbed: &mut Testbed, findings: &mut Findings) -> anyhow::Result<()> {
    let small = prepare(testbed, "settle_small", settings.small_table).await?;
    let large = prepare(testbed, "settle_large", settings.large_table).await?;
    // Once without counting: connections, plans and caches are warm.
    for table in [&large, &small] {
        settle_all(settings, testbed, table, findings).await?;
    }
    let (mut with_few, mut with_many) = (Vec::new(), Vec::new());
    for round in 1..=settings.rounds {
        eprint!("settle {round}/{}:", settings.rounds);
        // The order alternates, so that a machine that slows down or speeds up favours neither.
        let tables = if round % 2 == 1 { [&small, &large] } else { [&large, &small] };
        for table in tables {
            let us_per_order = settle_all(settings, testbed, table, findings).await?.as_secs_f64() * 1e6
                / f64::from(settings.settle_orders);
            eprint!("  {} {us_per_order:.1} µs", table.name);
            let times = if std::ptr::eq(table, &raw const small) { &mut with_few } else { &mut with_many };
            times.push(us_per_order);
        }
        eprintln!();
    }
    let unit = "microseconds per order";
    findings.ratios.push(Comparison::at_most("settle_large/settle_small", 1.3).of(
        Side::of("settling with the large table", unit, with_many),
        Side::of("settling with the small table", unit, with_few),
    ));
    for table in [small, large] {
        let row = table.client.query_one("select count(*) from ops.sale_books where not balanced", &[]).await?;
        let unbalanced: i64 = row.get(0);
        let wrong = (unbalanced > 0).then(|| format!("{unbalanced} sales are not balanced"));
        findings.audited(table.name, wrong.into_iter().collect());
    }
    Ok(())
}

/// A database of the engine's schema whose sales of the past have sold `orders` units.
async fn prepare(testbed: &Testbed, name: &'static str, orders: u32) -> anyhow::Result<Table> {
    let started_at = Instant::now();
    let url = testbed.create_database(name).await?;
    let client = database::connect(&url).await?;
    client.batch_execute(&FILL_TABLE.replace(":orders", &orders.to_string())).await?;
    client.batch_execute("vacuum (freeze, analyze)").await?;
    client.batch_execute("checkpoint").await?;
    eprintln!("{name}: {orders} older orders written in {:.1} s", started_at.elapsed().as_secs_f64());
    Ok(Table { url, client, name })
}

/// Queues orders of a fresh sale, then settles them all; only the settling is timed.
async fn settle_all(
    settings: &Settings,
    testbed: &Testbed,
    table: &Table,
    findings: &mut Findings,
) -> anyhow::Result<Duration> {
    let orders = settings.settle_orders;
    let sale = pgbench::set_up(testbed, &table.url, &table.client, orders).await?;
    let batches = Batches { clients: 1, batch: settings.pgbench_batch, orders };
    pgbench::drive(testbed, &table.url, Script::Place, &batches).await?;
    table.client.batch_execute("checkpoint").await?;
    let elapsed = pgbench::settle_all(&table.client, settings.settle_batch).await?;
    findings.audited(table.name, books::audit(&table.client, sale, i64::from(orders)).await?);
    Ok(elapsed)
}
