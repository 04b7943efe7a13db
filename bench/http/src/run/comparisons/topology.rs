//! Two APIs and two workers against one of each, on the same cores, asked by the same buyers.

use std::net::SocketAddr;

use super::{announce, in_turn};
use crate::client::Pace;
use crate::run::process::Process;
use crate::run::ratio::Side;
use crate::run::shop::{Shop, WARM_UP_ORDERS};
use crate::run::testbed::Testbed;
use crate::run::{Run, goals};

pub async fn measure(run: &mut Run) -> anyhow::Result<()> {
    let tokens = run.testbed.tokens(run.settings.topology_orders + WARM_UP_ORDERS).await?;
    let (mut two, mut one) = (Vec::new(), Vec::new());
    for round in 1..=run.settings.rounds {
        announce(round, run.settings.rounds);
        for is_two in in_turn(round, [false, true]) {
            let api = run.testbed.api_address;
            if is_two {
                let second = Pair::start(&run.testbed).await?;
                let helpers = vec![("second api", second.api.pid()), ("second worker", second.worker.pid())];
                let shop =
                    Shop { name: "two_and_two", servers: vec![api, second.api_address], helpers, is_engine: true };
                two.push(shop.sell_out(run, &tokens, Pace::Closed).await?.per_second);
                second.stop().await?;
            } else {
                // Named twice, so that two load generators are at work here too.
                let shop = Shop { name: "one_and_one", servers: vec![api, api], helpers: Vec::new(), is_engine: true };
                one.push(shop.sell_out(run, &tokens, Pace::Closed).await?.per_second);
            }
        }
        eprintln!();
    }
    let unit = "orders per second";
    run.findings.ratios.push(
        goals::TWO_AND_TWO
            .of(Side::of("by two APIs and two workers", unit, two), Side::of("by one API and one worker", unit, one)),
    );
    Ok(())
}

/// A second API and a second worker, running only while they are measured.
struct Pair {
    api: Process,
    api_address: SocketAddr,
    worker: Process,
}

impl Pair {
    async fn start(testbed: &Testbed) -> anyhow::Result<Self> {
        let (api, api_address) = testbed.engine.start_api("api-2", testbed.backends()).await?;
        let worker = testbed.engine.start_worker("worker-2", testbed.backends())?;
        Ok(Self { api, api_address, worker })
    }

    async fn stop(mut self) -> anyhow::Result<()> {
        self.api.ensure_running()?;
        self.worker.ensure_running()?;
        self.api.stop().await;
        self.worker.stop().await;
        Ok(())
    }
}
