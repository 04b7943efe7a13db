//! Settling among older orders: one database for each number of them, all there at once, so that they are measured in turn.

use super::Settings;
use super::scripts::{Drive, Script};
use super::series::Series;
use super::shop::{Intake, Shop};
use super::turns::{Contender, Measured, Sweep};

const BATCH: u32 = 500;
const BATCHES_MIN: u32 = 4;

pub fn seconds(settings: &Settings, servers: usize) -> f64 {
    let filling: f64 = settings.older_orders.iter().map(|&orders| seconds_to_fill(orders)).sum();
    let measurements = (settings.older_orders.len() * settings.rounds) as f64;
    (filling + measurements * seconds_each(settings)) * servers as f64
}

fn seconds_to_fill(orders: u32) -> f64 {
    3.0 + f64::from(orders) / 60_000.0
}

fn seconds_each(settings: &Settings) -> f64 {
    1.5 + f64::from(drive(settings).rows()) / 8_000.0
}

fn drive(settings: &Settings) -> Drive {
    let transactions = (settings.orders / BATCH).max(BATCHES_MIN);
    Drive { script: Script::SettleOrders, clients: 1, transactions, batch: BATCH }
}

pub async fn older_orders(sweep: &mut Sweep<'_>) -> anyhow::Result<Series> {
    let settings = sweep.settings;
    let drive = drive(settings);
    let mut series = Series {
        name: "older-orders".to_owned(),
        title: "Settling among older orders".to_owned(),
        about: "One worker settles batches of 500 of a running sale while the table holds so many orders of past sales; only \
                the settling is timed. A flat line is what the index with the product in front is for."
            .to_owned(),
        x_axis: "older orders in the table".to_owned(),
        y_axis: "microseconds per order".to_owned(),
        lines: Vec::new(),
    };
    let mut shops = Vec::new();
    for &orders in &settings.older_orders {
        for shop in sweep.open_shops(&format!("older_orders_{orders}")).await? {
            sweep.progress.doing(&format!("writing {orders} older orders, PostgreSQL {}", shop.postgres));
            shop.fill_table(orders).await?;
            sweep.progress.advance(seconds_to_fill(orders));
            shops.push((orders, shop));
        }
    }
    let line = "1 worker";
    let contenders: Vec<_> = shops.iter().map(|(orders, shop)| Contender { shop, line, x: *orders, how: () }).collect();
    let each = async |contender: &Contender<'_, ()>| settle(contender.shop, &drive).await;
    sweep.in_turn(&mut series, &contenders, seconds_each(settings), each).await?;
    for (orders, shop) in &shops {
        let what = format!("{}: all sales among {orders}, PostgreSQL {}", series.name, shop.postgres);
        sweep.progress.doing(&what);
        sweep.audited(&what, shop.audit_all().await?);
    }
    Ok(series)
}

/// Microseconds per order.
async fn settle(shop: &Shop<'_>, drive: &Drive) -> anyhow::Result<Measured> {
    let orders = drive.rows();
    let sale = shop.open_sale(orders, Intake::On).await?;
    shop.place(orders).await?;
    shop.checkpoint().await?;
    let driven = shop.drive(drive).await?;
    let figure = 1e6 / (driven.transactions_per_second * f64::from(drive.batch));
    Ok(Measured { figure, audit: Some(shop.audit(sale, i64::from(orders)).await?) })
}
