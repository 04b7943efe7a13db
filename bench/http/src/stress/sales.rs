//! The sales of a load: made by SQL or by an administrator through the API, or those on offer.

use std::time::{Duration, Instant};

use anyhow::Context;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use tokio_postgres::Client;
use uuid::Uuid;

use super::target::Target;
use super::text;
use crate::client;

const PRICE_IN_CENTS: i32 = 100;
/// How long every API may take to show a sale that was made.
const SHOWN_WITHIN: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A sale as it stood before the load.
#[derive(Clone, Debug)]
pub struct OnSale {
    pub flash_sale_id: String,
    pub product_id: String,
    pub quantity: u32,
    pub remaining: u32,
    pub starts_at: DateTime<Utc>,
    pub is_active: bool,
    /// Made for this load: whatever is sold of it is sold to us.
    pub is_ours: bool,
}

/// What the sales to make are like.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    pub count: usize,
    pub stock: u32,
    pub opens_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
}

/// Makes sales of new products in the database.
pub async fn create_by_sql(database: &Client, order: Order) -> anyhow::Result<Vec<String>> {
    let mut ids = Vec::with_capacity(order.count);
    for number in 1..=order.count {
        let (sale, product) = (Uuid::now_v7(), Uuid::now_v7());
        let (name, stock) = (name(number), i32::try_from(order.stock)?);
        let (opens_at, ends_at) = (rfc3339(order.opens_at), rfc3339(order.ends_at));
        let sql = "select flashsale.create_sale($1, $2, $3, 'made by a load test', $4, $5,
                       ($6::text)::timestamptz, ($7::text)::timestamptz)";
        database
            .execute(sql, &[&sale, &product, &name, &PRICE_IN_CENTS, &stock, &opens_at, &ends_at])
            .await
            .context("cannot make a sale in DATABASE_URL: is it the database of a flashsale, migrated?")?;
        ids.push(product.to_string());
    }
    Ok(ids)
}

/// Makes sales of new products as an administrator.
pub fn create_by_admin(target: &Target, token: &str, order: Order) -> anyhow::Result<Vec<String>> {
    let create = |number: usize| -> anyhow::Result<String> {
        let body = json!({
            "name": name(number), "description": "made by a load test", "price_in_cents": PRICE_IN_CENTS,
            "quantity": order.stock, "start_date": rfc3339(order.opens_at), "end_date": rfc3339(order.ends_at),
        });
        let request = client::post(&target.host, "/sales", Some(token), &body.to_string());
        let answer = client::exchange(target.address, &request, 201).context("the administrator cannot make a sale")?;
        text(&answer.json()?, "product_id")
    };
    (1..=order.count).map(create).collect()
}

/// The sales of these products, once every server shows them.
pub async fn shown(targets: &[Target], product_ids: &[String], are_ours: bool) -> anyhow::Result<Vec<OnSale>> {
    let deadline = Instant::now() + SHOWN_WITHIN;
    let mut sales = Vec::new();
    for target in targets {
        loop {
            let offered = offered(target, are_ours)?;
            let found = product_ids.iter().map(|id| offered.iter().find(|sale| sale.product_id == *id).cloned());
            let found: Option<Vec<_>> = found.collect();
            if let Some(found) = found {
                sales = found;
                break;
            }
            anyhow::ensure!(
                Instant::now() < deadline,
                "http://{} does not offer product {}: {}",
                target.host,
                product_ids.join(", "),
                if are_ours { "is DATABASE_URL its database?" } else { "its sale is over, or there never was one" }
            );
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
    Ok(sales)
}

/// The first sales on offer that have units left; those that are running before those to come.
pub fn first_on_offer(target: &Target, count: usize) -> anyhow::Result<Vec<String>> {
    let mut offered = offered(target, false)?;
    offered.retain(|sale| sale.remaining > 0);
    offered.sort_by_key(|sale| !sale.is_active);
    anyhow::ensure!(
        offered.len() >= count,
        "{count} sales are needed and http://{} offers {} with units left: give --admin-email or DATABASE_URL, to make \
         them with",
        target.host,
        offered.len()
    );
    Ok(offered.into_iter().take(count).map(|sale| sale.product_id).collect())
}

/// Every sale that is on or to come.
fn offered(target: &Target, are_ours: bool) -> anyhow::Result<Vec<OnSale>> {
    let request = client::get(&target.host, "/sales");
    let answer = client::exchange(target.address, &request, 200)?.json()?;
    let sales = answer["sales"].as_array().context("GET /sales has no sales")?;
    let open = sales.iter().filter(|sale| sale["status"] != "ended");
    open.map(|sale| read(sale, are_ours)).collect()
}

fn read(sale: &Value, is_ours: bool) -> anyhow::Result<OnSale> {
    let number = |member: &str| sale[member].as_u64().and_then(|number| u32::try_from(number).ok());
    Ok(OnSale {
        flash_sale_id: text(sale, "flash_sale_id")?,
        product_id: text(sale, "product_id")?,
        quantity: number("quantity").with_context(|| format!("a sale without quantity: {sale}"))?,
        remaining: number("remaining_stock").with_context(|| format!("a sale without remaining_stock: {sale}"))?,
        starts_at: text(sale, "start_date")?.parse().context("start_date is no time")?,
        is_active: sale["status"] == "active",
        is_ours,
    })
}

/// Units left of a sale, as `GET /sales/{flash_sale_id}` shows it.
pub fn remaining(target: &Target, flash_sale_id: &str) -> anyhow::Result<u32> {
    let request = client::get(&target.host, &format!("/sales/{flash_sale_id}"));
    Ok(read(&client::exchange(target.address, &request, 200)?.json()?, false)?.remaining)
}

fn name(number: usize) -> String {
    format!("stress {number}")
}

fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}
