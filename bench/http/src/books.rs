//! The books of a sale, read from the database after every measurement: a figure counts only when they balance.

use std::time::{Duration, Instant};

use anyhow::Context;
use tokio_postgres::Client;
use uuid::Uuid;

const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// Opens a sale of a new product that is on for a day. The API learns of it by the notification the function sends.
pub async fn open_sale(client: &Client, quantity: i32) -> anyhow::Result<Sale> {
    schedule_sale(client, quantity, -60.0).await
}

/// A sale of a new product that begins so many seconds from now and lasts for a day.
pub async fn schedule_sale(client: &Client, quantity: i32, starts_in_s: f64) -> anyhow::Result<Sale> {
    let sale = Sale { flash_sale_id: Uuid::now_v7(), product_id: Uuid::now_v7(), quantity };
    client
        .execute(
            "select flashsale.create_sale($1, $2, 'bench', 'one round of the bench', 100, $3,
                 clock_timestamp() + make_interval(secs => $4), clock_timestamp() + interval '1 day')",
            &[&sale.flash_sale_id, &sale.product_id, &quantity, &starts_in_s],
        )
        .await?;
    Ok(sale)
}

/// When a sale begins, by our clock: never before it begins by the database's.
pub async fn begins_at(client: &Client, sale: Sale) -> anyhow::Result<Instant> {
    let row = client
        .query_one(
            "select extract(epoch from s.start_date - clock_timestamp())::float8
             from flashsale.flash_sales s where s.flash_sale_id = $1",
            &[&sale.flash_sale_id],
        )
        .await?;
    let seconds: f64 = row.get(0);
    anyhow::ensure!(seconds > 0.0, "the sale began {:.1} s ago, before its crowd was there", -seconds);
    Ok(Instant::now() + Duration::from_secs_f64(seconds))
}

/// Leaves the admission of orders to whoever sells: a plain handler keeps no count of live orders.
pub async fn forget_intake(client: &Client, sale: Sale) -> anyhow::Result<()> {
    client.execute("delete from flashsale.sale_intakes where flash_sale_id = $1", &[&sale.flash_sale_id]).await?;
    Ok(())
}

#[derive(Clone, Copy, Debug)]
pub struct Sale {
    pub flash_sale_id: Uuid,
    pub product_id: Uuid,
    pub quantity: i32,
}

/// Waits until `sold` units are sold and nothing is queued; answers when that was seen.
pub async fn wait_until_settled(client: &Client, sale: Sale, sold: i32, patience: Duration) -> anyhow::Result<Instant> {
    let settled = client
        .prepare(
            "select s.sold, not exists (select from pgmq.q_purchases) as queue_is_empty
             from flashsale.flash_sales s where s.flash_sale_id = $1",
        )
        .await?;
    let deadline = Instant::now() + patience;
    loop {
        let row = client.query_one(&settled, &[&sale.flash_sale_id]).await?;
        let seen_at = Instant::now();
        let (sold_now, queue_is_empty): (i32, bool) = (row.get(0), row.get(1));
        if sold_now >= sold && queue_is_empty {
            return Ok(seen_at);
        }
        anyhow::ensure!(
            seen_at < deadline,
            "after {patience:?} {sold_now} of {sold} units are sold and the queue is {}",
            if queue_is_empty { "empty" } else { "not empty" }
        );
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Every way in which the books of a drained sale that should have sold `sold` units are wrong; none is right.
pub async fn audit(client: &Client, sale: Sale, sold: i64) -> anyhow::Result<Vec<String>> {
    let row = client
        .query_one(
            "select b.balanced, b.sold::bigint, b.success_rows, b.in_progress_rows, b.queued,
                 (select count(distinct o.user_id) from flashsale.orders o
                  where o.product_id = b.product_id and o.status = 'success') as users,
                 (select count(*) from flashsale.orders o
                  where o.product_id = b.product_id and o.status = 'failed') as failed_rows,
                 (select count(*) from pgmq.q_purchases) as queue,
                 (select count(*) from pgmq.q_purchases_dead) as dead_letters
             from ops.sale_books b where b.flash_sale_id = $1",
            &[&sale.flash_sale_id],
        )
        .await
        .context("cannot read ops.sale_books")?;
    let mut wrong = Vec::new();
    if !row.get::<_, bool>("balanced") {
        wrong.push("ops.sale_books says balanced = false".to_owned());
    }
    let expected = [
        ("sold", sold),
        ("success_rows", sold),
        ("users", sold),
        ("in_progress_rows", 0),
        ("queued", 0),
        ("failed_rows", 0),
        ("queue", 0),
        ("dead_letters", 0),
    ];
    for (name, expected) in expected {
        let found: i64 = row.get(name);
        if found != expected {
            wrong.push(format!("{name} is {found} instead of {expected}"));
        }
    }
    Ok(wrong)
}
