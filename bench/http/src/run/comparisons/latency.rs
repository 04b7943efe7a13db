//! How long an accepted purchase takes at half of the rate that can be bought at, against a constant at that same rate.
//! Open loop: latency counts from when a request was due.

use super::announce;
use crate::client::Pace;
use crate::run::crowd::Crowd;
use crate::run::plain::Answers;
use crate::run::ratio::Side;
use crate::run::shop::{Shop, WARM_UP_ORDERS};
use crate::run::{Run, goals};

pub async fn measure(run: &mut Run) -> anyhow::Result<()> {
    let tokens = run.testbed.tokens(run.settings.orders + WARM_UP_ORDERS).await?;
    let answers = Answers::record(&run.testbed, &tokens).await?;
    let (plain, plain_address) = answers.serve(&run.testbed, &answers.accepted).await?;
    let buy = Shop::engine("latency_buy", &run.testbed);
    let half = Shop::engine("accepted_at_half_rate", &run.testbed);
    let (mut rates, mut accepted, mut constant) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=run.settings.rounds {
        announce(round, run.settings.rounds);
        let rate = buy.sell_out(run, &tokens, Pace::Closed).await?.per_second / 2.0;
        accepted.push(half.sell_out(run, &tokens, Pace::Open(rate)).await?.p99_ms);

        let crowd = Crowd { connections: run.settings.connections, pace: Pace::Open(rate), starts_at: None };
        let answered = crowd.buy(&[plain_address], answers.sale, &tokens).await?;
        anyhow::ensure!(answered.count(200, "") == tokens.len() as u64, "constant: {}", answered.outcomes());
        eprintln!("  constant (p99 {:.1} ms)", answered.p99_ms);
        constant.push(answered.p99_ms);
        rates.push(rate);
    }
    plain.stop().await;
    let unit = "ms (99th percentile)";
    run.findings.ratios.push(goals::LATENCY.of(
        Side::of("until an accepted purchase is answered", unit, accepted),
        Side::of("until a constant is answered", unit, constant),
    ));
    run.findings.figures.push(Side::of("rate of both sides of the latencies", "requests per second", rates));
    Ok(())
}
