//! Purchases confirmed per second: over HTTP, by pgbench alone, and from a plain handler.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio_postgres::Client;

use super::cpu::{self, Meter};
use super::pgbench::{self, Batches, Script};
use super::process::Process;
use super::ratio::{Comparison, Side};
use super::testbed::Testbed;
use super::{Findings, Settings};
use crate::books::{self, Sale};
use crate::client::{self, Load, Pace, Requests, Tally};
use crate::{buyers, database, tokens};

/// Purchases before the clock starts: connections are open, plans are made, the sale is known everywhere.
const WARM_UP_ORDERS: u32 = 64;
const PATIENCE: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(5);

pub async fn measure(settings: &Settings, testbed: &mut Testbed, findings: &mut Findings) -> anyhow::Result<()> {
    let client = database::connect(testbed.database_url()).await?;
    let users = buyers::ensure(&client, settings.orders + WARM_UP_ORDERS).await?;
    let tokens = tokens::mint(testbed.secret(), &users)?;
    let pool_size = settings.pool_size.to_string();
    // In a database of its own, or the worker would settle what pgbench places.
    let alone_url = testbed.create_database("pgbench_alone").await?;
    let alone = Alone { client: database::connect(&alone_url).await?, url: alone_url };
    let (naive, naive_address) = testbed.start_plain("serve-naive", &["--pool-size", &pool_size]).await?;
    let (mut bought, mut by_pgbench, mut by_naive) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=settings.rounds {
        eprint!("buy {round}/{}:", settings.rounds);
        let shop = Shop { name: "buy", address: testbed.api_address, orders: settings.orders };
        bought.push(shop.sell_out(settings, testbed, &client, &tokens, findings).await?);
        by_pgbench.push(alone.drive(settings, testbed, findings).await?);
        let shop = Shop { name: "naive", address: naive_address, orders: settings.naive_orders };
        by_naive.push(shop.sell_out(settings, testbed, &client, &tokens, findings).await?);
        eprintln!();
    }
    Process::stop(naive).await;
    let unit = "orders per second";
    let bought = Side::of("orders confirmed over HTTP", unit, bought);
    let by_pgbench = Side::of("orders placed and settled by pgbench", unit, by_pgbench);
    let by_naive = Side::of("orders of a plain handler", unit, by_naive);
    findings.ratios.push(Comparison::at_least("buy/pgbench", 0.5).of(bought.clone(), by_pgbench));
    findings.ratios.push(Comparison::at_least("buy/naive", 8.0).of(bought, by_naive));
    Ok(())
}

/// A server that sells.
struct Shop {
    name: &'static str,
    address: SocketAddr,
    orders: u32,
}

impl Shop {
    /// Sells a fresh sale out, each unit to a user of its own. Answers orders per second from the first request until
    /// the last order is a success in the database and the queue is empty.
    async fn sell_out(
        &self,
        settings: &Settings,
        testbed: &mut Testbed,
        client: &Client,
        tokens: &[String],
        findings: &mut Findings,
    ) -> anyhow::Result<f64> {
        let sold = i32::try_from(self.orders + WARM_UP_ORDERS)?;
        let sale = books::open_sale(client, sold).await?;
        if self.address != testbed.api_address {
            books::forget_intake(client, sale).await?;
        }
        wait_until_on_sale(testbed.api_address, sale).await?;
        let (early, rest) = tokens.split_at(WARM_UP_ORDERS as usize);
        let warm_up = self.buy(settings, sale, early).await?;
        anyhow::ensure!(
            warm_up.count(200, "") == u64::from(WARM_UP_ORDERS),
            "the first purchases were not all answered 200: {}",
            warm_up.outcomes()
        );
        books::wait_until_settled(client, sale, WARM_UP_ORDERS as i32, PATIENCE).await?;
        // So that no measurement pays for the writes of the one before.
        client.batch_execute("checkpoint").await?;

        let before = meter(self.name, testbed);
        let tally = self.buy(settings, sale, &rest[..self.orders as usize]).await?;
        let seen_at = books::wait_until_settled(client, sale, sold, PATIENCE).await;
        let seen_at = seen_at.with_context(|| format!("{}: {}", self.name, tally.outcomes()))?;
        testbed.ensure_running()?;
        let seconds = seen_at.duration_since(tally.started_at).as_secs_f64();
        if self.address == testbed.api_address {
            let after = meter(self.name, testbed);
            findings.cpu_seconds.extend(before.until(&after, seconds, u64::from(self.orders)));
        }
        let mut wrong = books::audit(client, sale, i64::from(sold)).await?;
        if tally.count(200, "") != u64::from(self.orders) {
            wrong.push(format!("not every request was answered 200: {}", tally.outcomes()));
        }
        wrong.extend(audit_remaining_stock(testbed.api_address, sale).await?);
        findings.audited(self.name, wrong);
        let per_second = f64::from(self.orders) / seconds;
        eprint!("  {} {per_second:.0}/s (p99 {:.1} ms)", self.name, tally.latency_ms(0.99));
        Ok(per_second)
    }

    async fn buy(&self, settings: &Settings, sale: Sale, tokens: &[String]) -> anyhow::Result<Tally> {
        let host = self.address.to_string();
        let body = format!(r#"{{"product_id":"{}"}}"#, sale.product_id);
        let requests: Requests =
            tokens.iter().map(|token| client::post(&host, "/orders", Some(token), &body)).collect();
        let (address, connections) = (self.address, settings.connections);
        let load = move || {
            let count_max = requests.len() as u64;
            let (time_max, timeout) = (PATIENCE, PATIENCE);
            let load = Load {
                address,
                requests: &requests,
                copies: 1,
                connections,
                pace: Pace::Closed,
                count_max,
                time_max,
                timeout,
            };
            load.run()
        };
        tokio::task::spawn_blocking(load).await?
    }
}

/// The database that pgbench has for itself.
struct Alone {
    url: String,
    client: Client,
}

impl Alone {
    /// The same number of orders by pgbench, in a sale of their own. Answers orders per second.
    async fn drive(&self, settings: &Settings, testbed: &Testbed, findings: &mut Findings) -> anyhow::Result<f64> {
        let orders = settings.orders;
        let sale = pgbench::set_up(testbed, &self.url, &self.client, orders).await?;
        self.client.batch_execute("checkpoint").await?;
        let batches = Batches { clients: settings.pgbench_clients, batch: settings.pgbench_batch, orders };
        let before = meter_alone(testbed);
        let per_second = pgbench::drive(testbed, &self.url, Script::PlaceAndSettle, &batches).await?;
        let left_over = pgbench::settle_all(&self.client, i32::try_from(settings.pgbench_batch)?).await?;
        let per_second = f64::from(orders) / (f64::from(orders) / per_second + left_over.as_secs_f64());
        let seconds = f64::from(orders) / per_second;
        findings.cpu_seconds.extend(before.until(&meter_alone(testbed), seconds, u64::from(orders)));
        findings.audited("pgbench", books::audit(&self.client, sale, i64::from(orders)).await?);
        eprint!("  pgbench {per_second:.0}/s");
        Ok(per_second)
    }
}

/// Waits until the API sells what the database offers.
pub async fn wait_until_on_sale(api: SocketAddr, sale: Sale) -> anyhow::Result<()> {
    wait_for_stock(api, sale, i64::from(sale.quantity))
        .await?
        .map_or(Ok(()), |said| anyhow::bail!("the API does not know of a sale that is open in the database: {said}"))
}

/// The API's own view of a sale that is sold out.
async fn audit_remaining_stock(api: SocketAddr, sale: Sale) -> anyhow::Result<Option<String>> {
    let said = wait_for_stock(api, sale, 0).await?;
    Ok(said.map(|said| format!("the API does not see that the sale is sold out: {said}")))
}

/// Waits a few seconds until `GET /sales` shows so much stock; otherwise answers what it shows.
pub async fn wait_for_stock(api: SocketAddr, sale: Sale, stock: i64) -> anyhow::Result<Option<String>> {
    let request = client::get(&api.to_string(), &format!("/sales?product_id={}", sale.product_id));
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let answer = client::exchange(api, &request, 200)?;
        let listed = &answer.json()?["sales"][0];
        if listed["status"] == "active" && listed["remaining_stock"] == stock {
            return Ok(None);
        }
        if Instant::now() > deadline {
            return Ok(Some(answer.text()));
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Processor time of everything that takes part in a purchase.
fn meter(measurement: &'static str, testbed: &Testbed) -> Meter {
    let mut processes = vec![
        ("load generator", cpu::seconds(std::process::id())),
        ("api", cpu::seconds(testbed.api.pid())),
        ("worker", cpu::seconds(testbed.worker.pid())),
    ];
    processes.extend(testbed.redis.as_ref().map(|(redis, _)| ("redis", cpu::seconds(redis.pid()))));
    processes.extend(testbed.postgres_pid().map(|pid| ("postgres", cpu::seconds_with_children(pid))));
    Meter::read(measurement, processes)
}

/// Processor time of pgbench and the database.
fn meter_alone(testbed: &Testbed) -> Meter {
    let mut processes = vec![("pgbench", cpu::seconds_of_ended_children())];
    processes.extend(testbed.postgres_pid().map(|pid| ("postgres", cpu::seconds_with_children(pid))));
    Meter::read("pgbench", processes)
}
