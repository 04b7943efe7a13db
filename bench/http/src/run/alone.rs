//! A database where no API and no worker is at work: pgbench fills the queue, one connection settles it.

use std::time::{Duration, Instant};

use tokio_postgres::Client;

use super::pgbench::{self, Batches, Script};
use super::settings::Settings;
use super::testbed::Testbed;
use crate::books::Sale;
use crate::database;

const FILL_TABLE: &str = include_str!("../../../pgbench/fill_table.sql");

pub struct Alone {
    pub name: &'static str,
    pub url: String,
    pub client: Client,
}

impl Alone {
    /// A database with the engine's schema.
    pub async fn create(testbed: &Testbed, name: &'static str) -> anyhow::Result<Self> {
        let url = testbed.create_database(name).await?;
        let client = database::connect(&url).await?;
        Ok(Self { name, url, client })
    }

    /// A database whose sales of the past have sold `orders` units.
    pub async fn with_older_orders(testbed: &Testbed, name: &'static str, orders: u32) -> anyhow::Result<Self> {
        eprintln!("  {name}: writing {orders} older orders");
        let started_at = Instant::now();
        let alone = Self::create(testbed, name).await?;
        alone.client.batch_execute(&FILL_TABLE.replace(":orders", &orders.to_string())).await?;
        alone.client.batch_execute("vacuum (freeze, analyze)").await?;
        alone.checkpoint().await?;
        eprintln!("  {name}: written in {:.0} s", started_at.elapsed().as_secs_f64());
        Ok(alone)
    }

    /// Opens a fresh sale for `users` users.
    pub async fn open_sale(&self, testbed: &Testbed, users: u32) -> anyhow::Result<Sale> {
        pgbench::set_up(testbed, &self.url, &self.client, users).await
    }

    /// Queues `orders` of the sale that was opened last, each of a user who has none.
    pub async fn queue(&self, testbed: &Testbed, settings: &Settings, orders: u32) -> anyhow::Result<()> {
        let batches = Batches { clients: 1, batch: settings.pgbench_batch, orders };
        pgbench::drive(testbed, &self.url, Script::Place, &batches).await?;
        Ok(())
    }

    /// So that no measurement pays for the writes of the one before. The first change of a page afterwards logs all of it.
    pub async fn checkpoint(&self) -> anyhow::Result<()> {
        Ok(self.client.batch_execute("checkpoint").await?)
    }

    /// Settles `orders` of those that are queued, or all when there are fewer; answers how long that took.
    pub async fn settle(&self, settings: &Settings, orders: u32) -> anyhow::Result<Duration> {
        pgbench::settle(&self.client, settings.settle_batch, orders).await
    }

    /// Removes the database, which may be large.
    pub async fn remove(self, testbed: &Testbed) -> anyhow::Result<()> {
        let Self { name, client, .. } = self;
        drop(client);
        testbed.drop_database(name).await
    }
}
