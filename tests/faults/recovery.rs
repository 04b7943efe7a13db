//! What comes after the fault: how long until a fresh purchase is confirmed again, and the last chance of those who kept
//! trying.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio_postgres::Client as Session;
use uuid::Uuid;

use crate::client::{Client, Purchase};
use crate::harness::history::Answer;
use crate::harness::postgres::try_connect;
use crate::harness::{Sale, Stack, User};
use crate::record::{Record, Recorder};
use crate::world::World;

const RECOVERED_WITHIN: Duration = Duration::from_secs(30);
/// Longer than a token that serves no order can stay taken, see `gates`.
const SOLD_WITHIN: Duration = Duration::from_secs(30);
const DRAINED_WITHIN: Duration = Duration::from_secs(30);
const POLL_EVERY: Duration = Duration::from_millis(20);
const PROBE_WAITS_S: u32 = 2;
const WAVE_EVERY: Duration = Duration::from_millis(100);
/// People of a sale who send their key again.
const KEYS_SENT_AGAIN: usize = 40;
/// People who try again together.
const WAVE: usize = 200;

/// A fresh purchase at every API process: one that was not tried before.
pub struct Probes {
    /// By the name of the process: where it is asked, and by whom.
    each: Vec<(String, SocketAddr, User)>,
    product_id: Uuid,
    recorder: Recorder,
}

impl Probes {
    pub fn new(world: &World, users: Vec<User>) -> Self {
        let apis = world.stack.apis.iter().map(|api| (api.process.name.clone(), api.http.address));
        let each = apis.zip(users).map(|((name, address), user)| (name, address, user)).collect();
        Self { each, product_id: world.sales.probe.product_id, recorder: world.recorder.clone() }
    }

    /// How long until each of them is confirmed as a success, counted from `since`.
    pub async fn confirm(self, since: Instant) -> Option<Duration> {
        let probes = self.each.into_iter().map(|(name, address, user)| {
            let client = Client::new([address].into(), 0, self.recorder.clone());
            let purchase = Purchase { wait_s: Some(PROBE_WAITS_S), ..Purchase::plain(user, self.product_id) };
            let recorder = self.recorder.clone();
            async move {
                let time = probe(client, purchase, since).await?;
                let ms = u64::try_from(time.as_millis()).expect("a time");
                recorder.write(&Record::Recovered { api: name, ms });
                Some(time)
            }
        });
        let times = futures_util::future::join_all(probes).await;
        times.into_iter().collect::<Option<Vec<Duration>>>()?.into_iter().max()
    }
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
pub async fn let_everybody_try_again(world: &World, stayed: &[Purchase]) {
    let database = world.stack.database().await;
    let mut wanted: HashMap<Uuid, i64> = HashMap::new();
    for purchase in stayed {
        *wanted.entry(purchase.product_id).or_default() += 1;
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
async fn sell_out(world: &World, database: &Session, sale: &Sale, stayed: &[Purchase], people: i64) -> bool {
    let started = Instant::now();
    while started.elapsed() < SOLD_WITHIN {
        if !drain(&world.stack).await {
            return false;
        }
        let (served, quantity) = served(database, sale).await;
        if i64::try_from(served.len()).expect("a number") >= quantity.min(people) {
            return true;
        }
        let waiting = of_sale(stayed, sale).filter(|purchase| !served.contains(&purchase.user.id));
        let wave = waiting.take(WAVE).enumerate().map(|(number, purchase)| {
            let mut client = Client::new(world.addresses(), number, world.recorder.clone());
            let purchase = Purchase::plain(purchase.user.clone(), purchase.product_id);
            async move { client.buy(&purchase).await }
        });
        futures_util::future::join_all(wave).await;
        tokio::time::sleep(WAVE_EVERY).await;
    }
    true
}

fn of_sale<'a>(stayed: &'a [Purchase], sale: &Sale) -> impl Iterator<Item = &'a Purchase> {
    stayed.iter().filter(|purchase| purchase.product_id == sale.product_id)
}

/// Some of those who have a unit send the same request with the same key once more, when nobody else buys any more and the
/// sales are sold out or over: what they hear the checker will judge.
pub async fn send_keys_again(world: &World, stayed: &[Purchase]) {
    let database = world.stack.database().await;
    for sale in world.sales.all() {
        let (served, _) = served(&database, sale).await;
        let with_key = of_sale(stayed, sale).filter(|it| it.key.is_some() && served.contains(&it.user.id));
        let again = with_key.take(KEYS_SENT_AGAIN).enumerate().map(|(number, purchase)| {
            let mut client = Client::new(world.addresses(), number, world.recorder.clone());
            async move { client.buy(purchase).await }
        });
        futures_util::future::join_all(again).await;
    }
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
