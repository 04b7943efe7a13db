//! A shop that sells a sale out to the last unit: the measurement that most comparisons are made of.

use std::net::SocketAddr;

use anyhow::Context;

use super::Run;
use super::cpu::{self, Meter};
use super::crowd::{Bought, Crowd, PATIENCE};
use super::shop_window::{audit_sold_out, wait_until_on_sale};
use super::testbed::Testbed;
use crate::books::{self, Sale};
use crate::client::Pace;

/// Purchases before the clock starts: the database's connections are open, plans are made, the sale is known everywhere.
pub const WARM_UP_ORDERS: u32 = 64;

/// One server of the engine or several, or a plain handler on the engine's tables.
pub struct Shop {
    pub name: &'static str,
    /// Each is asked by a load generator of its own; the same one may be named twice.
    pub servers: Vec<SocketAddr>,
    /// Processes whose processor time counts, besides those of the testbed.
    pub helpers: Vec<(&'static str, u32)>,
    pub is_engine: bool,
}

/// A sale from its first purchase until its last order is a success in the database and the queue is empty.
pub struct Sold {
    pub seconds: f64,
    pub per_second: f64,
    /// From sending a purchase (closed loop) or from when it was due (open loop) until its answer.
    pub p99_ms: f64,
}

impl Shop {
    /// The API of the testbed.
    pub fn engine(name: &'static str, testbed: &Testbed) -> Self {
        Self { name, servers: vec![testbed.api_address], helpers: Vec::new(), is_engine: true }
    }

    pub fn plain(name: &'static str, address: SocketAddr) -> Self {
        Self { name, servers: vec![address], helpers: Vec::new(), is_engine: false }
    }

    /// Sells a fresh sale out, a unit to each token; the first [`WARM_UP_ORDERS`] before the clock starts.
    pub async fn sell_out(&self, run: &mut Run, tokens: &[String], pace: Pace) -> anyhow::Result<Sold> {
        let (early, rest) = tokens.split_at(tokens.len().min(WARM_UP_ORDERS as usize));
        let sale = self.open(run, tokens.len()).await?;
        let crowd = Crowd { connections: run.settings.connections, pace, starts_at: None };
        self.warm_up(run, sale, early).await?;

        let before = self.meter(&run.testbed);
        let bought = crowd.buy(&self.servers, sale, rest).await?;
        let settled = books::wait_until_settled(&run.testbed.client, sale, sale.quantity, PATIENCE).await;
        let settled_at = settled.with_context(|| format!("{}: {}", self.name, bought.outcomes()))?;
        let seconds = settled_at.duration_since(bought.started_at).as_secs_f64();
        run.testbed.ensure_running()?;
        if self.is_engine {
            let spent = before.until(&self.meter(&run.testbed), seconds, rest.len() as u64);
            run.findings.cpu_seconds.extend(spent);
        }
        self.audit(run, sale, &bought, rest.len()).await?;
        let per_second = rest.len() as f64 / seconds;
        eprint!("  {} {per_second:.0}/s (p99 {:.1} ms)", self.name, bought.p99_ms);
        Ok(Sold { seconds, per_second, p99_ms: bought.p99_ms })
    }

    async fn open(&self, run: &Run, units: usize) -> anyhow::Result<Sale> {
        let client = &run.testbed.client;
        let sale = books::open_sale(client, i32::try_from(units)?).await?;
        if !self.is_engine {
            books::forget_intake(client, sale).await?;
        }
        for api in self.windows(&run.testbed) {
            wait_until_on_sale(api, sale).await?;
        }
        Ok(sale)
    }

    async fn warm_up(&self, run: &Run, sale: Sale, tokens: &[String]) -> anyhow::Result<()> {
        let crowd = Crowd { connections: tokens.len(), pace: Pace::Closed, starts_at: None };
        let bought = crowd.buy(&self.servers, sale, tokens).await?;
        anyhow::ensure!(
            bought.count(200, "") == tokens.len() as u64,
            "the first purchases were not all answered 200: {}",
            bought.outcomes()
        );
        let client = &run.testbed.client;
        books::wait_until_settled(client, sale, i32::try_from(tokens.len())?, PATIENCE).await?;
        // So that no measurement pays for the writes of the one before.
        Ok(client.batch_execute("checkpoint").await?)
    }

    /// Audits a sale that is sold out, `accepted` of its units to those who `bought`.
    pub async fn audit(&self, run: &mut Run, sale: Sale, bought: &Bought, accepted: usize) -> anyhow::Result<()> {
        let mut wrong = books::audit(&run.testbed.client, sale, i64::from(sale.quantity)).await?;
        if bought.count(200, "") != accepted as u64 {
            wrong.push(format!("{accepted} answers should be 200: {}", bought.outcomes()));
        }
        for api in self.windows(&run.testbed) {
            wrong.extend(audit_sold_out(api, sale).await?);
        }
        run.findings.audited(self.name, wrong);
        Ok(())
    }

    /// The APIs that show the sale.
    fn windows(&self, testbed: &Testbed) -> Vec<SocketAddr> {
        if self.is_engine { self.servers.clone() } else { vec![testbed.api_address] }
    }

    fn meter(&self, testbed: &Testbed) -> Meter {
        let mut processes = testbed.cpu_seconds();
        processes.extend(self.helpers.iter().map(|(name, pid)| (*name, cpu::seconds(*pid))));
        Meter::read(self.name, processes)
    }
}
