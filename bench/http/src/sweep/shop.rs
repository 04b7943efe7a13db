//! A database of one server for one series: the engine's schema, a sale at a time, its queue and its books.

use anyhow::Context;
use tokio_postgres::Client;

use super::scripts::{Drive, Driven, Programs, Script};
use super::server::Server;
use crate::books::{self, Sale};
use crate::database;
use crate::run::process::Process;
use crate::run::{engine, pgbench};

/// Orders of one transaction while the queue is filled or emptied without being measured.
const UNMEASURED_BATCH: u32 = 1000;

/// Who counts the live orders of a sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intake {
    /// place_orders does.
    On,
    /// Nobody: orders are inserted past it.
    Off,
}

pub struct Shop<'a> {
    pub url: String,
    pub client: Client,
    /// The server's version.
    pub postgres: &'a str,
    programs: &'a Programs,
}

impl<'a> Shop<'a> {
    pub async fn open(programs: &'a Programs, server: &'a Server, name: &str) -> anyhow::Result<Self> {
        let url = server.create_database(name).await?;
        engine::migrate(&programs.engine, &url)?;
        let client = database::connect(&url).await?;
        Ok(Self { url, client, postgres: &server.version, programs })
    }

    /// Fills the table with orders of the past.
    pub async fn fill_table(&self, orders: u32) -> anyhow::Result<()> {
        self.programs.psql(&self.url, Script::FillTable, &[&format!("orders={orders}")]).await?;
        self.client.batch_execute("vacuum (freeze, analyze)").await?;
        Ok(())
    }

    /// Opens a sale in which `users` users have not bought; the sale before is left as it is.
    pub async fn open_sale(&self, users: u32, intake: Intake) -> anyhow::Result<Sale> {
        // The sequence that hands out users has two values at least.
        let users = format!("users={}", users.max(2));
        let variables: &[&str] = if intake == Intake::Off { &[&users, "intake=off"] } else { &[&users] };
        self.programs.psql(&self.url, Script::SetUp, variables).await?;
        let row = self
            .client
            .query_one(
                "select s.flash_sale_id, s.product_id, s.quantity
                 from bench.sale b join flashsale.flash_sales s on s.flash_sale_id = b.flash_sale_id",
                &[],
            )
            .await
            .context("setup.sql opened no sale")?;
        Ok(Sale { flash_sale_id: row.get(0), product_id: row.get(1), quantity: row.get(2) })
    }

    /// Queues orders of the open sale.
    pub async fn place(&self, orders: u32) -> anyhow::Result<()> {
        let whole = Drive {
            script: Script::PlaceOrders,
            clients: 1,
            transactions: orders / UNMEASURED_BATCH,
            batch: UNMEASURED_BATCH,
        };
        let rest = Drive { transactions: 1, batch: orders % UNMEASURED_BATCH, ..whole };
        for drive in [whole, rest] {
            if drive.rows() > 0 {
                self.drive(&drive).await?;
            }
        }
        Ok(())
    }

    /// Writes out what came before, so that no measurement pays for it.
    pub async fn checkpoint(&self) -> anyhow::Result<()> {
        Ok(self.client.batch_execute("checkpoint").await?)
    }

    pub async fn drive(&self, drive: &Drive) -> anyhow::Result<Driven> {
        self.programs.pgbench(&self.url, drive).await
    }

    /// Starts pgbench in the background; it ends by itself or when it is stopped.
    pub fn start(&self, script: Script, arguments: &[&str]) -> anyhow::Result<Process> {
        let mut command = self.programs.pgbench_command(script);
        command.args(arguments).arg(&self.url);
        Process::start("pgbench", command, &self.programs.folder)
    }

    pub async fn count_units(&self) -> anyhow::Result<()> {
        self.programs.psql(&self.url, Script::CountUnits, &[]).await
    }

    /// Messages that wait to be settled.
    pub async fn queued(&self) -> anyhow::Result<i64> {
        self.count("pgmq.q_purchases").await
    }

    /// Messages in the queue that nobody reads.
    pub async fn sent(&self) -> anyhow::Result<i64> {
        self.count("pgmq.q_bench").await
    }

    async fn count(&self, table: &str) -> anyhow::Result<i64> {
        Ok(self.client.query_one(&format!("select count(*) from {table}"), &[]).await?.get(0))
    }

    /// Settles what is queued, then asks what is wrong with the books of a sale that sold `sold` units.
    pub async fn audit(&self, sale: Sale, sold: i64) -> anyhow::Result<Vec<String>> {
        pgbench::settle(&self.client, UNMEASURED_BATCH, u32::MAX).await?;
        books::audit(&self.client, sale, sold).await
    }

    /// The sales whose books are wrong, past ones included.
    pub async fn audit_all(&self) -> anyhow::Result<Vec<String>> {
        let unbalanced = self.count("ops.sale_books where not balanced").await?;
        Ok((unbalanced > 0).then(|| format!("{unbalanced} sales are not balanced")).into_iter().collect())
    }
}
