//! The verdict on the books: what users were told, against what the servers show and, where it is at hand, what the
//! database holds.

use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;
use tokio_postgres::Client;
use uuid::Uuid;

use super::ledger::{Ledger, Told};
use super::sales::{self, OnSale};
use super::target::Target;
use crate::database;

/// How long orders may stay in the queue after everybody has been answered.
const SETTLED_WITHIN: Duration = Duration::from_secs(30);
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// Looks at `GET /sales` until it shows what users were told: it may be a moment behind.
const SHOWN_TRIES: u32 = 20;

/// One sale after the load.
#[derive(Clone, Debug, Serialize)]
pub struct SaleVerdict {
    pub flash_sale_id: String,
    pub product_id: String,
    pub quantity: u32,
    /// Units sold during the load, as `GET /sales` shows it.
    pub sold: i64,
    pub remaining: u32,
    pub told: Told,
    /// Milliseconds from the opening until the last order was settled, by the database.
    pub last_sold_ms: Option<f64>,
    pub wrong: Vec<String>,
}

/// All that was checked, and all that is wrong.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    pub read_from: &'static str,
    pub sales: Vec<SaleVerdict>,
    pub wrong: Vec<String>,
}

impl Verdict {
    pub fn balances(&self) -> bool {
        self.wrong.is_empty() && self.sales.iter().all(|sale| sale.wrong.is_empty())
    }

    /// Compares the users' side with the servers' and the database's.
    pub async fn reach(
        ledger: &Ledger,
        before: &[OnSale],
        target: &Target,
        database_url: Option<&str>,
    ) -> anyhow::Result<Self> {
        // A connection of its own: the database may have been restarted under the load.
        let database = match database_url {
            Some(url) => Some(database::connect(url).await?),
            None => None,
        };
        let database = database.as_ref();
        let mut sales = Vec::with_capacity(before.len());
        let settled_by = Instant::now() + SETTLED_WITHIN;
        for (number, sale) in before.iter().enumerate() {
            let told = ledger.told(number);
            if let Some(database) = database.filter(|_| sale.is_ours) {
                wait_until_settled(database, sale, settled_by).await?;
            }
            let remaining = shown_stock(target, sale, told).await?;
            let mut verdict = SaleVerdict {
                flash_sale_id: sale.flash_sale_id.clone(),
                product_id: sale.product_id.clone(),
                quantity: sale.quantity,
                sold: i64::from(sale.remaining) - i64::from(remaining),
                remaining,
                told,
                last_sold_ms: None,
                wrong: compare(sale, remaining, told),
            };
            if let Some(database) = database {
                audit(database, sale, &mut verdict).await?;
            }
            sales.push(verdict);
        }
        let read_from =
            if database.is_some() { "GET /orders, GET /sales and the database" } else { "GET /orders and GET /sales" };
        Ok(Self { read_from, sales, wrong: ledger.broken() })
    }
}

/// What is wrong between what users were told and the stock that is shown.
fn compare(sale: &OnSale, remaining: u32, told: Told) -> Vec<String> {
    let (mut wrong, had) = (Vec::new(), u64::from(sale.remaining));
    let sold = i64::from(sale.remaining) - i64::from(remaining);
    if told.without_outcome > 0 {
        wrong.push(format!("{} accepted orders reached no outcome", told.without_outcome));
    }
    if told.success > had {
        wrong.push(format!("oversold: {} users were told success and {had} units were on sale", told.success));
    }
    if sold < i64::try_from(told.success).unwrap_or(i64::MAX) {
        wrong.push(format!("{} users were told success and GET /sales shows {sold} units sold", told.success));
    }
    let at_most = told.success + told.unknown + told.without_outcome;
    if sale.is_ours && sold > i64::try_from(at_most).unwrap_or(i64::MAX) {
        wrong.push(format!("GET /sales shows {sold} units sold and at most {at_most} users can have bought one"));
    }
    let refused = told.sold_out + told.failed;
    if remaining > 0 && refused > 0 {
        wrong.push(format!(
            "{} units are unsold although {refused} users were told that nothing is left",
            u64::from(remaining).min(refused)
        ));
    }
    wrong
}

/// Units left, once `GET /sales` shows what users were told; whatever it shows after a moment, when it does not.
async fn shown_stock(target: &Target, sale: &OnSale, told: Told) -> anyhow::Result<u32> {
    let mut remaining = sales::remaining(target, &sale.flash_sale_id)?;
    for _ in 0..SHOWN_TRIES {
        if compare(sale, remaining, told).is_empty() {
            break;
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
        remaining = sales::remaining(target, &sale.flash_sale_id)?;
    }
    Ok(remaining)
}

/// Orders of a sale that are still queued shall not be called missing.
async fn wait_until_settled(database: &Client, sale: &OnSale, deadline: Instant) -> anyhow::Result<()> {
    let sql = "select count(*) from pgmq.q_purchases where message ->> 'flash_sale_id' = $1";
    // What is not settled by then shows in the books.
    while Instant::now() < deadline {
        let row = database.query_one(sql, &[&sale.flash_sale_id]).await.context("cannot read the queue")?;
        if row.get::<_, i64>(0) == 0 {
            break;
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    Ok(())
}

/// What the database says of a sale.
async fn audit(database: &Client, sale: &OnSale, verdict: &mut SaleVerdict) -> anyhow::Result<()> {
    let flash_sale_id: Uuid = sale.flash_sale_id.parse().context("a sale's id is no UUID")?;
    let row = database
        .query_opt(
            "select b.balanced, b.quantity::bigint, b.sold::bigint, b.success_rows, b.in_progress_rows, b.queued,
                 o.users, o.last_sold_ms,
                 (select count(*) from ops.dead_letters d
                  where d.message ->> 'flash_sale_id' = b.flash_sale_id::text) as dead_letters
             from ops.sale_books b
             cross join lateral (
                 select count(distinct o.user_id) as users,
                     (extract(epoch from max(o.settled_at) - max(s.start_date)) * 1000)::float8 as last_sold_ms
                 from flashsale.orders o
                 join flashsale.flash_sales s on s.flash_sale_id = o.flash_sale_id
                 where o.flash_sale_id = b.flash_sale_id and o.status = 'success'
             ) o
             where b.flash_sale_id = $1",
            &[&flash_sale_id],
        )
        .await
        .context("cannot read ops.sale_books")?
        .with_context(|| format!("DATABASE_URL has no sale {flash_sale_id}: it is not the database of this server"))?;
    let number = |name: &str| row.get::<_, i64>(name);
    verdict.last_sold_ms = row.get("last_sold_ms");
    if !row.get::<_, bool>("balanced") {
        verdict.wrong.push("ops.sale_books says balanced = false".to_owned());
    }
    let sold_before = i64::from(sale.quantity) - i64::from(sale.remaining);
    let expected = [
        ("orders that are a success", "success_rows", number("sold")),
        ("users with a success", "users", number("sold")),
        ("orders in progress", "in_progress_rows", 0),
        ("messages in the queue", "queued", 0),
    ];
    for (what, name, expected) in expected {
        if number(name) != expected {
            verdict.wrong.push(format!("the database has {} {what} instead of {expected}", number(name)));
        }
    }
    if number("sold") > number("quantity") {
        verdict.wrong.push(format!("oversold: {} of {} units", number("sold"), number("quantity")));
    }
    let told = i64::try_from(verdict.told.success)?;
    if sale.is_ours && verdict.told.unknown == 0 && number("sold") - sold_before != told {
        verdict
            .wrong
            .push(format!("the database sold {} units and {told} users were told so", number("sold") - sold_before));
    }
    if number("dead_letters") > 0 {
        verdict.wrong.push(format!("{} messages are dead letters: see ops.dead_letters", number("dead_letters")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sale() -> OnSale {
        OnSale {
            flash_sale_id: String::new(),
            product_id: String::new(),
            quantity: 10,
            remaining: 10,
            starts_at: chrono::DateTime::UNIX_EPOCH,
            is_active: true,
            is_ours: true,
        }
    }

    #[test]
    fn a_sale_that_sold_out_to_those_who_were_told_so_is_right() {
        let told = Told { asked: 30, success: 10, sold_out: 20, ..Told::default() };
        assert_eq!(compare(&sale(), 0, told), Vec::<String>::new());
    }

    #[test]
    fn every_way_to_be_wrong_has_its_sentence() {
        let told = Told { success: 10, ..Told::default() };
        for (remaining, told, part) in [
            (0, Told { success: 11, ..told }, "oversold"),
            (1, told, "10 users were told success"),
            (0, Told { success: 9, ..told }, "at most 9 users"),
            (0, Told { success: 9, without_outcome: 1, ..told }, "1 accepted orders reached no outcome"),
            (4, Told { success: 6, sold_out: 3, ..told }, "3 units are unsold"),
        ] {
            let wrong = compare(&sale(), remaining, told).join("; ");
            assert!(wrong.contains(part), "{wrong}");
        }
    }

    #[test]
    fn an_answer_that_got_lost_may_have_sold_a_unit() {
        let told = Told { success: 9, unknown: 1, ..Told::default() };
        assert!(compare(&sale(), 0, told).is_empty());
    }
}
