//! Settling by batch size and number of workers, beside the least that PostgreSQL can do for as many rows.

use super::Settings;
use super::scripts::{Drive, Script};
use super::series::Series;
use super::shop::{Intake, Shop};
use super::turns::{Contender, Measured, Sweep};

/// Calls of one measurement at most: at a batch of 1 each is a flush of its own.
const CALLS_MAX: u32 = 2000;
/// Calls of each worker at least, so that several do overlap.
const CALLS_EACH_MIN: u32 = 4;
const PLAIN: &str = "one plain INSERT … SELECT";

pub fn seconds(settings: &Settings, servers: usize) -> f64 {
    let drives = settings.batches.iter().flat_map(|&batch| drives(settings, batch));
    drives.map(|(_, drive)| seconds_of(&drive)).sum::<f64>() * (servers * settings.rounds) as f64
}

fn seconds_of(drive: &Drive) -> f64 {
    1.5 + f64::from(drive.rows()) / 8_000.0 + f64::from(drive.clients * drive.transactions) / 700.0
}

pub async fn settle_batches(sweep: &mut Sweep<'_>) -> anyhow::Result<Series> {
    let settings = sweep.settings;
    let mut series = Series {
        name: "settle-batches".to_owned(),
        title: "Settling in batches".to_owned(),
        about: "settle_orders by batch size and number of workers; only the settling is timed, the queue is filled before. \
                All workers settle one sale, whose row they take in turn. The plain INSERT writes as many rows with the \
                same indexes and does nothing else."
            .to_owned(),
        x_axis: "orders a transaction".to_owned(),
        y_axis: "orders per second".to_owned(),
        lines: Vec::new(),
    };
    let shops = sweep.open_shops("settle_batches").await?;
    for &batch in &settings.batches {
        for (line, drive) in drives(settings, batch) {
            let contenders: Vec<_> =
                shops.iter().map(|shop| Contender { shop, line: &line, x: batch, how: drive }).collect();
            let each = async |contender: &Contender<'_, Drive>| {
                let Contender { shop, how, .. } = contender;
                if how.script == Script::InsertSelect { insert(shop, how).await } else { settle(shop, how).await }
            };
            sweep.in_turn(&mut series, &contenders, seconds_of(&drive), each).await?;
        }
    }
    Ok(series)
}

/// The lines that have a point at this batch size.
fn drives(settings: &Settings, batch: u32) -> Vec<(String, Drive)> {
    let calls = (settings.orders / batch).min(CALLS_MAX);
    let drive = |script, clients| Drive { script, clients, transactions: (calls / clients).max(CALLS_EACH_MIN), batch };
    let settling = settings.workers.iter().map(|&workers| {
        let plural = if workers == 1 { "" } else { "s" };
        (format!("{workers} worker{plural}"), drive(Script::SettleOrders, workers))
    });
    settling.chain([(PLAIN.to_owned(), drive(Script::InsertSelect, 1))]).collect()
}

async fn settle(shop: &Shop<'_>, drive: &Drive) -> anyhow::Result<Measured> {
    let orders = drive.rows();
    let sale = shop.open_sale(orders, Intake::On).await?;
    shop.place(orders).await?;
    shop.checkpoint().await?;
    let driven = shop.drive(drive).await?;
    // A call takes less than a batch when it does not see what others have locked: what is left was not settled in time.
    let settled = i64::from(orders) - shop.queued().await?;
    let seconds = f64::from(drive.clients * drive.transactions) / driven.transactions_per_second;
    Ok(Measured { figure: settled as f64 / seconds, audit: Some(shop.audit(sale, i64::from(orders)).await?) })
}

async fn insert(shop: &Shop<'_>, drive: &Drive) -> anyhow::Result<Measured> {
    let sale = shop.open_sale(drive.rows(), Intake::Off).await?;
    shop.checkpoint().await?;
    let figure = shop.drive(drive).await?.transactions_per_second * f64::from(drive.batch);
    shop.count_units().await?;
    Ok(Measured { figure, audit: Some(shop.audit(sale, i64::from(drive.rows())).await?) })
}
