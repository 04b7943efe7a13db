//! One order a transaction: the naive row lock, and the queue worked off row by row. What the engine is compared with.

use super::Settings;
use super::scripts::{Drive, Script};
use super::series::Series;
use super::shop::{Intake, Shop};
use super::turns::{Contender, Measured, Sweep};
use crate::books::Sale;

pub async fn naive_row_lock(sweep: &mut Sweep<'_>) -> anyhow::Result<Series> {
    let series = Series {
        name: "naive-row-lock".to_owned(),
        title: "Naive row lock".to_owned(),
        about:
            "A purchase a transaction: UPDATE the counter WHERE sold < quantity, INSERT the order, COMMIT. The row is \
                held until the commit is on the disk, so more clients only wait longer for each other."
                .to_owned(),
        x_axis: "clients at once".to_owned(),
        y_axis: "orders per second".to_owned(),
        lines: Vec::new(),
    };
    measure(sweep, series, Script::NaiveRowLock, &sweep.settings.clients).await
}

pub async fn skip_locked_row(sweep: &mut Sweep<'_>) -> anyhow::Result<Series> {
    let series = Series {
        name: "skip-locked-row".to_owned(),
        title: "A queue settled row by row".to_owned(),
        about: "Workers that take one message with FOR UPDATE SKIP LOCKED, settle its order and commit. Only the settling \
                is timed. They do not wait for each other at the queue, but at the row of the sale, with a flush an order."
            .to_owned(),
        x_axis: "workers".to_owned(),
        y_axis: "orders per second".to_owned(),
        lines: Vec::new(),
    };
    measure(sweep, series, Script::SkipLockedRow, &sweep.settings.row_workers).await
}

pub fn seconds(settings: &Settings, clients: &[u32], servers: usize) -> f64 {
    (clients.len() * servers * settings.rounds) as f64 * seconds_each(settings)
}

fn seconds_each(settings: &Settings) -> f64 {
    1.5 + f64::from(settings.row_orders) / 700.0
}

async fn measure(sweep: &mut Sweep<'_>, mut series: Series, script: Script, clients: &[u32]) -> anyhow::Result<Series> {
    let settings = sweep.settings;
    let shops = sweep.open_shops(&series.name.replace('-', "_")).await?;
    for &clients in clients {
        let line = "one order a transaction";
        let contenders: Vec<_> = shops.iter().map(|shop| Contender { shop, line, x: clients, how: () }).collect();
        let drive = Drive { script, clients, transactions: (settings.row_orders / clients).max(1), batch: 1 };
        let each = async |contender: &Contender<'_, ()>| sell(contender.shop, &drive).await;
        sweep.in_turn(&mut series, &contenders, seconds_each(settings), each).await?;
    }
    Ok(series)
}

/// Sells in a sale of its own and audits it.
async fn sell(shop: &Shop<'_>, drive: &Drive) -> anyhow::Result<Measured> {
    let orders = drive.rows();
    let sale = if drive.script == Script::SkipLockedRow {
        let sale = shop.open_sale(orders, Intake::On).await?;
        shop.place(orders).await?;
        sale
    } else {
        shop.open_sale(orders, Intake::Off).await?
    };
    shop.checkpoint().await?;
    let figure = shop.drive(drive).await?.transactions_per_second;
    let audit = Some(books_of_rows(shop, drive, sale).await?);
    Ok(Measured { figure, audit })
}

/// Nothing may be left for the audit to settle: the script itself must have settled every order.
async fn books_of_rows(shop: &Shop<'_>, drive: &Drive, sale: Sale) -> anyhow::Result<Vec<String>> {
    let queued = shop.queued().await?;
    let mut wrong = shop.audit(sale, i64::from(drive.rows())).await?;
    if queued > 0 {
        wrong.push(format!("{queued} messages were left in the queue"));
    }
    Ok(wrong)
}
