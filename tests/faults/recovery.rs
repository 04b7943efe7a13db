//! What comes after the fault: how long until a fresh purchase is confirmed again, and the last chance of those who kept
//! trying.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use tokio_postgres::Client as Session;
use uuid::Uuid;

use crate::client::{Client, Purchase};
use crate::harness::history::Answer;
use crate::harness::postgres::try_connect;
use crate::harness::{Sale, Stack, User};
use crate::record::{Record, now_us};
use crate::world::World;

const RECOVERED_WITHIN: Duration = Duration::from_secs(30);
/// Longer than a token that serves no order can stay taken, see `gates`.
const SOLD_WITHIN: Duration = Duration::from_secs(30);
const DRAINED_WITHIN: Duration = Duration::from_secs(30);
const POLL_EVERY: Duration = Duration::from_millis(20);
const PROBE_WAITS_S: u32 = 2;
const WAVE_EVERY: Duration = Duration::from_millis(100);
/// People who try again together.
const WAVE: usize = 200;

/// From now, which is the end of the fault, until every API has confirmed a fresh purchase.
pub async fn measure(world: &World) -> Option<Duration> {
    world.recorder.write(&Record::Healed { at_us: now_us() });
    confirm_fresh_purchases(world).await
}

/// How long until every API has confirmed a fresh purchase: one that was not tried before and is a success.
pub async fn confirm_fresh_purchases(world: &World) -> Option<Duration> {
    let started = Instant::now();
    let users = world.users(world.stack.apis.len()).await;
    let probes = world.stack.apis.iter().zip(users).map(|(api, user)| {
        let client = Client::new([api.http.address].into(), 0, world.recorder.clone());
        let purchase = Purchase { wait_s: Some(PROBE_WAITS_S), ..Purchase::plain(user, world.sales.probe.product_id) };
        probe(client, purchase, started)
    });
    let times = futures_util::future::join_all(probes).await;
    for (api, time) in world.stack.apis.iter().zip(&times) {
        let api = api.process.name.clone();
        if let Some(time) = time {
            let ms = u64::try_from(time.as_millis()).expect("a time");
            world.recorder.write(&Record::Recovered { api, ms });
        }
    }
    times.into_iter().collect::<Option<Vec<Duration>>>()?.into_iter().max()
}

async fn probe(mut client: Client, purchase: Purchase, started: Instant) -> Option<Duration> {
    while started.elapsed() < RECOVERED_WITHIN {
        match client.buy(&purchase).await {
            Answer::Ok { status, .. } if status == "success" => return Some(started.elapsed()),
            Answer::Refused { code, .. } if code == "already_purchased" => return Some(started.elapsed()),
            _ => tokio::time::sleep(POLL_EVERY).await,
        }
    }
    None
}

/// Those who kept trying and have no unit try again, a wave at a time, until every sale that is open has sold what it can.
/// What stays unsold the checker will find.
pub async fn let_everybody_try_again(world: &World, stayed: &[(User, Uuid)]) {
    let database = world.stack.database().await;
    let mut wanted: HashMap<Uuid, i64> = HashMap::new();
    for (_, product_id) in stayed {
        *wanted.entry(*product_id).or_default() += 1;
    }
    for sale in world.sales.all() {
        let is_open = sale.product_id != world.sales.windowed.product_id || world.sales.windowed_stays_open;
        if let (true, Some(people)) = (is_open, wanted.get(&sale.product_id))
            && !sell_out(world, &database, sale, stayed, *people).await
        {
            return;
        }
    }
}

/// False when it makes no sense to go on: orders that nobody settles stay so.
async fn sell_out(world: &World, database: &Session, sale: &Sale, stayed: &[(User, Uuid)], people: i64) -> bool {
    let started = Instant::now();
    while started.elapsed() < SOLD_WITHIN {
        if !drain(&world.stack).await {
            return false;
        }
        let (served, quantity) = served(database, sale).await;
        if i64::try_from(served.len()).expect("a number") >= quantity.min(people) {
            return true;
        }
        let waiting = stayed.iter().filter(|(user, product)| *product == sale.product_id && !served.contains(&user.id));
        let wave = waiting.take(WAVE).enumerate().map(|(number, (user, product_id))| {
            let mut client = Client::new(world.addresses(), number, world.recorder.clone());
            let purchase = Purchase::plain(user.clone(), *product_id);
            async move { client.buy(&purchase).await }
        });
        futures_util::future::join_all(wave).await;
        tokio::time::sleep(WAVE_EVERY).await;
    }
    true
}

async fn served(database: &Session, sale: &Sale) -> (HashSet<Uuid>, i64) {
    let id = &[&sale.flash_sale_id as &(dyn tokio_postgres::types::ToSql + Sync)];
    let orders = "select user_id from flashsale.orders where flash_sale_id = $1 and status = 'success'";
    let rows = database.query(orders, id).await.expect("read who has a unit");
    let quantity = "select quantity from flashsale.flash_sales where flash_sale_id = $1";
    let quantity: i32 = database.query_one(quantity, id).await.expect("read the quantity").get(0);
    (rows.iter().map(|row| row.get(0)).collect(), i64::from(quantity))
}

/// Waits until the queue is empty and no order is in progress; what is left after the deadline the checker will find.
pub async fn drain(stack: &Stack) -> bool {
    let started = Instant::now();
    let url = stack.postgres.url();
    let Ok(database) = try_connect(&url).await else { return false };
    while started.elapsed() < DRAINED_WITHIN {
        let left = "select (select count(*) from pgmq.q_purchases)
                         + (select count(*) from flashsale.orders where status = 'in_progress')";
        match database.query_one(left, &[]).await {
            Ok(row) if row.get::<_, i64>(0) == 0 => return true,
            Ok(_) => tokio::time::sleep(POLL_EVERY).await,
            Err(_) => return false,
        }
    }
    false
}
