//! Purchases confirmed per second: over HTTP, by pgbench alone, and from a plain handler.

use super::announce;
use crate::books;
use crate::client::Pace;
use crate::run::alone::Alone;
use crate::run::cpu::{self, Meter};
use crate::run::pgbench::{self, Batches, Script};
use crate::run::ratio::Side;
use crate::run::shop::{Shop, WARM_UP_ORDERS};
use crate::run::testbed::Testbed;
use crate::run::{Run, goals};

pub async fn measure(run: &mut Run) -> anyhow::Result<()> {
    let (orders, naive_orders) = (run.settings.orders, run.settings.naive_orders);
    let tokens = run.testbed.tokens(orders.max(naive_orders) + WARM_UP_ORDERS).await?;
    let tokens_of = |orders: u32| &tokens[..(orders + WARM_UP_ORDERS) as usize];
    // In a database of its own, or the worker would settle what pgbench places.
    let alone = Alone::create(&run.testbed, "pgbench_alone").await?;
    let pool_size = run.settings.pool_size.to_string();
    let (naive, naive_address) = run.testbed.start_plain("serve-naive", &["--pool-size", &pool_size]).await?;
    let engine = Shop::engine("buy", &run.testbed);
    let plain = Shop::plain("naive", naive_address);
    let (mut bought, mut by_pgbench, mut by_naive) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=run.settings.rounds {
        announce(round, run.settings.rounds);
        bought.push(engine.sell_out(run, tokens_of(orders), Pace::Closed).await?.per_second);
        by_pgbench.push(drive(run, &alone).await?);
        by_naive.push(plain.sell_out(run, tokens_of(naive_orders), Pace::Closed).await?.per_second);
        eprintln!();
    }
    naive.stop().await;
    alone.remove(&run.testbed).await?;
    let unit = "orders per second";
    let bought = Side::of("orders confirmed over HTTP", unit, bought);
    let by_pgbench = Side::of("orders placed and settled by pgbench", unit, by_pgbench);
    let by_naive = Side::of("orders of a plain handler", unit, by_naive);
    run.findings.ratios.push(goals::BUY_PGBENCH.of(bought.clone(), by_pgbench));
    run.findings.ratios.push(goals::BUY_NAIVE.of(bought, by_naive));
    Ok(())
}

/// The same number of orders by pgbench, in a sale of their own. Answers orders per second.
async fn drive(run: &mut Run, alone: &Alone) -> anyhow::Result<f64> {
    let Run { settings, testbed, findings } = run;
    let orders = settings.orders;
    let sale = alone.open_sale(testbed, orders).await?;
    alone.checkpoint().await?;
    let batches = Batches { clients: settings.pgbench_clients, batch: settings.pgbench_batch, orders };
    let before = meter(testbed);
    let per_second = pgbench::drive(testbed, &alone.url, Script::PlaceAndSettle, &batches).await?;
    let left_over = pgbench::settle(&alone.client, settings.pgbench_batch, u32::MAX).await?;
    let seconds = f64::from(orders) / per_second + left_over.as_secs_f64();
    findings.cpu_seconds.extend(before.until(&meter(testbed), seconds, u64::from(orders)));
    findings.audited("pgbench", books::audit(&alone.client, sale, i64::from(orders)).await?);
    let per_second = f64::from(orders) / seconds;
    eprint!("  pgbench {per_second:.0}/s");
    Ok(per_second)
}

/// Processor time of pgbench and the database.
fn meter(testbed: &Testbed) -> Meter {
    let mut processes = vec![("pgbench", cpu::seconds_of_ended_children())];
    processes.extend(testbed.postgres_cpu_seconds());
    Meter::read("pgbench", processes)
}
