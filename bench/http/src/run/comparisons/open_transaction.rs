//! Purchases while a DBA's transaction is open, whose snapshot keeps every dead row of the queue and of the counters
//! alive, against purchases without it.

use tokio_postgres::Client;

use super::{announce, in_turn};
use crate::client::Pace;
use crate::database;
use crate::run::ratio::Side;
use crate::run::shop::{Shop, WARM_UP_ORDERS};
use crate::run::{Run, goals};

/// The tables with rows that every batch replaces, without what the measurement before has left in them.
const CLEAN: &str =
    "vacuum pgmq.q_purchases, flashsale.flash_sales, flashsale.sale_intakes, flashsale.sale_settlements";

pub async fn measure(run: &mut Run) -> anyhow::Result<()> {
    let tokens = run.testbed.tokens(run.settings.open_transaction_orders + WARM_UP_ORDERS).await?;
    let (mut with, mut without, mut dead_rows) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=run.settings.long_rounds {
        announce(round, run.settings.long_rounds);
        for is_open in in_turn(round, [false, true]) {
            run.testbed.client.batch_execute(CLEAN).await?;
            if is_open {
                let transaction = Transaction::open(run.testbed.database_url()).await?;
                let shop = Shop::engine("dba_transaction_open", &run.testbed);
                with.push(shop.sell_out(run, &tokens, Pace::Closed).await?.per_second);
                dead_rows.push(transaction.close(&run.testbed.client).await?);
            } else {
                let shop = Shop::engine("without", &run.testbed);
                without.push(shop.sell_out(run, &tokens, Pace::Closed).await?.per_second);
            }
        }
        eprintln!();
    }
    let unit = "orders per second";
    run.findings.ratios.push(
        goals::OPEN_TRANSACTION
            .of(Side::of("while a DBA's transaction is open", unit, with), Side::of("without", unit, without)),
    );
    run.findings.figures.push(Side::of("dead rows of the queue that the transaction kept", "rows", dead_rows));
    Ok(())
}

/// A transaction that has looked once and is then forgotten.
struct Transaction(Client);

impl Transaction {
    async fn open(database_url: &str) -> anyhow::Result<Self> {
        let client = database::connect(database_url).await?;
        client.batch_execute("begin isolation level repeatable read; select count(*) from ops.sale_books").await?;
        Ok(Self(client))
    }

    /// Ends it; an error when the server has ended it before. Answers how many dead rows it has kept in the queue.
    async fn close(self, watcher: &Client) -> anyhow::Result<f64> {
        self.0.batch_execute("select 1").await?;
        let row = watcher
            .query_one(
                "select n_dead_tup::float8 from pg_catalog.pg_stat_all_tables
                 where relid = 'pgmq.q_purchases'::regclass",
                &[],
            )
            .await?;
        self.0.batch_execute("rollback").await?;
        Ok(row.get(0))
    }
}
