//! Messages into a queue: one a transaction, and batches of them.

use super::Settings;
use super::scripts::{Drive, Script};
use super::series::Series;
use super::shop::{Intake, Shop};
use super::turns::{Contender, Measured, Sweep};

/// Transactions of one measurement: enough to be steady, few enough to end.
const TRANSACTIONS_MIN: u32 = 20;
const TRANSACTIONS_MAX: u32 = 2000;
const SECONDS_EACH: f64 = 3.0;

/// The lines of the plot: a name, the script, and how many send at once.
const SENDERS: [(&str, Script, u32); 4] = [
    ("pgmq.send, 1 client", Script::PgmqSend, 1),
    ("pgmq.send, 8 clients", Script::PgmqSend, 8),
    ("pgmq.send_batch, 1 client", Script::PgmqSendBatch, 1),
    ("pgmq.send_batch, 8 clients", Script::PgmqSendBatch, 8),
];

pub fn seconds(settings: &Settings, servers: usize) -> f64 {
    let measurements: usize = settings.batches.iter().map(|&batch| senders_of(batch).count()).sum();
    (measurements * servers * settings.rounds) as f64 * SECONDS_EACH
}

pub async fn pgmq_send(sweep: &mut Sweep<'_>) -> anyhow::Result<Series> {
    let settings = sweep.settings;
    let mut series = Series {
        name: "pgmq-send".to_owned(),
        title: "Sending to the queue".to_owned(),
        about: "Messages as long as a purchase's into a pgmq queue, one a transaction and in batches: how far a batch \
                spreads the price of a commit, and from which size on it no longer does."
            .to_owned(),
        x_axis: "messages a transaction".to_owned(),
        y_axis: "messages per second".to_owned(),
        lines: Vec::new(),
    };
    let shops = sweep.open_shops("pgmq_send").await?;
    for &batch in &settings.batches {
        let contenders: Vec<_> = shops
            .iter()
            .flat_map(|shop| senders_of(batch).map(move |sender| (shop, sender)))
            .map(|(shop, (line, script, clients))| {
                let in_all = (settings.orders / batch).clamp(TRANSACTIONS_MIN, TRANSACTIONS_MAX);
                let how = Drive { script, clients, transactions: in_all.div_ceil(clients), batch };
                Contender { shop, line, x: batch, how }
            })
            .collect();
        let each = async |contender: &Contender<'_, Drive>| send(contender.shop, &contender.how).await;
        sweep.in_turn(&mut series, &contenders, SECONDS_EACH, each).await?;
    }
    Ok(series)
}

/// pgmq.send has no batches.
fn senders_of(batch: u32) -> impl Iterator<Item = (&'static str, Script, u32)> {
    SENDERS.into_iter().filter(move |(_, script, _)| batch == 1 || *script == Script::PgmqSendBatch)
}

async fn send(shop: &Shop<'_>, drive: &Drive) -> anyhow::Result<Measured> {
    let sale = shop.open_sale(1, Intake::On).await?;
    shop.checkpoint().await?;
    let figure = shop.drive(drive).await?.transactions_per_second * f64::from(drive.batch);
    let (sent, expected) = (shop.sent().await?, i64::from(drive.rows()));
    let mut wrong = shop.audit(sale, 0).await?;
    if sent != expected {
        wrong.push(format!("{sent} messages are in the queue instead of {expected}"));
    }
    Ok(Measured { figure, audit: Some(wrong) })
}
