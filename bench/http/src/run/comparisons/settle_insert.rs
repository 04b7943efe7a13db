//! Settling against the least that any settling could be: one plain INSERT of the same rows into the same table.
//!
//! Two databases hold the same orders at all times. In one they are placed and settled; the settled rows are copied to a
//! staging table of the other and inserted there from it. Only the settling and the INSERT are timed. The second database
//! has no sales, hence no books: what is audited is that every row arrived.

use std::pin::pin;
use std::time::Instant;

use axum::body::Bytes;
use futures_util::StreamExt;

use super::announce;
use crate::books::{self, Sale};
use crate::run::alone::Alone;
use crate::run::ratio::Side;
use crate::run::{Run, goals};

const STAGING: &str = "create schema bench; create table bench.staging (like flashsale.orders)";

pub async fn measure(run: &mut Run) -> anyhow::Result<()> {
    let rounds = run.settings.rounds;
    let settling = Alone::create(&run.testbed, "settle_orders").await?;
    let inserting = Alone::create(&run.testbed, "insert_orders").await?;
    inserting.client.batch_execute(STAGING).await?;
    let (mut settled, mut inserted) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        announce(round, rounds);
        let (sale, settled_per_second) = settle(run, &settling).await?;
        copy_rows(&settling, &inserting, sale).await?;
        let inserted_per_second = insert(run, &inserting, sale).await?;
        eprintln!("  settled {settled_per_second:.0}/s  inserted {inserted_per_second:.0}/s");
        if round > 0 {
            settled.push(settled_per_second);
            inserted.push(inserted_per_second);
        }
    }
    let unit = "orders per second";
    run.findings.ratios.push(goals::SETTLE_INSERT.of(
        Side::of("orders settled from the queue", unit, settled),
        Side::of("the same rows by one INSERT", unit, inserted),
    ));
    settling.remove(&run.testbed).await?;
    inserting.remove(&run.testbed).await
}

async fn settle(run: &mut Run, settling: &Alone) -> anyhow::Result<(Sale, f64)> {
    let Run { settings, testbed, findings } = run;
    let orders = settings.settle_orders;
    let sale = settling.open_sale(testbed, orders).await?;
    // Before the orders are placed: in a shop they are settled moments later, on pages that the log has in full already.
    settling.checkpoint().await?;
    settling.queue(testbed, settings, orders).await?;
    let elapsed = settling.settle(settings, orders).await?;
    findings.audited(settling.name, books::audit(&settling.client, sale, i64::from(orders)).await?);
    Ok((sale, f64::from(orders) / elapsed.as_secs_f64()))
}

/// The settled orders of a sale, in the order they lie in the table, to the staging table.
async fn copy_rows(from: &Alone, to: &Alone, sale: Sale) -> anyhow::Result<()> {
    let select = format!("select * from flashsale.orders where product_id = '{}' order by ctid", sale.product_id);
    let rows = from.client.copy_out(&format!("copy ({select}) to stdout (format binary)")).await?;
    to.client.batch_execute("truncate bench.staging").await?;
    to.checkpoint().await?;
    let staging = to.client.copy_in::<_, Bytes>("copy bench.staging from stdin (format binary)").await?;
    rows.forward(pin!(staging)).await?;
    Ok(to.client.batch_execute("analyze bench.staging").await?)
}

async fn insert(run: &mut Run, inserting: &Alone, sale: Sale) -> anyhow::Result<f64> {
    let started_at = Instant::now();
    let rows = inserting.client.execute("insert into flashsale.orders select * from bench.staging", &[]).await?;
    let elapsed = started_at.elapsed();
    let expected = u64::from(run.settings.settle_orders);
    let wrong = (rows != expected).then(|| format!("{rows} rows of {} instead of {expected}", sale.product_id));
    run.findings.audited(inserting.name, wrong.into_iter().collect());
    Ok(rows as f64 / elapsed.as_secs_f64())
}
