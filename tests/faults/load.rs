//! The load: people arrive at scheduled times, whatever the system is doing (an open loop), and go shopping. The seed
//! decides who arrives when, wants what and has which habits.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::client::{Client, Purchase};
use crate::harness::Sale;
use crate::record::{Recorder, now_us};
use crate::shopper::{Habits, Shopper, Who};
use crate::world::World;

const POLL_EVERY: Duration = Duration::from_millis(2);
/// People in the shop at once; one more waits at the door. For a herd it is wide open.
const IN_THE_SHOP_MAX: usize = 600;
const HERD_SPAN: Duration = Duration::from_secs(1);
/// After the last arrival people keep trying for so long, and then once more when everything is healed.
const KEEP_TRYING_FOR: Duration = Duration::from_secs(3);

/// How much, how long.
#[derive(Clone, Debug)]
pub struct Shape {
    pub arrivals_within: Duration,
    pub main_people: usize,
    pub main_units: i64,
    pub windowed_people: usize,
    pub windowed_units: i64,
    /// When the window of the second sale begins or ends, in milliseconds after it was made.
    pub edge_ms: Range<i64>,
    pub newcomers: usize,
    /// Everybody for the second sale arrives in the second after it begins.
    pub is_herd: bool,
    pub hang_up_share: f64,
    /// How often somebody buys what never sells out.
    pub feed_every: Duration,
}

impl Shape {
    pub const fn usual(short: bool) -> Self {
        let (seconds, people) = if short { (2, 700) } else { (4, 1400) };
        Self {
            arrivals_within: Duration::from_secs(seconds),
            main_people: people,
            main_units: people as i64 * 2 / 5,
            windowed_people: people / 3,
            windowed_units: people as i64 / 6,
            edge_ms: 600..1800,
            newcomers: 4,
            is_herd: false,
            hang_up_share: 0.01,
            feed_every: Duration::from_millis(15),
        }
    }

    /// As long as a DBA forgets a transaction, with many purchases a second.
    pub const fn under_a_snapshot(lasts: Duration) -> Self {
        Self { arrivals_within: lasts, feed_every: Duration::from_millis(4), ..Self::usual(false) }
    }

    /// Long enough for a clock to be set several times, and for everybody to notice each time.
    pub const fn long(short: bool) -> Self {
        Self { arrivals_within: Duration::from_secs(16), main_people: 2000, main_units: 1200, ..Self::usual(short) }
    }

    /// Fifty times the stock in the first second.
    pub const fn herd(short: bool) -> Self {
        let units = if short { 40 } else { 60 };
        Self {
            is_herd: true,
            // Not before everybody has been made.
            edge_ms: 4000..5000,
            windowed_units: units,
            windowed_people: units as usize * 50,
            main_people: 200,
            main_units: 100,
            ..Self::usual(short)
        }
    }
}

/// How far the load has come.
#[derive(Debug, Default)]
pub struct Progress {
    expected: AtomicUsize,
    arrived: AtomicUsize,
}

impl Progress {
    /// Waits until this share of the people has arrived.
    pub async fn wait_for_share(&self, share: f64) {
        loop {
            let expected = self.expected.load(Ordering::Relaxed);
            if expected > 0 && self.arrived.load(Ordering::Relaxed) as f64 >= expected as f64 * share {
                return;
            }
            tokio::time::sleep(POLL_EVERY).await;
        }
    }

    pub fn is_over(&self) -> bool {
        let expected = self.expected.load(Ordering::Relaxed);
        expected > 0 && self.arrived.load(Ordering::Relaxed) >= expected
    }
}

/// People on their way, and in the end what those want who keep trying.
pub struct Load {
    task: tokio::task::JoinHandle<Vec<Purchase>>,
}

struct Visit {
    at: Duration,
    who: Who,
    product_id: Uuid,
    habits: Habits,
    seed: u64,
    /// Its latency is measured from the time it is due.
    is_timed: bool,
}

impl Load {
    pub async fn start(world: &mut World, shape: &Shape) -> Self {
        let opened_at = Instant::now();
        let mut visits = plan(world, shape, opened_at).await;
        // For a herd the plan is by the clock; for others the shop opens when it is made.
        let opened_at = if shape.is_herd { opened_at } else { Instant::now() };
        let door = if shape.is_herd { visits.len() } else { IN_THE_SHOP_MAX };
        visits.sort_by_key(|visit| visit.at);
        let progress = Arc::clone(&world.progress);
        progress.expected.store(visits.len(), Ordering::Relaxed);
        let (addresses, recorder) = (world.addresses(), world.recorder.clone());
        Self { task: tokio::spawn(let_in(visits, opened_at, door, addresses, recorder, progress)) }
    }

    pub async fn finish(self) -> Vec<Purchase> {
        self.task.await.expect("the load")
    }
}

async fn plan(world: &mut World, shape: &Shape, opened_at: Instant) -> Vec<Visit> {
    let span = shape.arrivals_within;
    let main = people(world, shape, &world.sales.main.clone(), shape.main_people, Duration::ZERO..span).await;
    let to_edge = (world.sales.edge - chrono::Utc::now()).to_std().unwrap_or_default();
    let edge_at = opened_at.elapsed() + to_edge;
    let window = if shape.is_herd { edge_at..edge_at + HERD_SPAN } else { Duration::ZERO..span };
    let mut visits = people(world, shape, &world.sales.windowed.clone(), shape.windowed_people, window).await;
    for visit in &mut visits {
        visit.is_timed = shape.is_herd;
    }
    assert!(!shape.is_herd || opened_at.elapsed() < edge_at, "the sale began before the herd was there");
    visits.extend(main);
    for number in 0..shape.newcomers {
        let email = format!("newcomer-{number}-{}@example.com", Uuid::new_v4().simple());
        let product_id = world.sales.main.product_id;
        let at = world.dice.random_range(Duration::ZERO..span);
        visits.push(visit(world, shape, Who::New { email }, product_id, at));
    }
    visits
}

async fn people(world: &mut World, shape: &Shape, sale: &Sale, count: usize, arrive: Range<Duration>) -> Vec<Visit> {
    let users = world.users(count).await;
    let arrivals: Vec<Duration> = (0..count).map(|_| world.dice.random_range(arrive.clone())).collect();
    let known = users.into_iter().zip(arrivals);
    known.map(|(user, at)| visit(world, shape, Who::Known(user), sale.product_id, at)).collect()
}

fn visit(world: &mut World, shape: &Shape, who: Who, product_id: Uuid, at: Duration) -> Visit {
    let habits = Habits::drawn(&mut world.dice, shape.hang_up_share);
    Visit { at, who, product_id, habits, seed: world.dice.random(), is_timed: false }
}

async fn let_in(
    visits: Vec<Visit>,
    opened_at: Instant,
    door: usize,
    addresses: Arc<[SocketAddr]>,
    recorder: Recorder,
    progress: Arc<Progress>,
) -> Vec<Purchase> {
    let door = Arc::new(Semaphore::new(door));
    let opened_us = now_us() - i64::try_from(opened_at.elapsed().as_micros()).expect("a time");
    let until = opened_at + visits.last().map_or(Duration::ZERO, |visit| visit.at) + KEEP_TRYING_FOR;
    let mut inside = JoinSet::new();
    for visit in visits {
        tokio::time::sleep_until((opened_at + visit.at).into()).await;
        let place = Arc::clone(&door).acquire_owned().await.expect("the door is never closed");
        let mut dice = SmallRng::seed_from_u64(visit.seed);
        let mut client = Client::new(Arc::clone(&addresses), dice.random_range(0..addresses.len()), recorder.clone());
        client.due_us = visit.is_timed.then(|| opened_us + i64::try_from(visit.at.as_micros()).expect("a time"));
        let (product_id, recorder) = (visit.product_id, recorder.clone());
        let shopper = Shopper { who: visit.who, product_id, habits: visit.habits, client, recorder, dice, until };
        inside.spawn(async move {
            let stays = shopper.go().await;
            drop(place);
            stays
        });
        progress.arrived.fetch_add(1, Ordering::Relaxed);
    }
    inside.join_all().await.into_iter().flatten().collect()
}
