//! Invariant 8: when nobody buys any more and the reconciler has been by, what the gate has left and what is sold make up
//! the quantity, in Redis or in each API process.

use std::time::{Duration, Instant};

use tokio_postgres::Client;

use crate::harness::Sale;
use crate::harness::books::{tokens_in_process, tokens_in_redis};
use crate::world::World;

/// A token without an order is given 7 s to get one. It is looked for every half second, less often where a look takes
/// long: up to 3 s for the orders of a run, and 5 s more while there are as many holders as orders.
const BALANCED_WITHIN: Duration = Duration::from_secs(30);
const POLL_EVERY: Duration = Duration::from_millis(50);

/// What is still wrong with the gates of the sales that are open, after the time a reconciler needs.
pub async fn unbalanced(world: &World) -> Vec<String> {
    let database = world.stack.database().await;
    let started = Instant::now();
    loop {
        let mut wrong = Vec::new();
        for sale in open_sales(world) {
            wrong.extend(look(world, &database, sale).await);
        }
        if wrong.is_empty() || started.elapsed() > BALANCED_WITHIN {
            return wrong;
        }
        tokio::time::sleep(POLL_EVERY).await;
    }
}

/// A gate lives as long as the window of its sale.
fn open_sales(world: &World) -> Vec<&Sale> {
    let sales = &world.sales;
    let windowed = sales.windowed_stays_open.then_some(&sales.windowed);
    [Some(&sales.main), windowed].into_iter().flatten().collect()
}

async fn look(world: &World, database: &Client, sale: &Sale) -> Vec<String> {
    let row = database
        .query_one(
            "select s.quantity::bigint,
                    (select count(*) from flashsale.orders o
                     where o.flash_sale_id = s.flash_sale_id and o.status <> 'failed')
             from flashsale.flash_sales s where s.flash_sale_id = $1",
            &[&sale.flash_sale_id],
        )
        .await
        .expect("read what is sold");
    let (quantity, live): (i64, i64) = (row.get(0), row.get(1));
    let mut gates = Vec::new();
    if world.has_redis {
        gates.push(("redis".to_owned(), tokens_in_redis(world.stack.redis(), sale).await));
    } else {
        for api in &world.stack.apis {
            gates.push((api.process.name.clone(), tokens_in_process(api.http, sale).await));
        }
    }
    let describe = |(gate, tokens): (String, Result<i64, String>)| match tokens {
        Ok(tokens) if tokens + live == quantity => None,
        Ok(tokens) => Some(format!("8 gate in {gate}: {tokens} tokens + {live} queued or sold, quantity {quantity}")),
        Err(error) => Some(format!("8 gate in {gate}: {error}")),
    };
    gates.into_iter().filter_map(describe).collect()
}
