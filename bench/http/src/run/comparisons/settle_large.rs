//! Time to settle one order with few and with many older orders in the table: two databases of one server, in turn.

use super::{announce, in_turn};
use crate::books;
use crate::run::alone::Alone;
use crate::run::ratio::Side;
use crate::run::{Run, goals};

struct Table {
    alone: Alone,
    us_per_order: Vec<f64>,
}

pub async fn measure(run: &mut Run) -> anyhow::Result<()> {
    let mut small = prepare(run, "settle_small", run.settings.small_table).await?;
    let mut large = prepare(run, "settle_large", run.settings.large_table).await?;
    for round in 1..=run.settings.rounds {
        announce(round, run.settings.rounds);
        for table in in_turn(round, [&mut small, &mut large]) {
            let us_per_order = settle(run, &table.alone).await?;
            eprint!("  {} {us_per_order:.1} µs", table.alone.name);
            table.us_per_order.push(us_per_order);
        }
        eprintln!();
    }
    let unit = "microseconds per order";
    run.findings.ratios.push(goals::SETTLE_LARGE.of(
        Side::of("settling with the large table", unit, large.us_per_order),
        Side::of("settling with the small table", unit, small.us_per_order),
    ));
    for alone in [small.alone, large.alone] {
        let row = alone.client.query_one("select count(*) from ops.sale_books where not balanced", &[]).await?;
        let unbalanced: i64 = row.get(0);
        let wrong = (unbalanced > 0).then(|| format!("{unbalanced} sales are not balanced"));
        run.findings.audited(alone.name, wrong.into_iter().collect());
        alone.remove(&run.testbed).await?;
    }
    Ok(())
}

async fn prepare(run: &mut Run, name: &'static str, orders: u32) -> anyhow::Result<Table> {
    let alone = Alone::with_older_orders(&run.testbed, name, orders).await?;
    // Once without counting: connections, plans and caches are warm.
    settle(run, &alone).await?;
    Ok(Table { alone, us_per_order: Vec::new() })
}

/// Queues orders of a fresh sale, then settles them all. Answers microseconds of settling per order.
async fn settle(run: &mut Run, alone: &Alone) -> anyhow::Result<f64> {
    let Run { settings, testbed, findings } = run;
    let orders = settings.settle_orders;
    let sale = alone.open_sale(testbed, orders).await?;
    alone.queue(testbed, settings, orders).await?;
    alone.checkpoint().await?;
    let elapsed = alone.settle(settings, orders).await?;
    findings.audited(alone.name, books::audit(&alone.client, sale, i64::from(orders)).await?);
    Ok(elapsed.as_secs_f64() * 1e6 / f64::from(orders))
}
