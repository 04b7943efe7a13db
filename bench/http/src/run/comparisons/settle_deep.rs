//! Time to settle one order from a deep and from a shallow queue: two databases of one server, in turn. Both hold as many
//! orders: those that wait in the one are settled orders of the past in the other.

use std::time::Duration;

use super::{announce, in_turn};
use crate::books::{self, Sale};
use crate::run::alone::Alone;
use crate::run::ratio::Side;
use crate::run::settings::Settings;
use crate::run::{Run, goals};

pub async fn measure(run: &mut Run) -> anyhow::Result<()> {
    let (rounds, orders) = (run.settings.rounds, run.settings.settle_orders);
    let shallow = Alone::with_older_orders(&run.testbed, "settle_shallow", run.settings.deep_queue).await?;
    let (deep, deep_sale) = fill_queue(run).await?;
    let (mut from_deep, mut from_shallow) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        announce(round, rounds);
        for is_deep in in_turn(round, [false, true]) {
            let elapsed =
                if is_deep { deep.settle(&run.settings, orders).await? } else { settle_shallow(run, &shallow).await? };
            let us_per_order = elapsed.as_secs_f64() * 1e6 / f64::from(orders);
            eprint!("  {} {us_per_order:.1} µs", if is_deep { deep.name } else { shallow.name });
            if round > 0 {
                let times = if is_deep { &mut from_deep } else { &mut from_shallow };
                times.push(us_per_order);
            }
        }
        eprintln!();
    }
    let unit = "microseconds per order";
    run.findings.ratios.push(goals::SETTLE_DEEP.of(
        Side::of("settling from the deep queue", unit, from_deep),
        Side::of("settling from the shallow queue", unit, from_shallow),
    ));
    eprintln!("  draining the deep queue");
    deep.settle(&run.settings, u32::MAX).await?;
    let sold = i64::from(orders_of_the_deep_queue(&run.settings));
    run.findings.audited(deep.name, books::audit(&deep.client, deep_sale, sold).await?);
    deep.remove(&run.testbed).await?;
    shallow.remove(&run.testbed).await
}

/// As many as are to be settled in all rounds, on top of those that make it deep: it is never shallower than it says.
fn orders_of_the_deep_queue(settings: &Settings) -> u32 {
    let rounds = u32::try_from(settings.rounds).unwrap_or(u32::MAX).saturating_add(1);
    settings.deep_queue.saturating_add(settings.settle_orders.saturating_mul(rounds))
}

async fn fill_queue(run: &Run) -> anyhow::Result<(Alone, Sale)> {
    let orders = orders_of_the_deep_queue(&run.settings);
    eprintln!("  settle_deep: queueing {orders} orders");
    let deep = Alone::create(&run.testbed, "settle_deep").await?;
    let sale = deep.open_sale(&run.testbed, orders).await?;
    deep.queue(&run.testbed, &run.settings, orders).await?;
    deep.client.batch_execute("vacuum (analyze)").await?;
    deep.checkpoint().await?;
    Ok((deep, sale))
}

/// Settles the same number of orders, queued a few at a time; only the settling counts.
async fn settle_shallow(run: &mut Run, shallow: &Alone) -> anyhow::Result<Duration> {
    let Run { settings, testbed, findings } = run;
    let (orders, depth) = (settings.settle_orders, settings.shallow_queue);
    let sale = shallow.open_sale(testbed, orders).await?;
    let mut elapsed = Duration::ZERO;
    for _ in 0..orders / depth {
        shallow.queue(testbed, settings, depth).await?;
        // As the deep queue has had one since its orders were placed.
        shallow.checkpoint().await?;
        elapsed += shallow.settle(settings, depth).await?;
    }
    findings.audited(shallow.name, books::audit(&shallow.client, sale, i64::from(orders)).await?);
    Ok(elapsed)
}
