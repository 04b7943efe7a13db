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

use crate::client::Client;
use crate::harness::{Sale, User};
use crate::record::Recorder;
use crate::shopper::{Habits, Shopper, Who};
use crate::world::World;

const POLL_EVERY: Duration = Duration::from_millis(2);
/// People in the shop at once; one more waits at the door.
const IN_THE_SHOP_MAX: usize = 600;
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
        }
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

/// People on their way, and in the end those who keep trying: user and what they want.
pub struct Load {
    task: tokio::task::JoinHandle<Vec<(User, Uuid)>>,
}

struct Visit {
    at: Duration,
    who: Who,
    product_id: Uuid,
    habits: Habits,
    seed: u64,
}

impl Load {
    pub async fn start(world: &mut World, shape: &Shape) -> Self {
        let mut visits = plan(world, shape).await;
        visits.sort_by_key(|visit| visit.at);
        let progress = Arc::clone(&world.progress);
        progress.expected.store(visits.len(), Ordering::Relaxed);
        let (addresses, recorder) = (world.addresses(), world.recorder.clone());
        Self { task: tokio::spawn(let_in(visits, addresses, recorder, progress)) }
    }

    pub async fn finish(self) -> Vec<(User, Uuid)> {
        self.task.await.expect("the load")
    }
}

async fn plan(world: &mut World, shape: &Shape) -> Vec<Visit> {
    let span = shape.arrivals_within;
    let edge_at = Duration::from_millis(u64::try_from(shape.edge_ms.start).expect("a time"));
    let herd_span = Duration::from_secs(1);
    let main = people(world, shape, &world.sales.main.clone(), shape.main_people, Duration::ZERO..span).await;
    let window = if shape.is_herd { edge_at..edge_at + herd_span } else { Duration::ZERO..span };
    let mut visits = people(world, shape, &world.sales.windowed.clone(), shape.windowed_people, window).await;
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
    Visit { at, who, product_id, habits, seed: world.dice.random() }
}

async fn let_in(
    visits: Vec<Visit>,
    addresses: Arc<[SocketAddr]>,
    recorder: Recorder,
    progress: Arc<Progress>,
) -> Vec<(User, Uuid)> {
    let door = Arc::new(Semaphore::new(IN_THE_SHOP_MAX));
    let opened_at = Instant::now();
    let until = opened_at + visits.last().map_or(Duration::ZERO, |visit| visit.at) + KEEP_TRYING_FOR;
    let mut inside = JoinSet::new();
    for visit in visits {
        tokio::time::sleep_until((opened_at + visit.at).into()).await;
        let place = Arc::clone(&door).acquire_owned().await.expect("the door is never closed");
        let mut dice = SmallRng::seed_from_u64(visit.seed);
        let client = Client::new(Arc::clone(&addresses), dice.random_range(0..addresses.len()), recorder.clone());
        let (product_id, recorder) = (visit.product_id, recorder.clone());
        let shopper = Shopper { who: visit.who, product_id, habits: visit.habits, client, recorder, dice, until };
        inside.spawn(async move {
            let stays = shopper.go().await;
            drop(place);
            stays.map(|user| (user, product_id))
        });
        progress.arrived.fetch_add(1, Ordering::Relaxed);
    }
    inside.join_all().await.into_iter().flatten().collect()
}
