//! A herd at the start of a sale: 50 users for every unit, each sending one purchase within the first second, against the
//! same number of purchases by a crowd that finds a unit each.

use super::announce;
use crate::books;
use crate::client::Pace;
use crate::run::crowd::{Bought, Crowd, PATIENCE};
use crate::run::ratio::Side;
use crate::run::shop::{Shop, WARM_UP_ORDERS};
use crate::run::shop_window::wait_until_upcoming;
use crate::run::{Run, goals};

/// From opening the sale until it begins: time for the herd to connect.
const LEAD_SECONDS: f64 = 3.0;

pub async fn measure(run: &mut Run) -> anyhow::Result<()> {
    let units = run.settings.herd_units;
    let tokens = run.testbed.tokens(run.settings.herd_users.max(units + WARM_UP_ORDERS)).await?;
    let herd = &tokens[..run.settings.herd_users as usize];
    let crowd = &tokens[..(units + WARM_UP_ORDERS) as usize];
    let shop = Shop::engine("herd_buy", &run.testbed);
    let (mut rushed, mut bought, mut p99) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=run.settings.rounds {
        announce(round, run.settings.rounds);
        bought.push(shop.sell_out(run, crowd, Pace::Closed).await?.seconds);
        let rush = rush(run, herd).await?;
        rushed.push(rush.seconds);
        p99.push(rush.p99_ms);
        eprintln!();
    }
    let unit = "seconds until the last unit is sold";
    run.findings.ratios.push(
        goals::HERD.of(Side::of("to a herd at the start", unit, rushed), Side::of("to as many buyers", unit, bought)),
    );
    run.findings.figures.push(Side::of("99th percentile of a herd's answers", "ms from when each was due", p99));
    Ok(())
}

struct Rush {
    seconds: f64,
    p99_ms: f64,
}

/// Lets the herd loose at the moment a sale begins; the last unit is sold when the database says so.
async fn rush(run: &mut Run, herd: &[String]) -> anyhow::Result<Rush> {
    let shop = Shop::engine("herd", &run.testbed);
    let (client, units) = (&run.testbed.client, i32::try_from(run.settings.herd_units)?);
    client.batch_execute("checkpoint").await?;
    let sale = books::schedule_sale(client, units, LEAD_SECONDS).await?;
    wait_until_upcoming(run.testbed.api_address, sale).await?;
    let begins_at = books::begins_at(client, sale).await?;
    let crowd = Crowd {
        connections: run.settings.herd_connections,
        pace: Pace::Open(herd.len() as f64),
        starts_at: Some(begins_at),
    };
    let (bought, sold_at) = tokio::try_join!(
        crowd.buy(&shop.servers, sale, herd),
        books::wait_until_settled(client, sale, units, PATIENCE)
    )?;
    let seconds = sold_at.duration_since(begins_at).as_secs_f64();
    run.testbed.ensure_running()?;
    shop.audit(run, sale, &bought, units.unsigned_abs() as usize).await?;
    audit_refusals(run, herd.len(), &bought);
    eprint!("  herd sold out in {seconds:.3} s (p99 {:.0} ms)", bought.p99_ms);
    Ok(Rush { seconds, p99_ms: bought.p99_ms })
}

/// Whoever got no unit must have been told so, by that reason.
fn audit_refusals(run: &mut Run, users: usize, bought: &Bought) {
    let told = bought.count(200, "") + bought.count(400, "sold_out");
    let wrong = (told != users as u64)
        .then(|| format!("not everybody got a unit or the answer that it is sold out: {}", bought.outcomes()));
    run.findings.audited("herd", wrong.into_iter().collect());
}
